// Owns kernel objects in the words of systemd.network(5), as of systemd 252.
import type {
  AddressSpec,
  Hop,
  NeighbourSpec,
  NexthopSpec,
  RouteMetrics,
  RouteSpec,
  RuleSpec,
} from "../model/kinds.ts";
import type { Desired } from "../model/objects.ts";
import { rulesAsAsked } from "./common.ts";

/** The words for metrics that networkd knows; of the others it has none. */
const METRICS: Partial<Record<keyof RouteMetrics, string>> = {
  mtu: "MTUBytes",
  advmss: "TCPAdvertisedMaximumSegmentSize",
  initcwnd: "InitialCongestionWindow",
  initrwnd: "InitialAdvertisedReceiveWindow",
  quickack: "QuickAck",
  fastopen_no_cookie: "FastOpenNoCookie",
  congctl: "TCPCongestionControlAlgorithm",
};

type Setting = readonly [string, string | number];

/** Why networkd has no words for an object, as a sentence. */
export function lacksInNetworkd(object: Desired): string | undefined {
  switch (object.kind) {
    case "route":
      return lacksInRoute(object.spec);
    case "rule":
      // It leaves a mark of 0 out, and the rule would match every mark (routing_policy_rule_set_netlink_message).
      if (object.spec.mark === 0) return "systemd-networkd takes a mark of 0 for no mark at all.";
      if (!["goto", "nop"].includes(object.spec.action)) return undefined;
      return `A rule of systemd.network(5) has no \`${object.spec.action}\`.`;
    case "neighbour":
      if (object.spec.proxy) return "Addresses to answer for come with a switch that counts for the whole link there.";
      if (object.spec.state !== "permanent" || object.spec.router) {
        return "A neighbour of systemd.network(5) is permanent and nothing else.";
      }
      return undefined;
    case "nexthop":
      return object.spec.resilient ? "systemd.network(5) has no resilient groups." : undefined;
    default:
      return undefined;
  }
}

function lacksInRoute(spec: RouteSpec): string | undefined {
  const { lock = [], ...metrics } = spec.metrics ?? {};
  const unknown = Object.keys(metrics).find((name) => !Object.hasOwn(METRICS, name));
  if (unknown !== undefined) return `A route of systemd.network(5) has no \`${unknown}\`.`;
  if (lock.length > 0) return "systemd.network(5) cannot lock metrics.";
  if (spec.tos !== undefined) return "A route of systemd.network(5) has no `tos`.";
  if (typeof spec.scope === "number") return "A route of systemd.network(5) has no numbered scopes.";
  if (spec.hops.length > 1 && spec.hops.some((hop) => hop.via === undefined || hop.onlink)) {
    return "Of several hops, systemd.network(5) wants each with a gateway, and none `onlink`.";
  }
  return undefined;
}

/** Sections for the objects, in the order in which they are made; rules in the order in which they are asked. */
export function networkdSections(objects: readonly Desired[]): string {
  return rulesAsAsked(objects).map(section).join("");
}

/** An address of a link. */
export function addressSection({ family, address, peer, scope }: AddressSpec): string {
  const settings: Setting[] = [["Address", address]];
  if (peer !== undefined) settings.push(["Peer", peer]);
  if (family === 4 && scope !== "global") settings.push(["Scope", scope]);
  return text("Address", settings);
}

function section(object: Desired): string {
  switch (object.kind) {
    case "address":
      return addressSection(object.spec);
    case "neighbour":
      return text("Neighbor", neighbourSettings(object.spec));
    case "nexthop":
      return text("NextHop", nexthopSettings(object.spec));
    case "route":
      return text("Route", routeSettings(object.spec));
    case "rule":
      return text("RoutingPolicyRule", ruleSettings(object.spec));
    default:
      return "";
  }
}

function text(name: string, settings: readonly Setting[]): string {
  return `\n[${name}]\n${settings.map(([key, value]) => `${key}=${value}\n`).join("")}`;
}

function neighbourSettings({ address, hardwareAddress = "" }: NeighbourSpec): Setting[] {
  return [
    ["Address", address],
    ["LinkLayerAddress", hardwareAddress],
  ];
}

function nexthopSettings({ id, family, via, onlink, blackhole, members }: NexthopSpec): Setting[] {
  const settings: Setting[] = [["Id", id]];
  if (members !== undefined) {
    settings.push(["Group", members.map((member) => `${member.id}:${member.weight ?? 1}`).join(" ")]);
    return settings;
  }
  if (via !== undefined) settings.push(["Gateway", via]);
  else if (family !== undefined) settings.push(["Family", familyName(family)]);
  if (onlink) settings.push(["OnLink", "yes"]);
  if (blackhole) settings.push(["Blackhole", "yes"]);
  return settings;
}

function routeSettings(spec: RouteSpec): Setting[] {
  const { to, from, type, table, metric, scope, source, preference, nexthop, hops, metrics = {} } = spec;
  const settings: Setting[] = [["Destination", to]];
  if (from !== undefined) settings.push(["Source", from]);
  if (type !== "unicast") settings.push(["Type", type]);
  settings.push(["Table", table]);
  if (metric !== undefined) settings.push(["Metric", metric]);
  if (scope !== undefined) settings.push(["Scope", scope]);
  if (source !== undefined) settings.push(["PreferredSource", source]);
  if (preference !== undefined) settings.push(["IPv6Preference", preference]);
  if (nexthop !== undefined) settings.push(["NextHop", nexthop]);
  if (hops.length === 1) settings.push(...hopSettings(hops[0] as Hop));
  else for (const { via, link, weight = 1 } of hops) settings.push(["MultiPathRoute", `${via}@${link} ${weight}`]);
  for (const [name, value] of Object.entries(metrics)) {
    const word = METRICS[name as keyof RouteMetrics];
    const isSwitch = name === "quickack" || name === "fastopen_no_cookie";
    if (word !== undefined) settings.push([word, isSwitch ? "yes" : String(value)]);
  }
  return settings;
}

function hopSettings({ via, onlink }: Hop): Setting[] {
  const settings: Setting[] = [];
  if (via !== undefined) settings.push(["Gateway", via]);
  if (onlink) settings.push(["GatewayOnLink", "yes"]);
  return settings;
}

function ruleSettings(spec: RuleSpec): Setting[] {
  const settings: Setting[] = [["Priority", spec.priority]];
  if (spec.from === undefined && spec.to === undefined) settings.push(["Family", familyName(spec.family)]);
  if (spec.not) settings.push(["InvertRule", "yes"]);
  if (spec.from !== undefined) settings.push(["From", spec.from]);
  if (spec.to !== undefined) settings.push(["To", spec.to]);
  if (spec.tos !== undefined) settings.push(["TypeOfService", spec.tos]);
  if (spec.mark !== undefined) settings.push(["FirewallMark", `${spec.mark}/${spec.mask ?? 0xffffffff}`]);
  if (spec.iif !== undefined) settings.push(["IncomingInterface", spec.iif]);
  if (spec.oif !== undefined) settings.push(["OutgoingInterface", spec.oif]);
  if (spec.uids !== undefined) settings.push(["User", `${spec.uids.first}-${spec.uids.last}`]);
  if (spec.ipProtocol !== undefined) settings.push(["IPProtocol", spec.ipProtocol]);
  if (spec.sourcePorts !== undefined)
    settings.push(["SourcePort", `${spec.sourcePorts.first}-${spec.sourcePorts.last}`]);
  if (spec.destinationPorts !== undefined) {
    settings.push(["DestinationPort", `${spec.destinationPorts.first}-${spec.destinationPorts.last}`]);
  }
  if (spec.action === "table") settings.push(["Table", spec.table ?? 0]);
  else settings.push(["Type", spec.action]);
  if (spec.suppressPrefixLength !== undefined) settings.push(["SuppressPrefixLength", spec.suppressPrefixLength]);
  if (spec.suppressGroup !== undefined) settings.push(["SuppressInterfaceGroup", spec.suppressGroup]);
  return settings;
}

function familyName(family: 4 | 6): string {
  return `ipv${family}`;
}
