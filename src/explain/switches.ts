// Owns how the kernel combines a switch of all links with that of one (include/linux/inetdevice.h).
import type { Family } from "../model/ip.ts";
import type { HostPicture } from "../model/picture.ts";

/** As much of a picture as holds switches. */
type Switches = Pick<HostPicture, "sysctls">;

/** The switches of a link that a diagnosis reads, each of IPv4. */
export const LINK_SWITCHES = [
  "accept_local",
  "arp_announce",
  "arp_filter",
  "arp_ignore",
  "forwarding",
  "ignore_routes_with_linkdown",
  "route_localnet",
  "rp_filter",
  "src_valid_mark",
] as const;

/** One of them. */
export type LinkSwitch = (typeof LINK_SWITCHES)[number];

/** The effective value for a link: the larger of "all" and its own (IN_DEV_MAXCONF); undefined when not known. */
export function largerOf(picture: Switches, link: string, name: LinkSwitch): number | undefined {
  const all = numberOf(picture, `net/ipv4/conf/all/${name}`);
  const own = numberOf(picture, `net/ipv4/conf/${link}/${name}`);
  return all === undefined || own === undefined ? undefined : Math.max(all, own);
}

/**
 * Whether routes by a link without carrier are passed over: IPv4 asks the switch of all links too, IPv6 only the link's own
 * (IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN, ip6_ignore_linkdown; measured on 6.18). Undefined when not known.
 */
export function ignoresLinkdown(picture: Switches, family: Family, link: string): boolean | undefined {
  if (family === 4) {
    const value = largerOf(picture, link, "ignore_routes_with_linkdown");
    return value === undefined ? undefined : value > 0;
  }
  const own = numberOf(picture, `net/ipv6/conf/${link}/ignore_routes_with_linkdown`);
  return own === undefined ? undefined : own > 0;
}

/** The value of a sysctl as a number; undefined when it was not read. */
export function numberOf(picture: Switches, path: string): number | undefined {
  const value = picture.sysctls[path];
  return value === undefined || !/^-?\d+$/.test(value) ? undefined : Number(value);
}

/** The switch of a link in the words of sysctl(8), where dots of a link's name are slashes. */
export function setSwitch(link: string, name: LinkSwitch, value: number): string {
  return `sysctl -w net.ipv4.conf.${link.replaceAll(".", "/")}.${name}=${value}`;
}
