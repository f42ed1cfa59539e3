// Owns what a diagnosis wants to see: sysctls and files, what they are for, and how a service shows that it is on.
import type { PictureWishes } from "../model/picture.ts";
import { LINK_SWITCHES } from "../explain/switches.ts";

/** Where systemd looks for its configuration, the strongest first (systemd.unit(5), networkd.conf(5)). */
export const NETWORKD_DIRECTORIES = ["/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"];

/** Written by systemd-networkd while it runs; the directory around it is there on hosts that never ran it. */
export const NETWORKD_STATE = "/run/systemd/netif/state";

/** What nftables.service loads: Debian's place, and Red Hat's. */
export const NFTABLES_FILES = ["/etc/nftables.conf", "/etc/sysconfig/nftables.conf"];

export const FIREWALLD_FILE = "/etc/firewalld/firewalld.conf";

/** What services restore with iptables-restore: Debian's places, and Red Hat's. */
export const IPTABLES_FILES = [
  "/etc/iptables/rules.v4",
  "/etc/iptables/rules.v6",
  "/etc/sysconfig/iptables",
  "/etc/sysconfig/ip6tables",
];

export const KEEPALIVED_FILE = "/etc/keepalived/keepalived.conf";

export const CONNTRACKD_FILE = "/etc/conntrackd/conntrackd.conf";

/** Services whose enabling matters. */
export const SERVICES = [
  "systemd-networkd.service",
  "nftables.service",
  "firewalld.service",
  "netfilter-persistent.service",
  "iptables.service",
  "ip6tables.service",
] as const;

/** One of them. */
export type Service = (typeof SERVICES)[number];

/** Whether a link in a target's folder makes the service start at boot. */
export function isEnabled(files: Readonly<Record<string, string>>, service: Service): boolean {
  return Object.keys(files).some((path) => /\.(wants|requires)\/[^/]+$/.test(path) && path.endsWith(`/${service}`));
}

/** What a diagnosis wants to see besides links, routes and rules. */
export const WISHES: PictureWishes = {
  sysctls: [
    ...LINK_SWITCHES.map((name) => `net/ipv4/conf/*/${name}`),
    "net/ipv6/conf/*/ignore_routes_with_linkdown",
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    ...["max", "count", "tcp_loose"].map((name) => `net/netfilter/nf_conntrack_${name}`),
  ],
  texts: [
    ...NFTABLES_FILES,
    FIREWALLD_FILE,
    ...IPTABLES_FILES,
    KEEPALIVED_FILE,
    CONNTRACKD_FILE,
    ...NETWORKD_DIRECTORIES.map((directory) => `${directory}/networkd.conf`),
  ],
  directories: NETWORKD_DIRECTORIES.map((directory) => `${directory}/networkd.conf.d`),
  markers: [NETWORKD_STATE],
  services: SERVICES,
  // Where `systemctl enable` makes its links, in a folder "*.wants" or "*.requires".
  unitDirectories: ["/etc/systemd/system", "/run/systemd/system"],
};
