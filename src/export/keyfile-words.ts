// Owns kernel objects in the words of NetworkManager's keyfiles (nm-settings-keyfile(5)), as of NetworkManager 1.42.
import { defaultPrefix } from "../model/ip.ts";
import type { RouteMetrics, RouteSpec, RuleSpec } from "../model/kinds.ts";
import type { Desired } from "../model/objects.ts";
import { defaultMetric } from "../plan/kinds/route.ts";

/** The words for metrics that a route of a keyfile may have, and whether they can be locked (ipv4.routes). */
const METRICS: Partial<Record<keyof RouteMetrics, { word: string; lockable: boolean }>> = {
  mtu: { word: "mtu", lockable: true },
  window: { word: "window", lockable: true },
  cwnd: { word: "cwnd", lockable: true },
  initcwnd: { word: "initcwnd", lockable: true },
  initrwnd: { word: "initrwnd", lockable: true },
};

/** Types of routes that a keyfile can say besides unicast. */
const TYPES: readonly string[] = ["local", "blackhole", "prohibit", "throw", "unreachable"];

/** Why a keyfile has no words for an object, as a sentence. */
export function lacksInKeyfile(object: Desired): string | undefined {
  switch (object.kind) {
    case "route":
      return lacksInRoute(object.spec);
    case "rule":
      if (["goto", "nop"].includes(object.spec.action)) return `A routing rule there has no \`${object.spec.action}\`.`;
      if (object.spec.suppressGroup !== undefined) return "A routing rule there has no `suppress_ifgroup`.";
      return undefined;
    case "neighbour":
      return "A keyfile has no neighbours.";
    case "nexthop":
      return "A keyfile has no nexthop objects.";
    case "address":
      return object.spec.peer === undefined ? undefined : "An address of a keyfile has no far end.";
    default:
      return undefined;
  }
}

function lacksInRoute(spec: RouteSpec): string | undefined {
  const { lock = [], ...metrics } = spec.metrics ?? {};
  for (const name of Object.keys(metrics)) {
    const known = METRICS[name as keyof RouteMetrics];
    if (!known) return `A route there has no \`${name}\`.`;
    if (lock.includes(name) && !known.lockable) return `A route there cannot lock \`${name}\`.`;
  }
  if (spec.type !== "unicast" && !TYPES.includes(spec.type)) return `A route there has no type \`${spec.type}\`.`;
  if (spec.nexthop !== undefined) return "A keyfile has no nexthop objects.";
  if (spec.hops.length > 1) return "A route of a keyfile has one hop, and its link is the connection's.";
  if (spec.preference !== undefined) return "A route there has no `preference`.";
  if (spec.scope !== undefined) return "The scope of a route is chosen by NetworkManager.";
  return undefined;
}

/** A route: `to,via,metric`, and the rest as options. `number` counts the routes of a section from 1. */
export function routeLines(spec: RouteSpec, number: number): string {
  const { family, to, table, hops, type, source, from, tos, metrics = {} } = spec;
  const { lock = [], ...values } = metrics;
  const via = hops[0]?.via ?? "";
  // Where none is stated NetworkManager takes the device's, which is not the kernel's.
  const metric = spec.metric ?? defaultMetric(family);
  const options: string[] = [`table=${table}`];
  if (type !== "unicast") options.push(`type=${type}`);
  if (source !== undefined) options.push(`src=${source}`);
  if (from !== undefined) options.push(`from=${from}`);
  if (tos !== undefined) options.push(`tos=${tos}`);
  if (hops[0]?.onlink) options.push("onlink=true");
  for (const [name, value] of Object.entries(values)) {
    const word = METRICS[name as keyof RouteMetrics]?.word ?? name;
    options.push(`${word}=${String(value)}`);
    if (lock.includes(name)) options.push(`lock-${word}=true`);
  }
  return `route${number}=${to},${via},${metric}\nroute${number}_options=${options.join(",")}\n`;
}

/** A rule in the words of ip-rule(8), which a keyfile takes. */
export function ruleLine(spec: RuleSpec, number: number): string {
  const words = [`priority ${spec.priority}`];
  if (spec.not) words.push("not");
  words.push(`from ${spec.from ?? defaultPrefix(spec.family)}`);
  if (spec.to !== undefined) words.push(`to ${spec.to}`);
  if (spec.tos !== undefined) words.push(`tos 0x${spec.tos.toString(16)}`);
  if (spec.mark !== undefined) {
    words.push(`fwmark 0x${spec.mark.toString(16)}/0x${(spec.mask ?? 0xffffffff).toString(16)}`);
  }
  if (spec.iif !== undefined) words.push(`iif ${spec.iif}`);
  if (spec.oif !== undefined) words.push(`oif ${spec.oif}`);
  if (spec.uids !== undefined) words.push(`uidrange ${spec.uids.first}-${spec.uids.last}`);
  if (spec.ipProtocol !== undefined) words.push(`ipproto ${spec.ipProtocol}`);
  if (spec.sourcePorts !== undefined) words.push(`sport ${spec.sourcePorts.first}-${spec.sourcePorts.last}`);
  if (spec.destinationPorts !== undefined) {
    words.push(`dport ${spec.destinationPorts.first}-${spec.destinationPorts.last}`);
  }
  if (spec.action === "table") words.push(`table ${spec.table}`);
  else words.push(`type ${spec.action}`);
  if (spec.suppressPrefixLength !== undefined) words.push(`suppress_prefixlength ${spec.suppressPrefixLength}`);
  return `routing-rule${number}=${words.join(" ")}\n`;
}
