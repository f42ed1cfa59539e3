// Owns the packets by which a link tells its neighbours that an address is here now: gratuitous ARP, and what IPv6 has
// in its place.
import { ARP_PROTOCOL, makeArpQuestion } from "./arp.ts";
import { FLAG, makeAdvertisement } from "./nd.ts";
import type { LinkLayer, LinkPacket } from "./nd.ts";

/**
 * What the holder of an address is: hosts forget a default route by way of an address that is a router's no longer (RFC 4861
 * section 7.2.5). IPv4 does not tell.
 */
export type HolderKind = "router" | "host";

/** The announcement of an address, which every neighbour that knows it takes to heart; undefined for links without any. */
export function makeAnnouncement(link: LinkLayer, ip: Uint8Array, holder: HolderKind): LinkPacket | undefined {
  if (ip.length === 4) return makeGratuitousArp(link, ip);
  return makeAdvertisement(link, ip, FLAG.override | (holder === "router" ? FLAG.router : 0));
}

/** A request for the address by the address itself (RFC 5227 section 3). */
function makeGratuitousArp({ hardware, own, broadcast }: LinkLayer, ip: Uint8Array): LinkPacket | undefined {
  const bytes = makeArpQuestion({ hardware, own, ip }, ip);
  return bytes && { protocol: ARP_PROTOCOL, to: broadcast, bytes };
}
