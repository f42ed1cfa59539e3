// Owns the conversation with the kernel's routing tables: lists, look-ups and changes over one socket.
import { constants } from "node:os";
import type { Family } from "../../model/ip.ts";
import type { NamespaceFd } from "../native.ts";
import { decodeAddress, type AddressMessage } from "./address.ts";
import { perform, type Result } from "./batch.ts";
import { AF, RTM } from "./constants.ts";
import { dump } from "./dump.ts";
import { Line } from "./line.ts";
import { decodeLink, type LinkMessage } from "./link.ts";
import { lookUp, type Question } from "./lookup.ts";
import { decodeNeighbour, PROXY, type NeighbourMessage } from "./neighbour.ts";
import { decodeNexthop, type NexthopMessage } from "./nexthop.ts";
import { decodeBucket, type BucketMessage } from "./nexthop-bucket.ts";
import type { Request } from "./requests.ts";
import { decodeRoute, type RouteMessage } from "./route.ts";
import { decodeRule, type RuleMessage } from "./rule.ts";
import { decodeFilter, decodeQdisc, type FilterMessage, type QdiscMessage } from "./traffic-control.ts";
import { openTransport, type Transport, type TransportOptions } from "./transport.ts";

export interface FamilyFilter {
  /** Absent means both. */
  family?: Family;
}

export interface AddressFilter extends FamilyFilter {
  /** Index of the link. */
  index?: number;
}

export interface NeighbourFilter extends AddressFilter {
  /** Lists the proxy entries instead of the others; the kernel keeps them apart. */
  proxy?: boolean;
}

export interface RouteFilter extends FamilyFilter {
  table?: number;
  protocol?: number;
  /** Index of the link that the route leaves by. */
  oif?: number;
}

/**
 * A socket to the kernel's routing tables. Calls may overlap: they are served one after the other. Lists reject with
 * NetlinkError (also EAGAIN, when what is listed changed during every one of several attempts), MalformedMessage, or
 * the signal's reason. A socket with nothing to wait for does not keep the process alive.
 */
export interface RouteSocket {
  /** Port id, which events of this socket's own doings carry. */
  readonly port: number;
  listLinks(signal?: AbortSignal): Promise<LinkMessage[]>;
  listAddresses(filter?: AddressFilter, signal?: AbortSignal): Promise<AddressMessage[]>;
  listNeighbours(filter?: NeighbourFilter, signal?: AbortSignal): Promise<NeighbourMessage[]>;
  /** By rising id, groups among them. None on a kernel without nexthop objects (before 5.3). */
  listNexthops(signal?: AbortSignal): Promise<NexthopMessage[]>;
  /** Of all resilient groups, group by group. None on a kernel without those (before 5.13). */
  listBuckets(signal?: AbortSignal): Promise<BucketMessage[]>;
  /** IPv4 first. A table that is not there has no routes. */
  listRoutes(filter?: RouteFilter, signal?: AbortSignal): Promise<RouteMessage[]>;
  /** The same routes, each turned into something else, or left out, when it comes: a large table is never kept whole. */
  readRoutes<T>(read: (route: RouteMessage) => T | undefined, filter?: RouteFilter, signal?: AbortSignal): Promise<T[]>;
  /** In the kernel's order, IPv4 first. */
  listRules(filter?: FamilyFilter, signal?: AbortSignal): Promise<RuleMessage[]>;
  /** Of one link. */
  listQdiscs(index: number, signal?: AbortSignal): Promise<QdiscMessage[]>;
  /** At one hook of a link; none where the hook is not there. */
  listFilters(index: number, parent: number, signal?: AbortSignal): Promise<FilterMessage[]>;
  /** The route that the kernel would take. Rejects with NetlinkError: ENETUNREACH where there is none. */
  lookUp(question: Question): Promise<RouteMessage>;
  /**
   * Has the kernel do the requests, in order; one that fails does not stop those after it. For each, undefined when it
   * was done, or why it was not. Rejects with RangeError, having done nothing, when a value does not fit its field.
   */
  perform(requests: readonly Request[]): Promise<Result[]>;
  /** Closes the socket; calls that are not over reject. May be called any number of times. */
  close(): void;
}

export interface RouteSocketOptions {
  /** Descriptor of the network namespace; absent means the one of the process. It may be closed afterwards. */
  namespace?: NamespaceFd;
  /** Buffers to ask the kernel for, bytes; the defaults hold tens of thousands of answers. */
  receiveBuffer?: number;
  sendBuffer?: number;
}

/** Opens a socket. Throws HostError. */
export function openRouteSocket(options: RouteSocketOptions = {}): RouteSocket {
  const wanted: TransportOptions = options;
  return routeSocket(openTransport(wanted));
}

/** A socket over a transport of one's own, for tests. */
export function routeSocket(transport: Transport): RouteSocket {
  const line = new Line(transport);
  const readRoutes: RouteSocket["readRoutes"] = (read, filter = {}, signal) =>
    eachFamily(filter, (family) => dumpRoutes(line, family, read, filter, signal));
  return {
    port: transport.port,
    listLinks: (signal) => listLinks(line, signal),
    listAddresses: (filter = {}, signal) => eachFamily(filter, (family) => listAddresses(line, family, filter, signal)),
    listNeighbours: (filter = {}, signal) =>
      eachFamily(filter, (family) => listNeighbours(line, family, filter, signal)),
    listNexthops: (signal) => listNexthops(line, signal),
    listBuckets: (signal) => listBuckets(line, signal),
    listRoutes: (filter, signal) => readRoutes((route) => route, filter, signal),
    readRoutes,
    listRules: (filter = {}, signal) => eachFamily(filter, (family) => listRules(line, family, signal)),
    listQdiscs: (index, signal) => listQdiscs(line, index, signal),
    listFilters: (index, parent, signal) => listFilters(line, index, parent, signal),
    lookUp: (question) => lookUp(line, question),
    perform: (requests) => perform(line, requests),
    close: () => line.close(),
  };
}

/** Both families as two dumps: the kernel's "all families" adds MPLS and multicast forwarding, and filters less. */
async function eachFamily<T>(filter: FamilyFilter, list: (family: Family) => Promise<T[]>): Promise<T[]> {
  if (filter.family !== undefined) return list(filter.family);
  const first = await list(4);
  return first.concat(await list(6));
}

const IFLA_EXT_MASK = 29;
const SKIP_STATISTICS = 8;
const NDA_IFINDEX = 8;
const RTA_OIF = 4;
const RTA_TABLE = 15;

async function listLinks(line: Line, signal?: AbortSignal): Promise<LinkMessage[]> {
  return dump(
    line,
    {
      object: "links",
      type: RTM.link,
      encode(encoder, flags, sequence) {
        const header = encoder.message(RTM.link + 2, flags, sequence, 16);
        encoder.u32(IFLA_EXT_MASK, SKIP_STATISTICS);
        encoder.finish(header);
      },
      decode: decodeLink,
    },
    signal,
  );
}

async function listAddresses(
  line: Line,
  family: Family,
  { index }: AddressFilter,
  signal?: AbortSignal,
): Promise<AddressMessage[]> {
  return dump(
    line,
    {
      object: `IPv${family} addresses`,
      type: RTM.address,
      encode(encoder, flags, sequence) {
        const header = encoder.message(RTM.address + 2, flags, sequence, 8);
        encoder.setU8(header, AF[family]);
        if (index !== undefined) encoder.setU32(header + 4, index);
        encoder.finish(header);
      },
      decode: (packet, at, end) =>
        kept(decodeAddress(packet, at, end), (address) => index === undefined || address.index === index),
      none: [constants.errno.ENODEV],
    },
    signal,
  );
}

async function listNeighbours(
  line: Line,
  family: Family,
  { index, proxy = false }: NeighbourFilter,
  signal?: AbortSignal,
): Promise<NeighbourMessage[]> {
  return dump(
    line,
    {
      object: `IPv${family} ${proxy ? "proxy " : ""}neighbours`,
      type: RTM.neighbour,
      encode(encoder, flags, sequence) {
        const header = encoder.message(RTM.neighbour + 2, flags, sequence, 12);
        encoder.setU8(header, AF[family]);
        if (proxy) encoder.setU8(header + 10, PROXY);
        encoder.u32(NDA_IFINDEX, index);
        encoder.finish(header);
      },
      decode: (packet, at, end) =>
        kept(
          decodeNeighbour(packet, at, end),
          (neighbour) => (neighbour.proxy === true) === proxy && (index === undefined || neighbour.index === index),
        ),
    },
    signal,
  );
}

async function listNexthops(line: Line, signal?: AbortSignal): Promise<NexthopMessage[]> {
  return dump(
    line,
    {
      object: "nexthops",
      type: RTM.nexthop,
      encode(encoder, flags, sequence) {
        encoder.finish(encoder.message(RTM.nexthop + 2, flags, sequence, 8));
      },
      decode: decodeNexthop,
      none: [constants.errno.EOPNOTSUPP],
    },
    signal,
  );
}

async function listBuckets(line: Line, signal?: AbortSignal): Promise<BucketMessage[]> {
  return dump(
    line,
    {
      object: "buckets of nexthops",
      type: RTM.nexthopBucket,
      encode(encoder, flags, sequence) {
        encoder.finish(encoder.message(RTM.nexthopBucket + 2, flags, sequence, 8));
      },
      decode: decodeBucket,
      none: [constants.errno.EOPNOTSUPP],
    },
    signal,
  );
}

async function dumpRoutes<T>(
  line: Line,
  family: Family,
  read: (route: RouteMessage) => T | undefined,
  { table, protocol, oif }: RouteFilter,
  signal?: AbortSignal,
): Promise<T[]> {
  return dump(
    line,
    {
      object: `IPv${family} routes`,
      type: RTM.route,
      encode(encoder, flags, sequence) {
        const header = encoder.message(RTM.route + 2, flags, sequence, 12);
        encoder.setU8(header, AF[family]);
        if (protocol !== undefined) encoder.setU8(header + 5, protocol);
        encoder.u32(RTA_TABLE, table);
        encoder.u32(RTA_OIF, oif);
        encoder.finish(header);
      },
      decode(packet, at, end) {
        const route = decodeRoute(packet, at, end);
        if (route === undefined || (table !== undefined && route.table !== table)) return undefined;
        if (protocol !== undefined && route.protocol !== protocol) return undefined;
        return oif === undefined || leavesBy(route, oif) ? read(route) : undefined;
      },
      none: [constants.errno.ENOENT, constants.errno.ENODEV],
    },
    signal,
  );
}

function leavesBy(route: RouteMessage, oif: number): boolean {
  return route.oif === oif || route.hops?.some((hop) => hop.oif === oif) === true;
}

async function listRules(line: Line, family: Family, signal?: AbortSignal): Promise<RuleMessage[]> {
  return dump(
    line,
    {
      object: `IPv${family} rules`,
      type: RTM.rule,
      encode(encoder, flags, sequence) {
        const header = encoder.message(RTM.rule + 2, flags, sequence, 12);
        encoder.setU8(header, AF[family]);
        encoder.finish(header);
      },
      decode: decodeRule,
    },
    signal,
  );
}

async function listQdiscs(line: Line, index: number, signal?: AbortSignal): Promise<QdiscMessage[]> {
  return dump(
    line,
    {
      object: `qdiscs of link ${index}`,
      type: RTM.qdisc,
      encode(encoder, flags, sequence) {
        const header = encoder.message(RTM.qdisc + 2, flags, sequence, 20);
        encoder.setS32(header + 4, index);
        encoder.finish(header);
      },
      // The dump is of all links, whatever is asked for.
      decode: (packet, at, end) => kept(decodeQdisc(packet, at, end), (qdisc) => qdisc.index === index),
    },
    signal,
  );
}

async function listFilters(line: Line, index: number, parent: number, signal?: AbortSignal): Promise<FilterMessage[]> {
  return dump(
    line,
    {
      object: `filters of link ${index}`,
      type: RTM.filter,
      encode(encoder, flags, sequence) {
        const header = encoder.message(RTM.filter + 2, flags, sequence, 20);
        encoder.setS32(header + 4, index);
        encoder.setU32(header + 12, parent);
        encoder.finish(header);
      },
      decode: (packet, at, end) => kept(decodeFilter(packet, at, end), (filter) => filter.index === index),
      none: [constants.errno.ENODEV, constants.errno.EINVAL, constants.errno.ENOENT],
    },
    signal,
  );
}

/** The object if it passes: an old kernel answers a filter with everything. */
function kept<T>(object: T | undefined, passes: (object: T) => boolean): T | undefined {
  return object !== undefined && passes(object) ? object : undefined;
}
