// Owns how the kernel combines a switch of all links with that of one (include/linux/inetdevice.h).
import type { HostPicture } from "../model/picture.ts";

/** The switches of a link that a diagnosis reads, each of IPv4. */
export const LINK_SWITCHES = [
  "arp_announce",
  "arp_filter",
  "arp_ignore",
  "forwarding",
  "ignore_routes_with_linkdown",
  "rp_filter",
  "src_valid_mark",
] as const;

/** One of them. */
export type LinkSwitch = (typeof LINK_SWITCHES)[number];

/** The effective value for a link: the larger of "all" and its own (IN_DEV_MAXCONF); undefined when not known. */
export function largerOf(picture: HostPicture, link: string, name: LinkSwitch): number | undefined {
  const all = numberOf(picture, `net/ipv4/conf/all/${name}`);
  const own = numberOf(picture, `net/ipv4/conf/${link}/${name}`);
  return all === undefined || own === undefined ? undefined : Math.max(all, own);
}

/** The value of a sysctl as a number; undefined when it was not read. */
export function numberOf(picture: HostPicture, path: string): number | undefined {
  const value = picture.sysctls[path];
  return value === undefined || !/^-?\d+$/.test(value) ? undefined : Number(value);
}

/** The switch of a link in the words of sysctl(8), where dots of a link's name are slashes. */
export function setSwitch(link: string, name: LinkSwitch, value: number): string {
  return `sysctl -w net.ipv4.conf.${link.replaceAll(".", "/")}.${name}=${value}`;
}
