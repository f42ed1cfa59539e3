// Owns what a gateway of several does when something happens: pure, with the time as an input.
//
// The order that matters: a gateway that becomes active has the state of connections in its kernel already, puts the
// addresses on its links, and then tells the neighbours; one that ceases to be leaves the addresses for a moment longer,
// because its kernel goes on forwarding what still comes, and takes them off when the other one has told that they are
// there. What must never last is both: every address is only lent by the kernel for a few seconds, and goes by itself
// when nobody renews it.
import type { ShareSetup } from "./setup.ts";

/** What keepalived says of a share: its virtual routers inside and outside go together. */
export type Vrrp = "active" | "standby" | "fault" | "unknown";

/** The other gateways' connections, here: no process that gets them, asked for, in the kernel. */
export type Connections = "absent" | "asking" | "current";

/** Something that happened. */
export type Input =
  | { kind: "vrrp"; share: string; state: Vrrp }
  | { kind: "keepalived-gone"; why: string }
  | { kind: "connections"; state: Connections }
  /** Changes of connections came faster than conntrackd could hear of them. */
  | { kind: "missed" }
  | { kind: "uplink"; well: boolean }
  | { kind: "drain"; drained: boolean }
  /** Nothing but the time; `lateMs` is how much later than asked for. */
  | { kind: "wake"; lateMs: number };

/** Something to do, in this order. */
export type Output =
  /** Put the share's addresses on the links, or have the kernel lend them anew. */
  | { do: "hold"; share: string }
  | { do: "release"; share: string }
  | { do: "announce"; share: string }
  /** Write what is added to the priority of the share. */
  | { do: "weigh"; share: string; weight: number }
  /** Ask the others for all their connections. */
  | { do: "ask-connections" }
  /** Take what is in the kernel into account, so that it can be given to others. */
  | { do: "gather-connections" }
  /** No longer give others what this gateway has known of connections: whoever has them now knows better. */
  | { do: "forget-connections" }
  /** Something that an operator may want to know has changed. */
  | { do: "publish" };

/** A share, as it is. */
export interface ShareState {
  vrrp: Vrrp;
  /** When and why it became so. */
  since: number;
  why: string;
  holds: boolean;
  renewAt?: number;
  releaseAt?: number;
  announceAt: number[];
  /** Added to the priority. */
  weight: number;
  /** Whether it has been well for long enough to take its place. */
  ready: boolean;
}

export interface Gatekeeper {
  shares: Record<string, ShareState>;
  connections: Connections;
  uplink?: boolean;
  drained: boolean;
  /** Since when nothing has been wrong. */
  wellSince?: number;
  askAt?: number;
  gatherAt?: number;
  /** When the table was, or is to be, gathered last for what was missed. */
  missedAt?: number;
}

/** What the machine is set to; times in ms. */
export interface Settings {
  intervalMs: number;
  returnMs?: number;
  shares: readonly ShareSetup[];
}

/** How long the kernel lends an address, s. It counts in seconds, and looks once in a second. */
export const LEASE_S = 8;
const RENEW_MS = 500;
/** How long a gateway that another one relieves keeps the addresses. */
const LINGER_MS = 150;
/** Announcements after the first: one may be lost, and a gateway whose daemons stand still answers for a lease longer. */
const ANNOUNCE_AGAIN_MS = [200, 1000, (LEASE_S + 2) * 1000];
/** A table of connections is gathered when the rush of a takeover is over. */
const GATHER_MS = 1000;
/** To gather is work as well, by which more may be missed: not again before. */
const GATHER_AGAIN_MS = 30_000;
/** Less than the kernel's shortest time-out of a UDP stream (nf_conntrack_udp_timeout_stream, 120 s). */
const ASK_MS = 45_000;
/** A wake-up that is so late means that neighbours may have forgotten. */
const LATE_MS = 250;

/**
 * What is added to the priority, by the worst of what is wrong. Four nodes in line have 250 to 190, so that whatever is
 * wrong counts for more than the place in line, and what is worse for more than what is less bad.
 */
export const WEIGHT = { unready: -61, uplink: -122, drained: -183 } as const;

/** How it begins: nothing is known, nothing is held. */
export function begin({ shares }: Settings, now: number): Gatekeeper {
  const share = (): ShareState => ({
    vrrp: "unknown",
    since: now,
    why: "started",
    holds: false,
    announceAt: [],
    weight: WEIGHT.unready,
    ready: false,
  });
  return {
    shares: Object.fromEntries(shares.map(({ name }) => [name, share()])),
    connections: "absent",
    drained: false,
  };
}

/** One step. The state is changed in place; what is to be done is the answer. */
export function step(keeper: Gatekeeper, settings: Settings, input: Input, now: number): Output[] {
  const outputs: Output[] = [];
  switch (input.kind) {
    case "vrrp":
      takeVrrp(keeper, input.share, input.state, now, outputs);
      break;
    case "keepalived-gone":
      for (const [name, share] of Object.entries(keeper.shares)) {
        // The others need three intervals, and a part of one, to find out.
        leave(name, share, "unknown", input.why, now, LINGER_MS + 4 * settings.intervalMs, outputs);
      }
      delete keeper.wellSince;
      break;
    case "connections":
      if (keeper.connections === input.state) break;
      keeper.connections = input.state;
      if (input.state === "asking") keeper.askAt = now + ASK_MS;
      // A daemon that starts takes all that is in the kernel for its own.
      if (input.state === "asking" && !holdsAny(keeper)) outputs.push({ do: "forget-connections" });
      outputs.push({ do: "publish" });
      break;
    case "missed":
      // Where each gateway has its own share, the kernel's table is the other one's as well.
      if (keeper.gatherAt !== undefined || !hasAll(keeper)) break;
      keeper.missedAt = Math.max(now + GATHER_MS, (keeper.missedAt ?? -Infinity) + GATHER_AGAIN_MS);
      keeper.gatherAt = keeper.missedAt;
      break;
    case "uplink":
      if (keeper.uplink !== input.well) outputs.push({ do: "publish" });
      keeper.uplink = input.well;
      break;
    case "drain":
      if (keeper.drained !== input.drained) outputs.push({ do: "publish" });
      keeper.drained = input.drained;
      break;
    case "wake":
      if (input.lateMs < LATE_MS) break;
      for (const [name, share] of Object.entries(keeper.shares)) {
        if (share.holds && share.releaseAt === undefined)
          outputs.push({ do: "hold", share: name }, { do: "announce", share: name });
      }
      break;
  }
  actOnTime(keeper, now, outputs);
  judgeHealth(keeper, settings, now);
  for (const [name, share] of Object.entries(keeper.shares)) {
    const weight = weightOf(keeper, share);
    if (weight === share.weight) continue;
    share.weight = weight;
    outputs.push({ do: "weigh", share: name, weight }, { do: "publish" });
  }
  return outputs;
}

/** When the machine wants to be woken, if nothing happens before. */
export function nextWake(keeper: Gatekeeper, { returnMs }: Settings): number {
  const times = Object.values(keeper.shares).flatMap((share) => [
    share.renewAt,
    share.releaseAt,
    ...share.announceAt,
    share.ready || returnMs === undefined || keeper.wellSince === undefined ? undefined : keeper.wellSince + returnMs,
  ]);
  return Math.min(...[...times, keeper.askAt, keeper.gatherAt].filter((time) => time !== undefined));
}

function takeVrrp(keeper: Gatekeeper, name: string, state: Vrrp, now: number, outputs: Output[]): void {
  const share = keeper.shares[name];
  if (!share || share.vrrp === state) return;
  if (state !== "active") {
    if (state === "fault") delete keeper.wellSince;
    const why =
      state === "fault"
        ? "a link is down, or heddle did not renew"
        : share.vrrp === "active"
          ? "another gateway is preferred"
          : "another gateway may be active";
    leave(name, share, state, why, now, LINGER_MS, outputs);
    return;
  }
  share.why = share.vrrp === "standby" ? "no other gateway was heard, or none is preferred" : "became active";
  share.vrrp = state;
  share.since = now;
  share.holds = true;
  // Whoever has the place does not have to wait for it.
  share.ready = true;
  delete share.releaseAt;
  share.renewAt = now + RENEW_MS;
  share.announceAt = ANNOUNCE_AGAIN_MS.map((after) => now + after);
  keeper.gatherAt = now + GATHER_MS;
  outputs.push({ do: "hold", share: name }, { do: "announce", share: name }, { do: "publish" });
}

function leave(
  name: string,
  share: ShareState,
  state: Vrrp,
  why: string,
  now: number,
  lingerMs: number,
  outputs: Output[],
): void {
  if (share.vrrp === state) return;
  share.vrrp = state;
  share.since = now;
  share.why = why;
  share.announceAt = [];
  if (state !== "standby") share.ready = false;
  if (share.holds) share.releaseAt ??= now + lingerMs;
  // Nobody knows what the last run left on the links.
  else outputs.push({ do: "release", share: name });
  outputs.push({ do: "publish" });
}

function actOnTime(keeper: Gatekeeper, now: number, outputs: Output[]): void {
  for (const [name, share] of Object.entries(keeper.shares)) {
    if (share.releaseAt !== undefined && share.releaseAt <= now) {
      share.holds = false;
      delete share.releaseAt;
      delete share.renewAt;
      outputs.push({ do: "release", share: name }, { do: "publish" });
      if (!holdsAny(keeper)) outputs.push({ do: "forget-connections" });
    }
    if (share.renewAt !== undefined && share.renewAt <= now) {
      share.renewAt = now + RENEW_MS;
      outputs.push({ do: "hold", share: name });
    }
    if (share.announceAt.some((time) => time <= now)) {
      share.announceAt = share.announceAt.filter((time) => time > now);
      outputs.push({ do: "announce", share: name });
    }
  }
  if (keeper.gatherAt !== undefined && keeper.gatherAt <= now) {
    delete keeper.gatherAt;
    // In the kernel of one that stands by are others' connections, as they were a moment ago.
    if (isActive(keeper)) outputs.push({ do: "gather-connections" });
  }
  if (keeper.askAt !== undefined && keeper.askAt <= now) {
    keeper.askAt = now + ASK_MS;
    const stands = Object.values(keeper.shares).some(({ vrrp }) => vrrp === "standby");
    if (stands && keeper.connections === "current") outputs.push({ do: "ask-connections" });
  }
}

function isActive({ shares }: Gatekeeper): boolean {
  return Object.values(shares).some(({ vrrp }) => vrrp === "active");
}

function hasAll({ shares }: Gatekeeper): boolean {
  return Object.values(shares).every(({ vrrp }) => vrrp === "active");
}

function holdsAny({ shares }: Gatekeeper): boolean {
  return Object.values(shares).some(({ holds }) => holds);
}

function judgeHealth(keeper: Gatekeeper, { returnMs }: Settings, now: number): void {
  const shares = Object.values(keeper.shares);
  const well =
    keeper.connections === "current" &&
    keeper.uplink !== false &&
    shares.every(({ vrrp }) => vrrp === "active" || vrrp === "standby");
  if (!well) {
    delete keeper.wellSince;
    for (const share of shares) if (share.vrrp !== "active" || keeper.uplink === false) share.ready = false;
    return;
  }
  keeper.wellSince ??= now;
  if (returnMs === undefined || now - keeper.wellSince < returnMs) return;
  for (const share of shares) share.ready = true;
}

function weightOf({ drained, uplink }: Gatekeeper, { ready }: ShareState): number {
  if (drained) return WEIGHT.drained;
  if (uplink === false) return WEIGHT.uplink;
  return ready ? 0 : WEIGHT.unready;
}
