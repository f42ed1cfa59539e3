// Owns what "several links in one subnet" means: which links, which of their addresses, and where those are sent.
import { addressBits, isLinkLocal, networkOf, parsePrefix } from "../model/ip.ts";
import type { Family } from "../model/ip.ts";
import type { HostPicture, PictureLink } from "../model/picture.ts";
import { rangeOf } from "../model/prefix.ts";
import type { Range } from "../model/prefix.ts";
import { ordinaryFlow } from "../explain/packet.ts";
import { decide } from "../explain/walk.ts";

/** An address of a link in a shared subnet. */
export interface Member {
  link: PictureLink;
  /** Without its length. */
  address: string;
}

/** A subnet that two or more links of the host are in. */
export interface SharedSubnet {
  family: Family;
  prefix: string;
  members: Member[];
  links: PictureLink[];
}

/** Where traffic goes that is bound to a member's address, and on whose word. */
export interface Way {
  member: Member;
  /** A rule that asks for this source address decides. */
  bySourceRule: boolean;
  /** Links of the route; empty where there is none. */
  links: string[];
}

/**
 * Subnets that links share which are up and route together. Link-local addresses, host addresses and addresses that
 * are not usable (yet) make no subnet.
 */
export function findSharedSubnets(picture: HostPicture): SharedSubnet[] {
  const all = new Map<string, SharedSubnet>();
  for (const link of picture.links) {
    if (!link.up || link.type === "loopback") continue;
    for (const spec of link.addresses) {
      const parts = parsePrefix(spec.address);
      if (!parts || spec.tentative || spec.dadFailed || isLinkLocal(parts.address)) continue;
      if ((spec.scope !== "global" && spec.scope !== "site") || parts.length === addressBits(parts.family)) continue;
      const prefix = networkOf(`${spec.peer ?? parts.address}/${parts.length}`);
      const name = `${link.vrf ?? ""} ${prefix}`;
      const shared = all.get(name) ?? { family: parts.family, prefix, members: [], links: [] };
      all.set(name, shared);
      shared.members.push({ link, address: parts.address });
      if (!shared.links.includes(link)) shared.links.push(link);
    }
  }
  return [...all.values()].filter((shared) => shared.links.length > 1);
}

/** The way of each member's traffic to its neighbours. */
export function findWays(picture: HostPicture, shared: SharedSubnet): Way[] {
  const to = somebodyElse(picture, shared.prefix);
  return shared.members.map((member) => {
    const answer = decide(picture, ordinaryFlow(to, member.address));
    const links = answer?.answer?.route?.hops.flatMap((hop) => hop.link ?? []) ?? [];
    return { member, bySourceRule: answer?.rule.from !== undefined, links };
  });
}

/** Whether each address has a source rule, and leaves by its own link alone. */
export function areSteered(ways: readonly Way[]): boolean {
  return ways.every(({ member, bySourceRule, links }) => bySourceRule && onlyBy(links, member.link.name));
}

/** Whether the only link of the way is this one. */
export function onlyBy(links: readonly string[], name: string): boolean {
  return links.length > 0 && links.every((link) => link === name);
}

/** Addresses of a subnet that are tried before one of the host's own is taken. */
const MOST_TRIED = 256n;

/** An address of the subnet that is not the host's own, where there is one among the first. */
function somebodyElse(picture: HostPicture, prefix: string): Range {
  const { family, network, length } = rangeOf(prefix);
  const bits = addressBits(family);
  const own = new Set<bigint>();
  for (const link of picture.links) {
    for (const { address } of link.addresses) own.add(rangeOf(address.split("/")[0] ?? "").network);
  }
  const host = (value: bigint): Range => ({ family, network: value, length: bits });
  const size = 1n << BigInt(bits - length);
  for (let i = 1n; i < size - 1n && i < MOST_TRIED; i++) if (!own.has(network + i)) return host(network + i);
  return host(network + size - 1n);
}
