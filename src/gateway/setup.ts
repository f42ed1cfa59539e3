// Owns what a gateway of several needs to know to play its part: who it is, who the others are, what moves.
import type { Config } from "../config/config.ts";
import type { LinkFact } from "../model/facts.ts";
import { addressBits, familyOf, networkOf, parsePrefix, prefixContains } from "../model/ip.ts";
import type { ProbeTarget } from "../model/probe-target.ts";
import { findSelf, syncAddressOf } from "../roles/gateway/failover.ts";
import type { Failover, Gateway, GatewayNode } from "../roles/gateway/schema.ts";
import { listRange, sharesOf } from "../roles/gateway/shares.ts";

/** An address that moves, on the link where it belongs. */
export interface MovingAddress {
  link: string;
  address: string;
  /** Length of its prefix there. */
  length: number;
}

/** A share of the work: what one gateway at a time does. */
export interface ShareSetup {
  /** "alinat", or "alinat-2" where the section has several. */
  name: string;
  /** Number of its virtual router. */
  id: number;
  /** Priority of this node, 1–254: the higher, the more preferred. */
  priority: number;
  moving: MovingAddress[];
}

/** A section with failover, as this host sees it. */
export interface GatewaySetup {
  section: string;
  inside: string;
  outside: string;
  self: GatewayNode;
  peers: GatewayNode[];
  /** The link that connections are synchronised over. */
  syncLink: string;
  intervalMs: number;
  /** How long it has to be well before it takes its place again, ms; absent means that it does not. */
  returnMs?: number;
  uplink: ProbeTarget[];
  shares: ShareSetup[];
}

const DEFAULT_INTERVAL_MS = 20;
const DEFAULT_RETURN_MS = 30_000;

/** VRRP's highest priority but 255, which is for the owner of the address (RFC 5798 section 5.2.4). */
const HIGHEST_PRIORITY = 250;
/**
 * How much less the next node in line has. Of several that miss the active one, the next in line shall be first: a step is
 * 20/256 of the interval that it waits less (RFC 5798 section 6.1, Skew_Time).
 */
export const PRIORITY_STEP = 20;

/** The sections of a file in which this host is one of several gateways, by the links that it has. */
export function listGateways(config: Config, links: readonly LinkFact[]): GatewaySetup[] {
  return config.sections.flatMap((section): GatewaySetup[] => {
    if (section.role !== "gateway") return [];
    const gateway = section.value as Gateway;
    const { failover } = gateway;
    if (!failover) return [];
    const place = findSelf(
      failover,
      links.find(({ name }) => name === gateway.inside),
    );
    const self = failover.nodes[place ?? -1];
    if (place === undefined || !self) return [];
    return [setupOf(section.name, gateway, failover, place, self, links)];
  });
}

function setupOf(
  section: string,
  gateway: Gateway,
  failover: Failover,
  place: number,
  self: GatewayNode,
  links: readonly LinkFact[],
): GatewaySetup {
  const { inside, outside } = gateway;
  const { nodes, id, interval = DEFAULT_INTERVAL_MS, uplink = [] } = failover;
  const wait = failover.return ?? DEFAULT_RETURN_MS;
  const shares = sharesOf(gateway);
  return {
    section,
    inside,
    outside,
    self,
    peers: nodes.filter((node) => node !== self),
    syncLink: linkWith(links, syncAddressOf(self)) ?? inside,
    intervalMs: interval,
    ...(wait === "never" ? {} : { returnMs: wait }),
    uplink,
    shares: shares.map((share, index) => {
      // The second share prefers the second node, so that all of them have work.
      const turn = (place - index + nodes.length * shares.length) % nodes.length;
      return {
        name: shares.length > 1 ? `${section}-${index + 1}` : section,
        id: id + index,
        priority: HIGHEST_PRIORITY - turn * PRIORITY_STEP,
        moving: [
          ...share.addresses.map((address) => onLink(inside, address)),
          ...share.to
            .flatMap(({ first, last }) => listRange(first, last) ?? [])
            .map((address) => ({ link: outside, address, length: addressBits(familyOf(address)) })),
        ],
      };
    }),
  };
}

function onLink(link: string, prefix: string): MovingAddress {
  const parts = parsePrefix(prefix);
  if (!parts) throw new RangeError(`not an address: ${prefix}`);
  return { link, address: parts.address, length: parts.length };
}

/** The link that has an address, or whose subnet it is in. */
function linkWith(links: readonly LinkFact[], address: string): string | undefined {
  const has = (link: LinkFact): boolean =>
    link.addresses.some((spec) => parsePrefix(spec.address)?.address === address);
  const near = (link: LinkFact): boolean =>
    link.addresses.some(
      (spec) => spec.family === familyOf(address) && prefixContains(networkOf(spec.address), address),
    );
  return (links.find(has) ?? links.find(near))?.name;
}
