// Owns events: what changes in the kernel's tables, as it changes, and the honest word when something was missed.
import { HostError } from "../error.ts";
import type { NamespaceFd } from "../native.ts";
import { decodeAddress, type AddressMessage } from "./address.ts";
import { HEADER_LENGTH, RTM } from "./constants.ts";
import { decodeLink, type LinkMessage } from "./link.ts";
import { decodeNeighbour, type NeighbourMessage } from "./neighbour.ts";
import { decodeNexthop, type NexthopMessage } from "./nexthop.ts";
import type { Packet } from "./packet.ts";
import { decodeRoute, type RouteMessage } from "./route.ts";
import { decodeRule, type RuleMessage } from "./rule.ts";
import { openTransport, type Receiver, type Transport } from "./transport.ts";

interface Changed<Object extends string, Message> {
  type: "new" | "del";
  object: Object;
  message: Message;
  /** Port id of the socket that asked for the change, often the pid of its process; 0 for the kernel's own doings. */
  by: number;
}

/**
 * An event. After "lost-sync" anything may have changed: look at everything again.
 */
export type NetlinkEvent =
  | Changed<"link", LinkMessage>
  | Changed<"address", AddressMessage>
  | Changed<"neighbour", NeighbourMessage>
  | Changed<"route", RouteMessage>
  | Changed<"rule", RuleMessage>
  | Changed<"nexthop", NexthopMessage>
  | { type: "lost-sync" };

export type WatchedObject = "link" | "address" | "neighbour" | "route" | "rule" | "nexthop";

/** Multicast groups, both families (RTNLGRP_*, linux/rtnetlink.h). */
const GROUPS: Readonly<Record<WatchedObject, readonly number[]>> = {
  link: [1],
  address: [5, 9],
  neighbour: [3],
  route: [7, 11],
  rule: [8, 19],
  nexthop: [32],
};

export interface WatchOptions {
  /** Descriptor of the network namespace; absent means the one of the process. It may be closed afterwards. */
  namespace?: NamespaceFd;
  groups: readonly WatchedObject[];
  /** Bytes of events that the kernel keeps for a busy process; 8 MiB hold some 10,000 routes. */
  receiveBuffer?: number;
  /** Events that wait to be taken; one more makes all of them one "lost-sync". */
  mostWaiting?: number;
  /** Whether to wait for events keeps the process alive. */
  keepAlive?: boolean;
  /** Classic BPF that says which datagrams the kernel passes on (event-filter.ts); absent means all. */
  filter?: Uint8Array;
}

/** Events as they come. */
export interface EventWatch extends AsyncIterableIterator<NetlinkEvent, undefined> {
  /** Puts another filter in the place of the last one. Throws HostError. */
  filter(program: Uint8Array): void;
}

/**
 * Watches from the moment of the call, so that a list made afterwards misses nothing. Ends, without an error, when
 * the signal is aborted or the consumer leaves its loop. One consumer. Throws HostError.
 */
export function watch(options: WatchOptions, signal?: AbortSignal): EventWatch {
  const { namespace, receiveBuffer } = options;
  const transport = openTransport({
    groups: options.groups.flatMap((object) => GROUPS[object]),
    ...(namespace !== undefined && { namespace }),
    ...(receiveBuffer !== undefined && { receiveBuffer }),
  });
  return watchTransport(transport, options, signal);
}

/** Watches over a transport of one's own, for tests. */
export function watchTransport(
  transport: Transport,
  options: Pick<WatchOptions, "mostWaiting" | "keepAlive" | "filter">,
  signal?: AbortSignal,
): EventWatch {
  const watcher = new Watcher(transport, options.mostWaiting ?? 10_000);
  if (options.filter) watcher.filter(options.filter);
  if (options.keepAlive === true) transport.hold(true);
  watcher.endWith(signal);
  return watcher;
}

/** Watchers that someone may wait on: a promise alone would not keep one from being collected as garbage. */
const active = new Set<Watcher>();

type Next = IteratorResult<NetlinkEvent, undefined>;

class Watcher implements EventWatch, Receiver {
  readonly #transport: Transport;
  readonly #mostWaiting: number;
  #events: NetlinkEvent[] = [];
  #takers: ((next: Next) => void)[] = [];
  #ended = false;
  #forgetSignal: (() => void) | undefined;

  constructor(transport: Transport, mostWaiting: number) {
    this.#transport = transport;
    this.#mostWaiting = mostWaiting;
    transport.receiver = this;
    active.add(this);
  }

  endWith(signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) return this.end();
    const end = () => this.end();
    signal?.addEventListener("abort", end, { once: true });
    this.#forgetSignal = () => signal?.removeEventListener("abort", end);
  }

  filter(program: Uint8Array): void {
    const answer = this.#transport.filter(program);
    if (answer < 0) throw new HostError({ errno: answer, object: "filter of events" });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Next> {
    const event = this.#events.shift();
    if (event !== undefined) return { done: false, value: event };
    if (this.#ended) return { done: true, value: undefined };
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  async return(): Promise<Next> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  end(): void {
    this.#ended = true;
    this.#events = [];
    this.#forgetSignal?.();
    active.delete(this);
    this.#transport.close();
    for (const take of this.#takers.splice(0)) take({ done: true, value: undefined });
  }

  datagram(packet: Packet, at: number, end: number): void {
    while (end - at >= HEADER_LENGTH) {
      const length = packet.view.getUint32(at, true);
      // What cannot be read may have been anything.
      if (length < HEADER_LENGTH || length > end - at) return this.#lose();
      const type = packet.view.getUint16(at + 4, true);
      try {
        const event = decodeEvent(packet, type, at + HEADER_LENGTH, at + length);
        if (event !== undefined) this.#put(event);
      } catch {
        this.#lose();
      }
      at += (length + 3) & ~3;
    }
  }

  trouble(): void {
    this.#lose();
  }

  #lose(): void {
    if (this.#events.at(-1)?.type !== "lost-sync") this.#put({ type: "lost-sync" });
  }

  #put(event: NetlinkEvent): void {
    if (this.#ended) return;
    const take = this.#takers.shift();
    if (take !== undefined) take({ done: false, value: event });
    else if (this.#events.length < this.#mostWaiting) this.#events.push(event);
    else this.#events = [{ type: "lost-sync" }];
  }
}

/** undefined for what is no object of ours: another family, another kind of message. */
function decodeEvent(packet: Packet, type: number, at: number, end: number): NetlinkEvent | undefined {
  const change = (type & 3) === 0 ? "new" : (type & 3) === 1 ? "del" : undefined;
  if (change === undefined) return undefined;
  const by = packet.view.getUint32(at - HEADER_LENGTH + 12, true);
  switch (type & ~3) {
    case RTM.link:
      return event(change, by, "link", decodeLink(packet, at, end));
    case RTM.address:
      return event(change, by, "address", decodeAddress(packet, at, end));
    case RTM.neighbour:
      return event(change, by, "neighbour", decodeNeighbour(packet, at, end));
    case RTM.route:
      return event(change, by, "route", decodeRoute(packet, at, end));
    case RTM.rule:
      return event(change, by, "rule", decodeRule(packet, at, end));
    case RTM.nexthop:
      return event(change, by, "nexthop", decodeNexthop(packet, at, end));
    default:
      return undefined;
  }
}

function event<Object extends string, Message>(
  type: "new" | "del",
  by: number,
  object: Object,
  message: Message | undefined,
): Changed<Object, Message> | undefined {
  return message === undefined ? undefined : { type, object, message, by };
}
