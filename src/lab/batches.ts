// Owns what a topology means in iproute2's words: batches of commands, each line with its place in the file. Pure.
import { parsePrefix } from "../model/ip.ts";
import { hardwareAddress, hostNamespace, portName, switchNamespace } from "./names.ts";
import type { LinkPlace } from "./schema.ts";
import type { Topology } from "./topology.ts";
import type { Path } from "./yaml-source.ts";

/** One line of a batch and the part of the topology that wants it. */
export interface BatchLine {
  line: string;
  path: Path;
}

/** A link of a host with everything that the topology says or implies about it. */
export interface PlacedLink {
  host: string;
  name: string;
  place: LinkPlace;
  /** The switch's end. */
  port: string;
  mac: string;
  mtu: number;
}

const ETHERNET_MTU = 1500;

/** Every link of the topology, in its order. */
export function placeLinks(topology: Topology): PlacedLink[] {
  return Object.entries(topology.hosts).flatMap(([host, { links }], hostIndex) =>
    Object.entries(links).map(([name, place], linkIndex) => ({
      host,
      name,
      place,
      port: portName(hostIndex, linkIndex),
      mac: place.mac ?? hardwareAddress(hostIndex, linkIndex),
      mtu: place.mtu ?? topology.segments[place.segment]?.mtu ?? ETHERNET_MTU,
    })),
  );
}

/** Names of the lab's namespaces: the switch first, then the hosts. */
export function namespacesOf(topology: Topology, lab: string): string[] {
  return [switchNamespace(lab), ...Object.keys(topology.hosts).map((host) => hostNamespace(lab, host))];
}

/**
 * For `ip -n <switch> -batch -`: bridges, and a veth for every link whose far end is in the host's namespace. A bridge
 * learns and floods at once (no spanning tree) and treats multicast as a plain switch does (no snooping).
 */
export function switchBatch(topology: Topology, lab: string): BatchLine[] {
  const bridges = Object.entries(topology.segments).flatMap(([name, { mtu }]) => {
    const path = ["segments", name];
    const size = mtu === undefined ? "" : ` mtu ${mtu}`;
    return [
      { line: `link add name ${name}${size} type bridge stp_state 0 mcast_snooping 0`, path },
      { line: `link set dev ${name} up`, path },
    ];
  });
  return [...bridges, ...placeLinks(topology).flatMap((link) => vethBatch(link, lab))];
}

/** The lines that make one veth and plug it into its bridge. */
export function vethBatch(link: PlacedLink, lab: string): BatchLine[] {
  const { host, name, port, mac, mtu, place } = link;
  const path = ["hosts", host, "links", name];
  const far = `peer name ${name} address ${mac} mtu ${mtu} netns ${hostNamespace(lab, host)}`;
  return [
    { line: `link add name ${port} mtu ${mtu} type veth ${far}`, path },
    { line: `link set dev ${port} master ${place.segment} alias "${host} ${name}" up`, path },
  ];
}

/** For `ip -n <host> -batch -`: links up, addresses on. */
export function linkBatch(topology: Topology, host: string): BatchLine[] {
  const links = Object.entries(topology.hosts[host]?.links ?? {});
  return [
    { line: "link set dev lo up", path: ["hosts", host] },
    ...links.flatMap(([name, { up, addresses }]) => {
      const path = ["hosts", host, "links", name];
      return [
        ...(up === false ? [] : [{ line: `link set dev ${name} up`, path }]),
        ...(addresses ?? []).map((address, index) => ({
          line: `address add ${address} dev ${name}${address.includes(":") ? " nodad" : ""}`,
          path: [...path, "addresses", index],
        })),
      ];
    }),
  ];
}

/** For `ip -4 -n <host> -batch -` and `ip -6 …`: the host's own routes and rules, of the family that their words imply. */
export function routingBatch(topology: Topology, host: string, family: 4 | 6): BatchLine[] {
  const lines = (kind: "routes" | "rules", object: string): BatchLine[] =>
    (topology.hosts[host]?.[kind] ?? []).flatMap((text, index) => {
      const words = text.split(/\s+/).filter((word) => word !== "");
      const plain = words[0] === "-4" || words[0] === "-6" ? words.slice(1) : words;
      const line = `${object} add ${plain.join(" ")}`;
      return familyOfWords(words) === family ? [{ line, path: ["hosts", host, kind, index] }] : [];
    });
  return [...lines("routes", "route"), ...lines("rules", "rule")];
}

/** The family that somebody means: "-4" or "-6" in front, otherwise 6 when some word is an IPv6 prefix. */
function familyOfWords(words: readonly string[]): 4 | 6 {
  if (words[0] === "-6") return 6;
  if (words[0] === "-4") return 4;
  return words.some((word) => parsePrefix(word)?.family === 6) ? 6 : 4;
}

/**
 * What a new namespace has to begin with, as arguments of sysctl(8). IPv4's values come from the machine that runs
 * the lab (net.core.devconf_inherit_init_net), so they are set to the kernel's own defaults: a lab has to behave the
 * same everywhere. IPv6 neither waits for duplicate addresses nor asks for routers that no lab has.
 */
export const HOST_BASELINE: readonly string[] = [
  "net/ipv4/ip_forward=0",
  ...["all", "default"].flatMap((scope) =>
    ["rp_filter", "arp_filter", "arp_ignore", "arp_announce", "accept_local", "ignore_routes_with_linkdown"].map(
      (name) => `net/ipv4/conf/${scope}/${name}=0`,
    ),
  ),
  ...["all", "default"].flatMap((scope) =>
    ["accept_dad", "router_solicitations"].map((name) => `net/ipv6/conf/${scope}/${name}=0`),
  ),
];

/** The switch's own ends speak no IP, so that a capture shows the hosts' packets only. */
export const SWITCH_BASELINE: readonly string[] = [
  "net/ipv6/conf/all/disable_ipv6=1",
  "net/ipv6/conf/default/disable_ipv6=1",
];

/** A sysctl as an argument of sysctl(8), with slashes, since a link's name may have dots. */
export function sysctlArgument(key: string, value: string | number): string {
  return `${key.includes("/") ? key : key.replaceAll(".", "/")}=${value}`;
}
