// Owns the watching of two segments of one subnet: hosts are heard by what they ask, and asked for by the kernel, whatever
// sort the links are of; claims of IPv6 addresses are passed on from one to the other.
import { closeSync } from "node:fs";
import { HostError } from "../error.ts";
import { openPacketSocket, OWN_NAMESPACE, sendPacket } from "../native.ts";
import { familyOf, isHostAddress, parseAddress } from "../../model/ip.ts";
import type { SegmentSignal, SegmentWish } from "../../model/signals.ts";
import { makeAnnouncement } from "../../probes/announcement.ts";
import { Claims } from "../../probes/claims.ts";
import { makeClaim } from "../../probes/nd.ts";
import type { LinkLayer, LinkPacket, NeighbourHeard } from "../../probes/nd.ts";
import { Segments } from "../../probes/segments.ts";
import type { SegmentHost, Side } from "../../probes/segments.ts";
import { openRouteSocket } from "../netlink/client.ts";
import type { RouteSocket } from "../netlink/client.ts";
import type { LinkMessage } from "../netlink/link.ts";
import { NLM_F } from "../netlink/constants.ts";
import { NEIGHBOUR_FLAG, NEIGHBOUR_STATE } from "../netlink/neighbour.ts";
import { watch } from "../netlink/watch.ts";
import { secondsSinceBoot } from "../signals.ts";
import { parseHex } from "../netlink/text.ts";
import { hearNeighbours, hearsNeighbours } from "./neighbour-ears.ts";

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
  readonly #claims = new Claims();
  readonly #socket: RouteSocket;
  readonly #end = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #packets = openPacketSocket(OWN_NAMESPACE);
  /** By side: the link's index while it is heard, and the link. */
  readonly #indexes: [number, number] = [0, 0];
  readonly #links: [LinkMessage | undefined, LinkMessage | undefined] = [undefined, undefined];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ears: [(() => void)[], (() => void)[]] = [[], []];
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
    for (const close of this.#ears.flat()) close();
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
      const index = link !== undefined && hearsNeighbours(link.type) ? link.index : 0;
      if (index === this.#indexes[side]) continue;
      for (const close of this.#ears[side].splice(0)) close();
      this.#indexes[side] = index;
      this.#links[side] = link;
      if (index === 0 || !link) continue;
      for (const family of this.wish.families) {
        this.#ears[side].push(hearNeighbours(link, family, (heard) => this.#hear(heard, side)));
      }
    }
    const addresses = await this.#socket.listAddresses();
    this.#own = new Set(addresses.map(({ address }) => address));
  }

  #hear({ present, wanted, claimed, nonce }: NeighbourHeard, side: Side): void {
    const nowMs = performance.now();
    const far = other(side);
    if (present !== undefined && this.#isHost(present)) {
      this.#segments.present(present, side, nowMs);
      if (this.#claims.objects(present, side, nowMs)) this.#announce(present, far);
    }
    if (wanted !== undefined && this.#isHost(wanted)) this.#segments.wanted(wanted, side, nowMs);
    if (claimed === undefined || !this.#isHost(claimed) || !this.#claims.claimed(claimed, side, nowMs)) return;
    this.#send(far, (link) => makeClaim(link, parseAddress(claimed) as Uint8Array, nonce));
  }

  #isHost(address: string): boolean {
    return isHostAddress(address) && !this.#own.has(address);
  }

  async #listen(events: ReturnType<typeof watch>): Promise<void> {
    for await (const event of events) {
      if (event.type === "lost-sync" || event.object !== "neighbour") continue;
      const { index, destination, state, family, proxy } = event.message;
      const side = this.#indexes.indexOf(index) as Side | -1;
      if (side < 0 || !this.wish.families.includes(family) || destination === undefined || proxy) continue;
      const nowMs = performance.now();
      if ((state & NEIGHBOUR_STATE.reachable) !== 0) this.#segments.answered(destination, side as Side, nowMs);
      else if ((state & NEIGHBOUR_STATE.failed) !== 0) this.#segments.failed(destination, side as Side, nowMs);
    }
  }

  #announceLater({ address, side }: SegmentHost, what: "found" | "moved"): void {
    for (const delayMs of ANNOUNCE_MS[what]) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#announce(address, other(side));
      }, delayMs).unref();
      this.#timers.add(timer);
    }
  }

  #announce(address: string, side: Side): void {
    this.#send(side, (link) => makeAnnouncement(link, parseAddress(address) as Uint8Array, "host"));
  }

  /** Sends what is made for a link, where there is one and it has such packets. */
  #send(side: Side, make: (link: LinkLayer) => LinkPacket | undefined): void {
    const { hardwareAddress, broadcast, type = 0, index = 0 } = this.#links[side] ?? {};
    if (hardwareAddress === undefined || broadcast === undefined) return;
    const packet = make({ hardware: type, own: parseHex(hardwareAddress), broadcast: parseHex(broadcast) });
    if (!packet) return;
    try {
      sendPacket(this.#packets, index, packet.protocol, packet.to, packet.bytes);
    } catch (error) {
      // A link that is down: whoever is there finds out by asking.
      if (!(error instanceof HostError)) throw error;
    }
  }

  /** Has the kernel ask: anew where it has an entry that counts, otherwise for the first time (neigh_add, net/core/neighbour.c). */
  async #ask(address: string, side: Side): Promise<void> {
    const index = this.#indexes[side];
    if (index === 0 || this.#end.signal.aborted) return;
    const entry = { family: familyOf(address), index, destination: address, type: UNICAST };
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

function other(side: Side): Side {
  return side === 0 ? 1 : 0;
}
