// Owns the hosts that a bridge knows by their IP addresses: on which side each one is, and where there.
//
// Where a host is, only an answer to the bridge's own question says (ARP or ND on Ethernet; ARP of IPoIB and a path record
// on InfiniBand). An answer that differs from what is known is a rival's: the place that was known is asked once more. When
// that is silent, the host has moved; when it answers, two hosts have one address, and neither gets anything.
import { formatAddress } from "../../model/ip.ts";
import { copyBytes, u32 } from "../codec/bytes.ts";
import type { Endpoint } from "./endpoint.ts";

export type Side = "ethernet" | "infiniband";

/** All in milliseconds. */
export const HOST_MS = {
  /** How often one host is asked for. */
  seek: 250,
  /** How long a rival waits for the place that was known to answer. */
  rival: 1000,
  /** After this long without an answer a host is asked for again; what is known holds on meanwhile. */
  fresh: 30_000,
  /** A host that has not answered for as long is forgotten when it has no sessions, and sought anew when it has. */
  gone: 120_000,
  /** How long an address that two hosts have is left alone. */
  doubled: 10_000,
} as const;

/** Most hosts of one bridge, if it is told nothing else. */
export const MOST_HOSTS = 8192;

/** `sought`: it is not known where; `found`; `doubled`: two hosts have the address. */
export type HostState = "sought" | "found" | "doubled";

/** One host. */
export class Host {
  /** Index among the hosts of the bridge, below 32768. */
  readonly index: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly name: string;
  state: HostState = "sought";
  /** Where it is, or is sought. */
  side: Side;
  readonly mac = new Uint8Array(6);
  readonly gid = new Uint8Array(16);
  /** 0 while the subnet manager has not said. */
  lid = 0;
  sl = 0;
  /** Bytes of payload that the way to it carries; 0 while the subnet manager has not said. */
  mtu = 0;
  heardMs = -Infinity;
  soughtMs = -Infinity;
  /** When somebody wanted to send to it, or it sent, last. */
  usedMs = -Infinity;
  /** Queue pairs by their numbers. */
  readonly endpoints = new Map<number, Endpoint>();
  /** Sessions of which it is the client. */
  sessions = 0;
  /** Requests for queue pairs that are under way, or were answered a moment ago: its own, and those for it. */
  requests = 0;
  asked = 0;
  /** Requests that it may make at once, see RequestRate. */
  tokens = -1;
  tokensMs = 0;
  rival: { side: Side; place: Uint8Array; sinceMs: number } | undefined;

  constructor(index: number, address: Uint8Array, side: Side) {
    this.index = index;
    this.address = Uint8Array.from(address);
    this.name = formatAddress(this.address);
    this.side = side;
  }

  /** The hardware address where it is: a MAC, or a GID. */
  get place(): Uint8Array {
    return this.side === "ethernet" ? this.mac : this.gid;
  }

  /** Whether packets can be sent to it. */
  get ready(): boolean {
    return this.state === "found" && (this.side === "ethernet" || this.lid !== 0);
  }
}

/** What becomes of what is heard. */
export interface HostEvents {
  /** Ask for it on its side; the answer comes by `heard`. */
  seek(host: Host): void;
  /** Ask the subnet manager for the way to its GID; the answer comes by `setPath`. */
  seekPath(host: Host): void;
  /** Packets can be sent to it now, where they could not, or elsewhere. */
  ready(host: Host): void;
  /** It is not where it was: elsewhere on its side, on the other one, silent, or there twice. */
  left(host: Host, why: "moved" | "crossed" | "gone" | "doubled"): void;
}

/** The hosts of one bridge. */
export class Hosts {
  readonly #most: number;
  readonly #events: HostEvents;
  /** By the last four bytes, which different hosts seldom share. */
  readonly #byEnd = new Map<number, Host[]>();
  readonly #byLid = new Map<number, Host[]>();
  readonly #all: (Host | undefined)[] = [];
  readonly #free: number[] = [];
  #count = 0;
  /** Where `tick` goes on. */
  #next = 0;
  /** Hosts that were not taken in, because there were too many. */
  refused = 0;

  constructor(events: HostEvents, most = MOST_HOSTS) {
    this.#events = events;
    this.#most = Math.min(most, 0x7fff);
  }

  get count(): number {
    return this.#count;
  }

  *[Symbol.iterator](): Generator<Host> {
    for (const host of this.#all) if (host !== undefined) yield host;
  }

  /** The host whose address stands at `at`, `length` bytes long. */
  find(bytes: Uint8Array, at: number, length: number): Host | undefined {
    const same = this.#byEnd.get(u32(bytes, at + length - 4));
    if (same === undefined) return undefined;
    for (const host of same) if (isAt(host.address, bytes, at, length)) return host;
    return undefined;
  }

  /** The hosts at a LID, none that is not found. */
  atLid(lid: number): readonly Host[] | undefined {
    return this.#byLid.get(lid);
  }

  /** The host, taken in where it is not known; undefined when there are too many. `side`: where it is sought. */
  take(address: Uint8Array, side: Side, nowMs: number): Host | undefined {
    const known = this.find(address, 0, address.length);
    if (known !== undefined) {
      // Whoever takes two hosts must not lose the first by the second.
      known.usedMs = nowMs;
      return known;
    }
    if (this.#count >= this.#most && !this.#forgetOne(nowMs)) {
      this.refused++;
      return undefined;
    }
    const index = this.#free.pop() ?? this.#all.length;
    const host = new Host(index, address, side);
    host.usedMs = nowMs;
    this.#all[index] = host;
    this.#count++;
    const end = u32(host.address, host.address.length - 4);
    const same = this.#byEnd.get(end);
    if (same === undefined) this.#byEnd.set(end, [host]);
    else same.push(host);
    return host;
  }

  /** Asks for a host, unless that was done a moment ago. */
  seek(host: Host, nowMs: number): void {
    if (nowMs - host.soughtMs < HOST_MS.seek) return;
    host.soughtMs = nowMs;
    this.#events.seek(host);
    if (host.state === "found" && host.side === "infiniband" && host.lid === 0) this.#events.seekPath(host);
  }

  /** A host says by an answer that it is on a side, at a MAC (6 bytes) or GID (16 bytes). */
  heard(host: Host, side: Side, place: Uint8Array, nowMs: number): void {
    if (host.state === "found" && host.side === side && isAt(host.place, place, 0, place.length)) {
      host.heardMs = nowMs;
      if (host.rival !== undefined) this.#double(host, nowMs);
      else if (!host.ready) this.#events.seekPath(host);
    } else if (host.state === "sought") this.#settle(host, side, place, nowMs);
    else if (host.state === "found" && host.rival === undefined) {
      host.rival = { side, place: Uint8Array.from(place), sinceMs: nowMs };
      host.soughtMs = nowMs;
      this.#events.seek(host);
    }
  }

  /** The subnet manager says how the GID of a host is reached. */
  setPath(host: Host, gid: Uint8Array, path: { lid: number; sl: number; mtu: number }): void {
    if (host.state !== "found" || host.side !== "infiniband" || !isAt(host.gid, gid, 0, 16)) return;
    const news = host.lid !== path.lid || host.sl !== path.sl || host.mtu !== path.mtu;
    if (news) this.#unplace(host);
    Object.assign(host, path);
    if (!news) return;
    const same = this.#byLid.get(path.lid);
    if (same === undefined) this.#byLid.set(path.lid, [host]);
    else same.push(host);
    this.#events.ready(host);
  }

  /** Takes in a host as it was known before a restart; it is asked for again at once. */
  restore(host: Host, side: Side, place: Uint8Array, nowMs: number): void {
    if (host.state === "sought") this.#settle(host, side, place, nowMs);
    host.heardMs = nowMs - HOST_MS.fresh;
  }

  /** Looks at some hosts: rivals, those that were not heard for long, those that nobody needs. To be called often. */
  tick(nowMs: number): void {
    // All of them in a second, at twenty calls a second.
    const some = Math.min(this.#all.length, Math.ceil(this.#all.length / 20));
    for (let i = 0; i < some; i++) {
      this.#next = this.#next + 1 < this.#all.length ? this.#next + 1 : 0;
      const host = this.#all[this.#next];
      if (host !== undefined) this.#look(host, nowMs);
    }
  }

  #look(host: Host, nowMs: number): void {
    const { rival } = host;
    if (isIdle(host) && nowMs - host.usedMs >= HOST_MS.gone) this.#forget(host);
    else if (rival !== undefined && nowMs - rival.sinceMs >= HOST_MS.rival) {
      host.rival = undefined;
      if (host.state !== "found") return;
      const why = rival.side === host.side ? "moved" : "crossed";
      this.#settle(host, rival.side, rival.place, nowMs);
      this.#events.left(host, why);
    } else if (host.state === "doubled" && nowMs - host.heardMs >= HOST_MS.doubled) {
      host.state = "sought";
    } else if (host.state === "found" && nowMs - host.heardMs >= HOST_MS.gone) {
      this.#unplace(host);
      host.state = "sought";
      this.#events.left(host, "gone");
    } else if (host.state === "found" && nowMs - host.heardMs >= HOST_MS.fresh) {
      if (nowMs - host.soughtMs >= HOST_MS.fresh / 6) this.seek(host, nowMs);
    }
  }

  #settle(host: Host, side: Side, place: Uint8Array, nowMs: number): void {
    this.#unplace(host);
    host.state = "found";
    host.side = side;
    host.heardMs = nowMs;
    copyBytes(host.place, 0, place, 0, place.length);
    if (side === "ethernet") this.#events.ready(host);
    else this.#events.seekPath(host);
  }

  #double(host: Host, nowMs: number): void {
    host.rival = undefined;
    this.#unplace(host);
    host.state = "doubled";
    host.heardMs = nowMs;
    this.#events.left(host, "doubled");
  }

  /** Takes away where it is on InfiniBand. */
  #unplace(host: Host): void {
    const same = this.#byLid.get(host.lid);
    const at = same?.indexOf(host) ?? -1;
    if (at >= 0) same?.splice(at, 1);
    if (same?.length === 0) this.#byLid.delete(host.lid);
    host.lid = host.mtu = host.sl = 0;
  }

  /** Makes room by the host that was not used for the longest time, of those that nobody has a session with. */
  #forgetOne(nowMs: number): boolean {
    let oldest: Host | undefined;
    for (const host of this) if (isIdle(host) && host.usedMs < (oldest?.usedMs ?? nowMs)) oldest = host;
    if (oldest === undefined) return false;
    this.#forget(oldest);
    return true;
  }

  #forget(host: Host): void {
    this.#unplace(host);
    const end = u32(host.address, host.address.length - 4);
    const rest = (this.#byEnd.get(end) ?? []).filter((one) => one !== host);
    if (rest.length === 0) this.#byEnd.delete(end);
    else this.#byEnd.set(end, rest);
    this.#all[host.index] = undefined;
    this.#free.push(host.index);
    this.#count--;
  }
}

/** Nothing refers to it. */
function isIdle(host: Host): boolean {
  return host.endpoints.size === 0 && host.sessions === 0 && host.requests === 0 && host.asked === 0;
}

function isAt(address: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (address.length !== length) return false;
  for (let i = 0; i < length; i++) if (address[i] !== bytes[at + i]) return false;
  return true;
}
