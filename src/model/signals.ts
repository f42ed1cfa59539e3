// Owns the nouns of what is going on: what is no kernel object, told by those that watch, and read by everybody else.
//
// Each row says when it was written, in seconds of the kernel's boot clock, which no change of the date moves. A row that
// is older than its writer's promise is stale: what that means is for its reader to say.

import type { Family } from "./ip.ts";

/** A gateway of several, as its watcher tells. */
export interface GatewaySignal {
  kind: "gateway";
  section: string;
  /** When this was written, seconds since boot. */
  at: number;
  shares: ShareSignal[];
  drained: boolean;
  /** Whether it reaches the world; absent where nobody asks. */
  uplink?: { well?: boolean; targets: { target: string; well?: boolean; rttMs?: number }[] };
  connections: {
    /** Those of the other gateways, here. */
    state: "absent" | "asking" | "current";
    own?: number;
    injected?: number;
    refused?: number;
    lost?: number;
  };
}

/** Which part a gateway plays in a share of the work. */
export interface ShareSignal {
  name: string;
  state: "active" | "standby" | "fault" | "unknown";
  /** Since when, seconds since boot, and why. */
  since: number;
  why: string;
  holds: boolean;
  priority: number;
  addresses: string[];
}

/** A target that is asked again and again. */
export interface ProbeSignal {
  kind: "probe";
  /** "egress/alinat 10.20.3.227" */
  name: string;
  /** The link that it is asked by. */
  link?: string;
  at: number;
  well?: boolean;
  rttMs?: number;
}

/** A target that a section wants to be asked. */
export interface ProbeWish {
  /** The name of its row: the section and the target. */
  name: string;
  /** Its IP address. */
  target: string;
  question: Question;
  /** The link that it is asked by. */
  link: string;
  /** Its source address; what routing says unless stated. */
  source?: string;
  /** Between two questions, ms. */
  intervalMs: number;
  /** How many answers in a row make it well, and how many missing ones ill. */
  rise: number;
  fall: number;
}

/** How a target is asked. Of TCP and HTTP, `mark` is what its packets carry, and with it the way that they take. */
export type Question =
  | { by: "ping" | "arp" }
  | { by: "tcp"; port: number; mark?: number; timeoutMs: number }
  | { by: "http"; port: number; path: string; mark?: number; timeoutMs: number };

/** On which of two segments of one subnet hosts are. */
export interface SegmentSignal {
  kind: "segment";
  section: string;
  at: number;
  /** IP addresses, by segment, in the order of the section's links. */
  hosts: [string[], string[]];
}

/** Two links whose segments a section wants watched. */
export interface SegmentWish {
  section: string;
  links: [string, string];
  /** The IP versions whose hosts are looked for. */
  families: Family[];
}

export type Signal = GatewaySignal | ProbeSignal | SegmentSignal;

/** How old a row may be before it says nothing any more, seconds. Writers write at least every second. */
export const STALE_S = 5;

/** Whether a row is too old to be believed. `now` is in seconds since boot. */
export function isStale(signal: Signal, now: number): boolean {
  return now - signal.at > STALE_S || signal.at > now + STALE_S;
}
