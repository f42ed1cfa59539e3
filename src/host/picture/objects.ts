// Owns the translation of the kernel's messages into a picture: specs as heddle says them, with the kernel's marks.
import type {
  GroupBuckets,
  PictureAddress,
  PictureHop,
  PictureLink,
  PictureNeighbour,
  PictureRoute,
  PictureRule,
  ReachState,
} from "../../model/picture.ts";
import type { AddressSpec } from "../../model/kinds.ts";
import { linkFromMessage } from "../kinds/facts-message.ts";
import type { LinkNames } from "../kinds/link-names.ts";
import { routeFromMessage } from "../kinds/route-message.ts";
import { ruleFromMessage } from "../kinds/rule-message.ts";
import { ADDRESS_FLAG } from "../netlink/address.ts";
import type { AddressMessage } from "../netlink/address.ts";
import { HOP_FLAG } from "../netlink/hops.ts";
import { LINK_FLAG } from "../netlink/link.ts";
import type { LinkMessage } from "../netlink/link.ts";
import { NEIGHBOUR_STATE } from "../netlink/neighbour.ts";
import type { NeighbourMessage } from "../netlink/neighbour.ts";
import type { BucketMessage } from "../netlink/nexthop-bucket.ts";
import type { RouteMessage } from "../netlink/route.ts";
import { RULE_FLAG } from "../netlink/rule.ts";
import type { RuleMessage } from "../netlink/rule.ts";

/** A link with its addresses. `names` tells the names of all links by index. */
export function pictureLink(
  message: LinkMessage,
  addresses: readonly AddressMessage[],
  names: ReadonlyMap<number, string>,
  driver?: string,
): PictureLink {
  const vrf = message.masterKind === "vrf" ? names.get(message.master ?? 0) : undefined;
  const mode = message.kind === "ipoib" ? ipoibMode(message.kindAttributes) : undefined;
  const vrfTable = message.kind === "vrf" ? attributeOf(message.kindAttributes, VRF_TABLE, 4) : undefined;
  const fact = linkFromMessage(message, addresses, driver, names);
  return {
    ...fact,
    ...((message.flags & LINK_FLAG.noarp) === 0 ? {} : { noArp: true }),
    ...(vrf === undefined ? {} : { vrf }),
    ...(vrfTable === undefined ? {} : { vrfTable }),
    ...(message.group === undefined || message.group === 0 ? {} : { group: message.group }),
    ...(mode === undefined ? {} : { ipoibMode: mode }),
    addresses: fact.addresses.map((spec, i) => pictureAddress(spec, addresses[i]?.flags ?? 0)),
  };
}

function pictureAddress(spec: AddressSpec, flags: number): PictureAddress {
  const is = (flag: number): boolean => spec.family === 6 && (flags & flag) !== 0;
  return {
    ...spec,
    ...(is(ADDRESS_FLAG.dadFailed) ? { dadFailed: true } : {}),
    ...(is(ADDRESS_FLAG.deprecated) ? { deprecated: true } : {}),
    ...(is(ADDRESS_FLAG.secondary) ? { temporary: true } : {}),
    ...(is(ADDRESS_FLAG.optimistic) ? { optimistic: true } : {}),
  };
}

/** IFLA_VRF_TABLE (include/uapi/linux/if_link.h), 32 bits. */
const VRF_TABLE = 1;

/** IFLA_IPOIB_MODE (include/uapi/linux/if_link.h): 0 datagram, 1 connected, as an attribute of 16 bits. */
const IPOIB_MODE = 2;

/** The mode that IFLA_INFO_DATA of an IPoIB link tells; undefined when it tells none that is known. */
export function ipoibMode(attributes: Uint8Array | undefined): PictureLink["ipoibMode"] {
  return modeOf(attributeOf(attributes, IPOIB_MODE, 2));
}

/** The number in an attribute of IFLA_INFO_DATA; undefined when it is not there, or the attributes are broken. */
function attributeOf(attributes: Uint8Array | undefined, type: number, bytes: 2 | 4): number | undefined {
  if (!attributes) return undefined;
  const view = new DataView(attributes.buffer, attributes.byteOffset, attributes.byteLength);
  for (let at = 0; at + 4 <= view.byteLength;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > view.byteLength) return undefined;
    if ((view.getUint16(at + 2, true) & 0x3fff) === type && length >= 4 + bytes) {
      return bytes === 2 ? view.getUint16(at + 4, true) : view.getUint32(at + 4, true);
    }
    at += (length + 3) & ~3;
  }
  return undefined;
}

function modeOf(number: number | undefined): PictureLink["ipoibMode"] {
  return number === 0 ? "datagram" : number === 1 ? "connected" : undefined;
}

/** A route with all of its hops; undefined for a cached exception and for a type without a name. */
export function pictureRoute(message: RouteMessage, links: LinkNames): PictureRoute | undefined {
  const spec = routeFromMessage(message, links);
  if (!spec) return undefined;
  const answersItself = ["blackhole", "unreachable", "prohibit", "throw"].includes(spec.type);
  return { ...spec, hops: answersItself ? [] : hopsOf(message, links) };
}

function hopsOf(message: RouteMessage, links: LinkNames): PictureHop[] {
  if (message.hops !== undefined) return message.hops.map((hop) => pictureHop({ ...hop }, links));
  const { oif, gateway, flags, onlink } = message;
  if (oif === undefined && gateway === undefined) return [];
  return [
    pictureHop(
      { oif: oif ?? 0, weight: 1, flags, ...(gateway === undefined ? {} : { gateway }), ...(onlink ? { onlink } : {}) },
      links,
    ),
  ];
}

function pictureHop(
  hop: { oif: number; weight: number; flags: number; gateway?: string; onlink?: true },
  links: LinkNames,
): PictureHop {
  const { oif, weight, flags, gateway, onlink } = hop;
  return {
    ...(oif === 0 ? {} : { link: links.name(oif) }),
    ...(gateway === undefined ? {} : { via: gateway }),
    ...(onlink ? { onlink } : {}),
    ...(weight === 1 ? {} : { weight }),
    ...((flags & HOP_FLAG.dead) === 0 ? {} : { dead: true }),
    ...((flags & HOP_FLAG.linkdown) === 0 ? {} : { linkdown: true }),
  };
}

/** An entry of a neighbour table; undefined for one of another sort, such as a proxy's. */
export function pictureNeighbour(message: NeighbourMessage, links: LinkNames): PictureNeighbour | undefined {
  const { family, index, destination, hardwareAddress, state, proxy } = message;
  if (proxy || destination === undefined) return undefined;
  const [name] = Object.entries(NEIGHBOUR_STATE).find(([, bit]) => (state & bit) !== 0) ?? ["none"];
  return {
    family,
    link: links.name(index),
    address: destination,
    state: name as ReachState,
    ...(hardwareAddress === undefined ? {} : { hardwareAddress }),
  };
}

/** How many buckets of each resilient group lead to each nexthop: by rising ids. */
export function countBuckets(messages: readonly BucketMessage[]): GroupBuckets[] {
  const groups = new Map<number, Map<number, number>>();
  for (const { group, nexthop } of messages) {
    const counts = groups.get(group) ?? new Map<number, number>();
    groups.set(group, counts);
    counts.set(nexthop, (counts.get(nexthop) ?? 0) + 1);
  }
  const byFirst = ([a]: [number, unknown], [b]: [number, unknown]): number => a - b;
  return [...groups].sort(byFirst).map(([group, counts]) => ({
    group,
    nexthops: [...counts].sort(byFirst).map(([id, buckets]) => ({ id, buckets })),
  }));
}

/** A rule; undefined for an action without a name. */
export function pictureRule(message: RuleMessage): PictureRule | undefined {
  const spec = ruleFromMessage(message);
  if (!spec) return undefined;
  return {
    ...spec,
    ...((message.flags & RULE_FLAG.unresolved) === 0 ? {} : { unresolved: true }),
    ...((message.flags & RULE_FLAG.iifDetached) === 0 ? {} : { iifDetached: true }),
    ...((message.flags & RULE_FLAG.oifDetached) === 0 ? {} : { oifDetached: true }),
    ...(asksForMore(message) ? { partial: true } : {}),
  };
}

/** Whether the rule matches by something that specs have no word for; a mask of all bits is none. */
function asksForMore(message: RuleMessage): boolean {
  const { sourcePortMask = 0xffff, destinationPortMask = 0xffff, dscpMask = 0x3f, flowLabel, unknown } = message;
  const masked = sourcePortMask !== 0xffff || destinationPortMask !== 0xffff || dscpMask !== 0x3f;
  return masked || flowLabel !== undefined || (unknown?.length ?? 0) > 0;
}
