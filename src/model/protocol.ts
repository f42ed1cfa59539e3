// Owns the numbers by which routes and rules say who made them (rtm_protocol, FRA_PROTOCOL), and what follows from them.
import { HEDDLE_PROTOCOL } from "./kinds.ts";

/** RTPROT_* (include/uapi/linux/rtnetlink.h) by the names of iproute2's rt_protos. */
const NAMES: Readonly<Record<number, string>> = {
  0: "unspec",
  1: "redirect",
  2: "kernel",
  3: "boot",
  4: "static",
  8: "gated",
  9: "ra",
  10: "mrt",
  11: "zebra",
  12: "bird",
  13: "dnrouted",
  14: "xorp",
  15: "ntk",
  16: "dhcp",
  17: "mrouted",
  18: "keepalived",
  42: "babel",
  84: "ovn",
  99: "openr",
  186: "bgp",
  187: "isis",
  188: "ospf",
  189: "rip",
  192: "eigrp",
  [HEDDLE_PROTOCOL]: "heddle",
};

/** What the kernel itself writes. */
export const KERNEL_PROTOCOL = 2;

/** Made, and made again, without anybody asking: by ICMP redirects, the kernel, router advertisements, DHCP. */
const MADE_BY_THEMSELVES: ReadonlySet<number> = new Set([1, KERNEL_PROTOCOL, 9, 16]);

/** What people, and the programs that do as people wrote, leave: unspec, boot (`ip route add`), static. */
const WRITTEN: ReadonlySet<number> = new Set([0, 3, 4]);

/** "static", or "protocol 200" where the number has no name. */
export function protocolName(protocol: number): string {
  return NAMES[protocol] ?? `protocol ${protocol}`;
}

/** Whether the kernel or a client of the network makes such objects, and would make them again. */
export function isMadeByItself(protocol: number): boolean {
  return MADE_BY_THEMSELVES.has(protocol);
}

/** Whether a routing daemon or the like keeps such objects: a number with a name that is nobody's hand. */
export function isOfDaemon(protocol: number): boolean {
  return (
    protocol in NAMES && !MADE_BY_THEMSELVES.has(protocol) && !WRITTEN.has(protocol) && protocol !== HEDDLE_PROTOCOL
  );
}

/** Whether such objects were written down by somebody once and for all. */
export function isWritten(protocol: number): boolean {
  return WRITTEN.has(protocol);
}
