// Owns the nouns of what passes packets on beside the kernel's routing: gateways and bridges of one host, as its file makes
// them, and what was heard of gateways last.
import type { GatewaySignal, ProbeSignal } from "./signals.ts";

/** A section of `gateway`, as far as a packet's way depends on it. */
export interface PassingGateway {
  /** "alinat". */
  name: string;
  inside: string;
  outside: string;
  /** What passes from inside, and under which address: "140.181.2.40", or a range; absent where it keeps its own. */
  shares: { to?: string; from?: readonly string[] }[];
  /** Several gateways have one address, and one of them is active. */
  failover: boolean;
}

/** A section of `bridge`, as far as a packet to a group depends on it. */
export interface PassingBridge {
  /** "fabrics". */
  name: string;
  /** The link on Ethernet. */
  link: string;
  /** Each with its IP address, and its GID on InfiniBand. */
  groups: readonly { group: string; mgid: string; toInfiniband: boolean }[];
}

/** All of it at one moment. */
export interface Passing {
  gateways: PassingGateway[];
  bridges: PassingBridge[];
  /** What was told last: of the gateways here, and of targets that are asked. */
  signals: (GatewaySignal | ProbeSignal)[];
  /** The moment, in seconds since boot, as signals tell theirs. */
  at: number;
  /** The same by the calendar: "2026-11-26T07:21:34.000Z". */
  date: string;
}
