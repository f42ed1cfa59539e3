// Owns what an explanation wants to see of a host besides its links, routes, rules and neighbours.
import type { PictureWishes } from "../model/picture.ts";
import { LINK_SWITCHES } from "./switches.ts";

/** Sysctls that decide where packets go. */
export const SYSCTLS: readonly string[] = [
  ...LINK_SWITCHES.map((name) => `net/ipv4/conf/*/${name}`),
  "net/ipv4/ip_forward",
  "net/ipv4/fib_multipath_use_neigh",
  "net/ipv6/conf/all/forwarding",
  "net/ipv6/conf/*/force_forwarding",
  "net/ipv6/conf/*/ignore_routes_with_linkdown",
  "net/ipv6/conf/*/use_oif_addrs_only",
  "net/ipv6/conf/*/use_tempaddr",
];

/** What a picture for an explanation holds: no files. */
export const WISHES: PictureWishes = {
  sysctls: SYSCTLS,
  texts: [],
  directories: [],
  markers: [],
  services: [],
  unitDirectories: [],
};
