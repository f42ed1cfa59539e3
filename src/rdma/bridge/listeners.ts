// Owns who listens to groups on Ethernet, as hosts say by IGMP and MLD: a bounded table by group and host, whose rows go
// with a host's leave, or when the time is over for which routers remember it.
//
// It hears as a router that tracks each host (RFC 3376, A.2; RFC 3810, A.2), and says nothing.
import { formatAddress } from "../../model/ip.ts";
import { u8 } from "../codec/bytes.ts";
import { macText } from "../codec/ethernet.ts";
import { GRH_SGID } from "../codec/grh.ts";
import { GROUP_RECORD, GroupRecord, readGroupRecord } from "../codec/group-record.ts";
import { REMEMBERED_MS, rememberedMs } from "../codec/group-timers.ts";
import { IPV4_SOURCE } from "../codec/ipv4.ts";
import { locateEthernet } from "../codec/locate.ts";
import { readMembership } from "../codec/locate-membership.ts";
import { addressBytes, Membership } from "../codec/membership.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import { GroupIndex } from "./group.ts";
import type { BridgedGroup } from "./group.ts";

/** What a network says must not grow the process: hosts of one group, of all groups, and sources of one host. */
export const MOST_LISTENERS = { group: 256, all: 65_536, sources: 16 } as const;
/** How often those whose time is over are looked for where there is no room. */
const SWEEP_MS = 1000;
/** Where a frame has the hardware address that it comes from. */
const SOURCE_MAC = 6;

/** A host that listens to a group. */
export interface Listener {
  /** Its IP address; the hardware address where it has none yet. */
  readonly address: string;
  /** "IGMPv3", "MLDv1", … */
  protocol: string;
  heardMs: number;
  /** When it is forgotten unless it is heard again. */
  untilMs: number;
  /** The only sources that it listens to, the first of them; absent where it listens to all. */
  sources?: Set<string>;
  /** It is another bridge of these fabrics. */
  bridge: boolean;
}

type Family = 4 | 6;

export class Listeners {
  readonly #index: GroupIndex;
  /** By the index of the group, and then by address. */
  readonly #groups = new Map<number, Map<string, Listener>>();
  readonly #isBridge: (mac: Uint8Array) => boolean;
  #count = 0;
  #sweptMs = -Infinity;
  readonly #rememberedMs: Record<Family, number> = { 4: REMEMBERED_MS, 6: REMEMBERED_MS };
  /** When somebody asked for members last, by IGMP and by MLD. */
  readonly queriedMs: Partial<Record<Family, number>> = {};
  /** Hosts that were not taken in, because there were too many; one that comes again is counted again. */
  refused = 0;
  readonly #parts = new PacketParts();
  readonly #message = new Membership();
  readonly #record = new GroupRecord();

  constructor(groups: readonly BridgedGroup[], isBridge: (mac: Uint8Array) => boolean = () => false) {
    this.#index = new GroupIndex(groups, ({ ethernet }) => ethernet.address);
    this.#isBridge = isBridge;
  }

  get count(): number {
    return this.#count;
  }

  /** Those of a group whose time is not over. */
  of({ index }: BridgedGroup, nowMs: number): Listener[] {
    return [...(this.#groups.get(index)?.values() ?? [])].filter(({ untilMs }) => untilMs > nowMs);
  }

  /** Takes a frame; what is no message about groups, or is one that routers must not heed, is passed over. */
  hear(bytes: Uint8Array, at: number, to: number, nowMs: number): void {
    const [parts, message] = [this.#parts, this.#message];
    locateEthernet(parts, bytes, at, to);
    if (readMembership(parts, bytes, to, message) !== undefined) return;
    const { family, kind } = message;
    const length = addressBytes(message);
    const source = family === 4 ? parts.ipv4 + IPV4_SOURCE : parts.ipv6 + GRH_SGID;
    if (family === 6 && !isOfTheLink(bytes, parts.ipv6)) return;
    if (kind === "query") return this.#ask(bytes, length, nowMs);
    const mac = bytes.subarray(at + SOURCE_MAC, at + SOURCE_MAC + 6);
    const address = isZero(bytes, source, length) ? macText(mac) : formatAddress(bytes.slice(source, source + length));
    const heard = { address, bridge: this.#isBridge(mac), nowMs };
    if (kind !== "report") {
      const group = this.#index.find(bytes, message.group, length);
      if (group === undefined) return;
      if (kind === "leave") this.#forget(group, address);
      else this.#listens(group, heard, undefined);
      return;
    }
    for (let i = 0, next = message.records; i < message.recordCount; i++) {
      next = readGroupRecord(bytes, next, to, length, this.#record);
      const group = this.#index.find(bytes, this.#record.group, length);
      if (group !== undefined) this.#takeRecord(group, heard, bytes, length);
    }
  }

  /** A question to all tells how long its querier remembers members; one about a group does not. */
  #ask(bytes: Uint8Array, length: 4 | 16, nowMs: number): void {
    const { family, group } = this.#message;
    this.queriedMs[family] = nowMs;
    if (isZero(bytes, group, length)) this.#rememberedMs[family] = rememberedMs(this.#message);
  }

  #takeRecord(group: BridgedGroup, heard: Hearing, bytes: Uint8Array, length: 4 | 16): void {
    const { type, sources, sourceCount } = this.#record;
    const known = this.#groups.get(group.index)?.get(heard.address);
    const named = (): string[] =>
      Array.from({ length: Math.min(sourceCount, MOST_LISTENERS.sources) }, (_, i) =>
        formatAddress(bytes.slice(sources + i * length, sources + (i + 1) * length)),
      );
    switch (type) {
      case GROUP_RECORD.isExclude:
      case GROUP_RECORD.toExclude:
        return this.#listens(group, heard, undefined);
      case GROUP_RECORD.toInclude:
        if (sourceCount === 0) return this.#forget(group, heard.address);
        return this.#listens(group, heard, new Set(named()));
      case GROUP_RECORD.isInclude:
      case GROUP_RECORD.allowSources:
        if (sourceCount === 0) return;
        // Who listens to all sources does so when it names some.
        if (known !== undefined && known.sources === undefined && type === GROUP_RECORD.allowSources)
          return this.#listens(group, heard, undefined);
        return this.#listens(group, heard, bounded([...(known?.sources ?? []), ...named()]));
      case GROUP_RECORD.blockSources:
        if (known?.sources === undefined) return;
        for (const source of named()) known.sources.delete(source);
        // One that listens to more sources than are remembered says so when it is asked.
        if (known.sources.size === 0) this.#forget(group, heard.address);
    }
  }

  #listens(group: BridgedGroup, { address, bridge, nowMs }: Hearing, sources: Set<string> | undefined): void {
    const { family, version } = this.#message;
    const protocol = `${family === 4 ? "IGMP" : "MLD"}v${version}`;
    const untilMs = nowMs + this.#rememberedMs[family];
    const row = { address, protocol, heardMs: nowMs, untilMs, bridge, ...(sources === undefined ? {} : { sources }) };
    const hosts = this.#groups.get(group.index) ?? new Map<string, Listener>();
    if (!hosts.has(address)) {
      if (this.#isFull(hosts)) this.#sweep(nowMs);
      if (this.#isFull(hosts)) return void this.refused++;
      this.#count++;
    }
    hosts.set(address, row);
    this.#groups.set(group.index, hosts);
  }

  #isFull(hosts: ReadonlyMap<string, Listener>): boolean {
    return hosts.size >= MOST_LISTENERS.group || this.#count >= MOST_LISTENERS.all;
  }

  #forget({ index }: BridgedGroup, address: string): void {
    if (this.#groups.get(index)?.delete(address)) this.#count--;
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < SWEEP_MS) return;
    this.#sweptMs = nowMs;
    for (const hosts of this.#groups.values()) {
      for (const [address, { untilMs }] of hosts) if (untilMs <= nowMs && hosts.delete(address)) this.#count--;
    }
  }
}

/** Whom a message is from, and when it came. */
interface Hearing {
  address: string;
  bridge: boolean;
  nowMs: number;
}

/** MLD comes from a link-local address and has not been forwarded; anything else is not heeded (RFC 3810, 5.1.14 and 5.2.13; 6.2). */
function isOfTheLink(bytes: Uint8Array, ipv6: number): boolean {
  const source = ipv6 + GRH_SGID;
  return u8(bytes, ipv6 + 7) === 1 && u8(bytes, source) === 0xfe && (u8(bytes, source + 1) & 0xc0) === 0x80;
}

function isZero(bytes: Uint8Array, at: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (bytes[at + i] !== 0) return false;
  return true;
}

function bounded(sources: readonly string[]): Set<string> {
  return new Set([...new Set(sources)].slice(0, MOST_LISTENERS.sources));
}
