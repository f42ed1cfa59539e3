// Owns requests for changes: what may be asked of the kernel, as data, and how it becomes messages.
import { encodeAddress, type AddressMessage } from "./address.ts";
import { NLM_F, RTM } from "./constants.ts";
import type { Encoder } from "./encoder.ts";
import { encodeLink, type LinkMessage } from "./link.ts";
import { encodeNeighbour, type NeighbourMessage } from "./neighbour.ts";
import { encodeNexthop, encodeNexthopId, type NexthopMessage } from "./nexthop.ts";
import { encodeRoute, type RouteMessage } from "./route.ts";
import { encodeRule, type RuleMessage } from "./rule.ts";
import { encodeFilter, encodeQdisc, type FilterMessage, type QdiscMessage } from "./traffic-control.ts";

/** Flags of a "new" request, by what they do. A "delete" has none. */
export const VERB = {
  /** Make it; EEXIST when it is there. The only safe one on what others may own. */
  create: NLM_F.CREATE | NLM_F.EXCL,
  /** Make it, or take the place of what is there, whoever made that. */
  replace: NLM_F.CREATE | NLM_F.REPLACE,
  /** Change what is there; ENOENT when it is not. */
  change: NLM_F.REPLACE,
  /** Stand after routes of the same prefix and metric (IPv4), or become a further hop of them (IPv6). */
  append: NLM_F.CREATE | NLM_F.APPEND,
  /** Stand before routes of the same prefix and metric (IPv4); on IPv6 the same as append. */
  prepend: NLM_F.CREATE,
  /** Change what is there without making anything: links. */
  set: 0,
} as const;

interface Change<Object extends string, Message> {
  object: Object;
  type: "new" | "delete";
  /** NLM_F_* beside REQUEST and ACK, for which the socket cares: a VERB, or 0 to delete. */
  flags: number;
  message: Message;
}

export type RouteRequest = Change<"route", RouteMessage>;
export type RuleRequest = Change<"rule", RuleMessage>;
export type AddressRequest = Change<"address", AddressMessage>;
export type NeighbourRequest = Change<"neighbour", NeighbourMessage>;
/** To delete one, the id of the message counts. */
export type NexthopRequest = Change<"nexthop", NexthopMessage>;
export interface LinkRequest extends Change<"link", LinkMessage> {
  /** Which bits of the message's flags count; absent means none. */
  change?: number;
}

export type QdiscRequest = Change<"qdisc", QdiscMessage>;
export type FilterRequest = Change<"filter", FilterMessage>;

/** One change to ask the kernel for. */
export type Request =
  | RouteRequest
  | RuleRequest
  | AddressRequest
  | NeighbourRequest
  | NexthopRequest
  | LinkRequest
  | QdiscRequest
  | FilterRequest;

/** Appends the request as a message. Throws RangeError for a value that its field cannot hold. */
export function encodeRequest(encoder: Encoder, request: Request, sequence: number): void {
  const flags = NLM_F.REQUEST | request.flags;
  const type = RTM[request.object] + (request.type === "new" ? 0 : 1);
  switch (request.object) {
    case "route":
      return encodeRoute(encoder, type, flags, sequence, request.message);
    case "rule":
      return encodeRule(encoder, type, flags, sequence, request.message);
    case "address":
      return encodeAddress(encoder, type, flags, sequence, request.message);
    case "neighbour":
      return encodeNeighbour(encoder, type, flags, sequence, request.message);
    case "nexthop":
      return request.type === "new"
        ? encodeNexthop(encoder, type, flags, sequence, request.message)
        : encodeNexthopId(encoder, type, flags, sequence, request.message.id);
    case "link":
      return encodeLink(encoder, type, flags, sequence, request.message, request.change);
    case "qdisc":
      return encodeQdisc(encoder, type, flags, sequence, request.message);
    case "filter":
      return encodeFilter(encoder, type, flags, sequence, request.message);
  }
}

/** What a request is about, to stand in an error: "route 10.0.0.0/8 table 100". */
export function describeRequest(request: Request): string {
  switch (request.object) {
    case "route": {
      const { to, table, priority } = request.message;
      return `route ${to} table ${table}${priority === undefined ? "" : ` metric ${priority}`}`;
    }
    case "rule":
      return `IPv${request.message.family} rule of priority ${request.message.priority ?? "the kernel's choice"}`;
    case "address": {
      const { address, prefixLength, index } = request.message;
      return `address ${address}/${prefixLength} on link ${index}`;
    }
    case "neighbour": {
      const { proxy, destination, index } = request.message;
      return `${proxy === true ? "proxy " : ""}neighbour ${destination} on link ${index}`;
    }
    case "nexthop":
      return `nexthop ${request.message.id}`;
    case "link":
      return `link ${request.message.name ?? request.message.index}`;
    case "qdisc":
      return `qdisc ${request.message.kind} on link ${request.message.index}`;
    case "filter":
      return `filter ${request.message.name ?? request.message.kind} on link ${request.message.index}`;
  }
}
