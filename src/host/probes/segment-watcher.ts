// Owns the watching of two segments of one subnet: hosts are heard by what they ask, and asked for by the kernel, whatever
// sort the links are of.
import { closeSync } from "node:fs";
import { HostError } from "../error.ts";
import { openPacketSocket, OWN_NAMESPACE, sendPacket } from "../native.ts";
import { parseAddress } from "../../model/ip.ts";
import type { SegmentSignal, SegmentWish } from "../../model/signals.ts";
import { ARP_PROTOCOL, makeArpQuestion } from "../../probes/arp.ts";
import { Segments } from "../../probes/segments.ts";
import type { SegmentHost, Side } from "../../probes/segments.ts";
import { openRouteSocket } from "../netlink/client.ts";
import type { RouteSocket } from "../netlink/client.ts";
import type { LinkMessage } from "../netlink/link.ts";
import { NLM_F } from "../netlink/constants.ts";
import { NEIGHBOUR_FLAG, NEIGHBOUR_STATE } from "../netlink/neighbour.ts";
import { watch } from "../netlink/watch.ts";
import { secondsSinceBoot } from "../signals.ts";
import { hearArp, hearsArp } from "./arp-ears.ts";
import type { ArpHeard } from "./arp-ears.ts";

const TICK_MS = 100;
/** How often it is looked whether the links are still those that are heard, and which addresses are the host's own. */
const LINKS_MS = 1000;
/**
 * When a host is announced on the other segment, so that whoever has asked for it need not ask again (after a second), or
 * knows it by its own hardware address no longer: about when the agent has made its route, and again.
 */
const ANNOUNCE_MS = { found: [40, 300], moved: [40, 300, 2000] } as const;
/** RTN_UNICAST (linux/rtnetlink.h). */
const UNICAST = 1;

/** Told when something is to be done about a host, and what was heard of it. */
export type TellSegment = (wish: SegmentWish, host: SegmentHost, what: string) => void;

/** Watches the segments of one section until it is closed. */
export class SegmentWatcher implements Disposable {
  readonly wish: SegmentWish;
  readonly #segments: Segments;
  readonly #socket: RouteSocket;
  readonly #end = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #packets = openPacketSocket(OWN_NAMESPACE);
  /** By side: the link's index while it is heard, and the link. */
  readonly #indexes: [number, number] = [0, 0];
  readonly #links: [LinkMessage | undefined, LinkMessage | undefined] = [undefined, undefined];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ears: [(() => void) | undefined, (() => void) | undefined] = [undefined, undefined];
  #own = new Set<string>();
  #linksMs = -Infinity;
  #looking: Promise<void> = Promise.resolve();

  constructor(wish: SegmentWish, tell: TellSegment) {
    this.wish = wish;
    this.#segments = new Segments({
      ask: (address, side) => void this.#ask(address, side),
      changed: (host, what) => {
        tell(wish, host, what);
        if (what === "found" || what === "moved") this.#announceLater(host, what);
      },
    });
    this.#socket = openRouteSocket();
    const events = watch({ groups: ["neighbour"], keepAlive: true }, this.#end.signal);
    void this.#listen(events).catch(() => {});
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
    this.#tick();
  }

  /** Where hosts are, as it is told to others. */
  get row(): SegmentSignal {
    const hosts: [string[], string[]] = [[], []];
    for (const { address, state, side } of this.#segments.hosts) if (state === "found") hosts[side].push(address);
    return { kind: "segment", section: this.wish.section, at: secondsSinceBoot(), hosts };
  }

  /** Takes in hosts that were known before a restart: they are asked for, and are where they were until they are silent. */
  restore({ hosts }: SegmentSignal): void {
    const nowMs = performance.now();
    for (const side of [0, 1] as const) {
      for (const address of hosts[side]) {
        this.#segments.present(address, side, nowMs);
        this.#segments.answered(address, side, nowMs);
      }
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    for (const timer of this.#timers) clearTimeout(timer);
    closeSync(this.#packets);
    this.#end.abort();
    for (const close of this.#ears) close?.();
    void this.#looking.then(() => this.#socket.close());
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#segments.tick(nowMs);
    if (nowMs - this.#linksMs < LINKS_MS) return;
    this.#linksMs = nowMs;
    // A link that goes while it is looked at is found gone the next time.
    this.#looking = this.#looking.then(() => this.#lookAtLinks()).catch(() => {});
  }

  async #lookAtLinks(): Promise<void> {
    if (this.#end.signal.aborted) return;
    const links = await this.#socket.listLinks();
    for (const side of [0, 1] as const) {
      const name = this.wish.links[side];
      const link = links.find((one) => one.name === name || one.altNames?.includes(name));
      const index = link !== undefined && hearsArp(link.type) ? link.index : 0;
      if (index === this.#indexes[side]) continue;
      this.#ears[side]?.();
      this.#ears[side] = undefined;
      this.#indexes[side] = index;
      this.#links[side] = link;
      if (index !== 0 && link) this.#ears[side] = hearArp(index, link.type, (heard) => this.#hear(heard, side));
    }
    const addresses = await this.#socket.listAddresses({ family: 4 });
    this.#own = new Set(addresses.map(({ address }) => address));
  }

  #hear({ sender, target }: ArpHeard, side: Side): void {
    const nowMs = performance.now();
    if (sender !== undefined && this.#isHost(sender)) this.#segments.present(sender, side, nowMs);
    if (target !== undefined && this.#isHost(target)) this.#segments.wanted(target, side, nowMs);
  }

  /** Neither the host's own nor one of no single host. */
  #isHost(address: string): boolean {
    const first = parseAddress(address)?.[0] ?? 0;
    return first !== 0 && first !== 127 && first < 224 && !this.#own.has(address);
  }

  async #listen(events: ReturnType<typeof watch>): Promise<void> {
    for await (const event of events) {
      if (event.type === "lost-sync" || event.object !== "neighbour") continue;
      const { index, destination, state, family, proxy } = event.message;
      const side = this.#indexes.indexOf(index) as Side | -1;
      if (side < 0 || family !== 4 || destination === undefined || proxy) continue;
      const nowMs = performance.now();
      if ((state & NEIGHBOUR_STATE.reachable) !== 0) this.#segments.answered(destination, side as Side, nowMs);
      else if ((state & NEIGHBOUR_STATE.failed) !== 0) this.#segments.failed(destination, side as Side, nowMs);
    }
  }

  #announceLater({ address, side }: SegmentHost, what: "found" | "moved"): void {
    for (const delayMs of ANNOUNCE_MS[what]) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#announce(address, side === 0 ? 1 : 0);
      }, delayMs).unref();
      this.#timers.add(timer);
    }
  }

  #announce(address: string, side: Side): void {
    const link = this.#links[side];
    const [own, broadcast, ip] = [bytesOf(link?.hardwareAddress), bytesOf(link?.broadcast), parseAddress(address)];
    if (!link || !own || !broadcast || !ip) return;
    // Gratuitous ARP: who has the address, asked by its holder (RFC 5227 section 3).
    const announcement = makeArpQuestion({ hardware: link.type, own, ip }, ip);
    if (!announcement) return;
    try {
      sendPacket(this.#packets, link.index, ARP_PROTOCOL, broadcast, announcement);
    } catch (error) {
      // A link that is down: whoever is there finds out by asking.
      if (!(error instanceof HostError)) throw error;
    }
  }

  /** Has the kernel ask: anew where it has an entry that counts, otherwise for the first time (neigh_add, net/core/neighbour.c). */
  async #ask(address: string, side: Side): Promise<void> {
    const index = this.#indexes[side];
    if (index === 0 || this.#end.signal.aborted) return;
    const entry = { family: 4 as const, index, destination: address, type: UNICAST };
    const probe = { ...entry, state: NEIGHBOUR_STATE.probe, flags: 0 };
    const use = { ...entry, state: 0, flags: NEIGHBOUR_FLAG.use };
    try {
      const [again] = await this.#socket.perform([
        { object: "neighbour", type: "new", flags: NLM_F.REPLACE, message: probe },
      ]);
      if (again === undefined) return;
      await this.#socket.perform([
        { object: "neighbour", type: "new", flags: NLM_F.CREATE | NLM_F.REPLACE, message: use },
      ]);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
    }
  }
}

function bytesOf(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16));
}
