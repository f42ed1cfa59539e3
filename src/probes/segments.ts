// Owns on which of two segments each host of one subnet is, as answers to the kernel's questions tell. Pure.
//
// Nothing is believed but an answer. One that comes from the other segment than before is a rival's: the place that was
// known is asked once more. When that is silent, the host has moved; when it answers too, two hosts have one address, or the
// segments are joined behind our back: the address is left alone.

/** All in milliseconds. */
export const SEGMENT_MS = {
  /** How long a rival waits for the known place to answer. */
  rival: 1000,
  /** After this long without an answer a host is asked for again, and how often. */
  fresh: 30_000,
  again: 5000,
  /** A host that has not answered for as long is gone. */
  gone: 60_000,
  /** How long an address that two hosts have is left alone. */
  doubled: 10_000,
  /** How often one host is asked for on behalf of others. */
  seek: 250,
  /** How long the kernel asks before it gives up: three times, a second apart. */
  question: 4000,
} as const;

/** Most hosts that are known at once. */
export const MOST_SEGMENT_HOSTS = 4096;

/** One of the two segments. */
export type Side = 0 | 1;

export type SegmentHostState = "sought" | "found" | "doubled";

export interface SegmentHost {
  address: string;
  state: SegmentHostState;
  /** Where it is; means nothing while it is sought. */
  side: Side;
  heardMs: number;
  /** By side, when it was asked for last. */
  soughtMs: [number, number];
  /** By side, whether the kernel was asked once more since. */
  again: [boolean, boolean];
  rival?: { side: Side; sinceMs: number };
}

/** What follows. */
export interface SegmentEvents {
  /** Ask for the address on a segment. */
  ask(address: string, side: Side): void;
  /** The hosts that are found are others, or elsewhere. */
  changed(host: SegmentHost, what: "found" | "moved" | "gone" | "doubled"): void;
}

/** The hosts of two segments. */
export class Segments {
  readonly #events: SegmentEvents;
  readonly #most: number;
  readonly #hosts = new Map<string, SegmentHost>();

  constructor(events: SegmentEvents, most = MOST_SEGMENT_HOSTS) {
    this.#events = events;
    this.#most = most;
  }

  get hosts(): Iterable<SegmentHost> {
    return this.#hosts.values();
  }

  /** Somebody on a segment asks for an address. */
  wanted(address: string, by: Side, nowMs: number): void {
    const host = this.#take(address, nowMs);
    if (host?.state === "sought") this.#seek(host, other(by), SEGMENT_MS.seek, nowMs);
  }

  /** Somebody on a segment says that it is there. */
  present(address: string, side: Side, nowMs: number): void {
    const host = this.#take(address, nowMs);
    if (host === undefined || host.state === "doubled") return;
    const sure = host.state === "found" && host.side === side && nowMs - host.heardMs < SEGMENT_MS.fresh;
    if (!sure) this.#seek(host, side, SEGMENT_MS.seek, nowMs);
  }

  /** A host has answered on a segment. */
  answered(address: string, side: Side, nowMs: number): void {
    const host = this.#hosts.get(address);
    if (host === undefined || host.state === "doubled") return;
    if (host.state === "sought") this.#settle(host, side, "found", nowMs);
    else if (host.side !== side) {
      if (host.rival !== undefined) return;
      host.rival = { side, sinceMs: nowMs };
      this.#events.ask(address, host.side);
    } else {
      host.heardMs = nowMs;
      if (host.rival !== undefined) this.#end(host, "doubled", nowMs);
    }
  }

  /** The kernel has asked in vain on a segment. */
  failed(address: string, side: Side, nowMs: number): void {
    const host = this.#hosts.get(address);
    if (host === undefined || host.state === "doubled") return;
    if (host.state === "sought" || host.side !== side) {
      // An earlier question may have ended, of which ours became a part: that one asked for another place.
      if (host.again[side] || nowMs - host.soughtMs[side] >= SEGMENT_MS.question) return;
      host.again[side] = true;
      this.#events.ask(address, side);
    } else if (host.rival !== undefined) this.#settle(host, host.rival.side, "moved", nowMs);
    else this.#end(host, "gone", nowMs);
  }

  /** What time does. To be called some times a second. */
  tick(nowMs: number): void {
    for (const host of this.#hosts.values()) {
      const age = nowMs - host.heardMs;
      if (host.rival !== undefined && nowMs - host.rival.sinceMs >= SEGMENT_MS.rival) {
        this.#settle(host, host.rival.side, "moved", nowMs);
      } else if (host.state === "doubled" && age >= SEGMENT_MS.doubled) {
        host.state = "sought";
        for (const side of [0, 1] as const) this.#seek(host, side, 0, nowMs);
      } else if (host.state === "found" && age >= SEGMENT_MS.gone) this.#end(host, "gone", nowMs);
      else if (host.state === "found" && age >= SEGMENT_MS.fresh) {
        this.#seek(host, host.side, SEGMENT_MS.again, nowMs);
      } else if (host.state === "sought" && nowMs - Math.max(...host.soughtMs) >= SEGMENT_MS.gone) {
        this.#hosts.delete(host.address);
      }
    }
  }

  /** Asks, unless that was done there a moment ago. */
  #seek(host: SegmentHost, side: Side, everyMs: number, nowMs: number): void {
    if (nowMs - host.soughtMs[side] < everyMs) return;
    host.soughtMs[side] = nowMs;
    host.again[side] = false;
    this.#events.ask(host.address, side);
  }

  #take(address: string, nowMs: number): SegmentHost | undefined {
    const known = this.#hosts.get(address);
    if (known !== undefined) return known;
    if (this.#hosts.size >= this.#most) {
      // Who was only asked for makes room; who is there stays.
      const idle = [...this.#hosts.values()].find(({ state }) => state === "sought");
      if (idle === undefined) return undefined;
      this.#hosts.delete(idle.address);
    }
    const host: SegmentHost = {
      address,
      state: "sought",
      side: 0,
      heardMs: nowMs,
      soughtMs: [-Infinity, -Infinity],
      again: [false, false],
    };
    this.#hosts.set(address, host);
    return host;
  }

  #settle(host: SegmentHost, side: Side, what: "found" | "moved", nowMs: number): void {
    delete host.rival;
    host.state = "found";
    host.side = side;
    host.heardMs = nowMs;
    this.#events.changed(host, what);
  }

  #end(host: SegmentHost, what: "gone" | "doubled", nowMs: number): void {
    delete host.rival;
    host.state = what === "gone" ? "sought" : "doubled";
    host.heardMs = nowMs;
    host.soughtMs.fill(nowMs);
    this.#events.changed(host, what);
  }
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0;
}
