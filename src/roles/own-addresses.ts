// Owns the question which addresses of a link its traffic can have as a source, and which subnets they are in.
import type { LinkFact } from "../model/facts.ts";
import { addressBits, networkOf, parsePrefix, prefixContains } from "../model/ip.ts";
import type { Family } from "../model/ip.ts";
import type { AddressSpec } from "../model/kinds.ts";

/** An address of a link that a peer can use. */
export interface OwnAddress {
  family: Family;
  address: string;
  /** Its subnet; absent for an address that stands alone (/32, /128). */
  subnet?: string;
}

/** Whether a peer beyond the link can use it; others are none of a role's business, and nothing waits for them. */
export function isForPeers({ scope }: AddressSpec): boolean {
  return scope === "global" || scope === "site";
}

/** Not link-local, not a host's own, not still being probed for duplicates; in the kernel's order. */
export function ownAddresses(link: LinkFact): OwnAddress[] {
  return link.addresses
    .filter((spec) => isForPeers(spec) && !spec.tentative)
    .map((spec: AddressSpec) => {
      const parts = parsePrefix(spec.address);
      if (!parts) throw new RangeError(`not an address: ${spec.address}`);
      const alone = parts.length === addressBits(parts.family) && spec.peer === undefined;
      const subnet = alone ? {} : { subnet: networkOf(`${spec.peer ?? parts.address}/${parts.length}`) };
      return { family: parts.family, address: parts.address, ...subnet };
    });
}

/** The address that a link has in the subnet of a far end: as whom the far end knows this host. */
export function askerOf(links: readonly LinkFact[], link: string, via: string): string | undefined {
  const found = links.find(({ name, altNames }) => name === link || altNames?.includes(link));
  const near = found && ownAddresses(found).find(({ subnet }) => subnet !== undefined && prefixContains(subnet, via));
  return near?.address;
}

/** Subnets of the link's own link-local IPv6 addresses, also of one that is being probed: its peers are in them. */
export function linkLocalSubnets(link: LinkFact): string[] {
  const own = link.addresses.filter(({ family, scope }) => family === 6 && scope === "link");
  return [...new Set(own.map(({ address }) => networkOf(address)))];
}
