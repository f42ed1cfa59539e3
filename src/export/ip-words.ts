// Owns kernel objects as arguments of ip(8): what makes one, and what takes it away.
import { familyOf, shortPrefix } from "../model/ip.ts";
import type { AddressSpec, Hop, NeighbourSpec, NexthopSpec, RouteSpec, RuleSpec } from "../model/kinds.ts";
import type { Desired } from "../model/objects.ts";

/** The only flag of RTAX_FEATURES that ip-route(8) has a word for. */
const FEATURE_ECN = 1;

/** Protocol that exported objects carry: written by an administrator, as those of other managers do. */
const PROTOCOL = "static";

/** One object's two commands, without the program's name. */
export interface IpCommands {
  make: string[];
  drop: string[];
  /** A rule: there is no `replace`, and one that is there is refused. */
  once?: true;
}

/** The commands of an object that `lacksInIp` has no complaint about. Sysctls and nftables have none. */
export function ipCommands(object: Desired): IpCommands | undefined {
  switch (object.kind) {
    case "address":
      return addressCommands(object.spec);
    case "neighbour":
      return neighbourCommands(object.spec);
    case "nexthop": {
      const { id, family: version } = object.spec;
      // A group has no family; of others, ip takes IPv4 where neither this nor a gateway says otherwise.
      const ip = [...(version === undefined ? [] : [`-${version}`]), "nexthop"];
      return { make: [...ip, "replace", ...nexthopWords(object.spec)], drop: ["nexthop", "del", "id", String(id)] };
    }
    case "route":
      return routeCommands(object.spec);
    case "rule": {
      const words = ruleWords(object.spec);
      return {
        make: [...family(object.spec), "rule", "add", ...words],
        drop: [...family(object.spec), "rule", "del", ...words],
        once: true,
      };
    }
    case "sysctl":
    case "nftTable":
    case "cgroupProgram":
    case "tcProgram":
      return undefined;
  }
}

/** Why ip(8) has no words for an object, as a sentence. */
export function lacksInIp(object: Desired): string | undefined {
  if (object.kind === "nexthop" && object.spec.resilient !== undefined) {
    const { idle, unbalanced } = object.spec.resilient;
    return Number.isInteger(idle) && Number.isInteger(unbalanced)
      ? undefined
      : "ip-nexthop(8) takes whole seconds only.";
  }
  if (object.kind !== "route") return undefined;
  const { features, rto_min, lock } = object.spec.metrics ?? {};
  if (rto_min !== undefined && !lock?.includes("rto_min")) return "ip-route(8) locks `rto_min` whenever it sets it.";
  if (features !== undefined && features !== FEATURE_ECN) return "ip-route(8) names only feature 1 (ecn).";
  return undefined;
}

function family(spec: { family: 4 | 6 }): string[] {
  return [`-${spec.family}`];
}

function addressCommands({ family: version, address, peer, link, scope }: AddressSpec): IpCommands {
  const words = [address, ...(peer === undefined ? [] : ["peer", peer]), "dev", link];
  const ip = [`-${version}`, "address"];
  const far = version === 4 && scope !== "global" ? ["scope", String(scope)] : [];
  return { make: [...ip, "replace", ...words, ...far], drop: [...ip, "del", ...words] };
}

function neighbourCommands(spec: NeighbourSpec): IpCommands {
  const { address, proxy, hardwareAddress, link, state, router } = spec;
  const ip = [...family(spec), "neigh"];
  const dev = link === undefined ? [] : ["dev", link];
  if (proxy) {
    const words = ["proxy", address, ...dev];
    const more = [...(router ? ["router"] : []), "protocol", PROTOCOL];
    return { make: [...ip, "replace", ...words, ...more], drop: [...ip, "del", ...words] };
  }
  const lladdr = hardwareAddress === undefined ? [] : ["lladdr", hardwareAddress];
  const rest = [...(router ? ["router"] : []), "nud", state ?? "permanent", "protocol", PROTOCOL];
  return { make: [...ip, "replace", address, ...lladdr, ...dev, ...rest], drop: [...ip, "del", address, ...dev] };
}

function nexthopWords(spec: NexthopSpec): string[] {
  const { id, link, via, onlink, blackhole, members, resilient } = spec;
  const words = ["id", String(id)];
  if (members !== undefined) {
    words.push("group", members.map((member) => `${member.id},${member.weight ?? 1}`).join("/"));
  }
  if (resilient !== undefined) {
    const { buckets, idle, unbalanced } = resilient;
    words.push("type", "resilient", "buckets", String(buckets), "idle_timer", String(idle));
    words.push("unbalanced_timer", String(unbalanced));
  }
  if (blackhole) words.push("blackhole");
  if (via !== undefined) words.push("via", via);
  if (link !== undefined) words.push("dev", link);
  if (onlink) words.push("onlink");
  return [...words, "protocol", PROTOCOL];
}

function routeCommands(spec: RouteSpec): IpCommands {
  const ip = [...family(spec), "route"];
  const type = spec.type === "unicast" ? [] : [spec.type];
  const which = [spec.to, ...(spec.from === undefined ? [] : ["from", spec.from])];
  if (spec.tos !== undefined) which.push("tos", hex(spec.tos));
  which.push("table", String(spec.table));
  if (spec.metric !== undefined) which.push("metric", String(spec.metric));
  const words: string[] = [...type, ...which, "protocol", PROTOCOL];
  if (spec.scope !== undefined) words.push("scope", String(spec.scope));
  if (spec.source !== undefined) words.push("src", spec.source);
  if (spec.preference !== undefined) words.push("pref", spec.preference);
  words.push(...metricWords(spec));
  if (spec.nexthop !== undefined) words.push("nhid", String(spec.nexthop));
  if (spec.hops.length === 1) words.push(...hopWords(spec.hops[0] as Hop, spec));
  if (spec.hops.length > 1) {
    for (const hop of spec.hops) words.push("nexthop", ...hopWords(hop, spec), "weight", String(hop.weight ?? 1));
  }
  return { make: [...ip, "replace", ...words], drop: [...ip, "del", ...type, ...which, "protocol", PROTOCOL] };
}

function hopWords({ via, link, onlink }: Hop, spec: RouteSpec): string[] {
  const words: string[] = [];
  if (via !== undefined) words.push("via", ...(familyOf(via) === spec.family ? [] : ["inet6"]), via);
  if (link !== undefined) words.push("dev", link);
  if (onlink) words.push("onlink");
  return words;
}

function metricWords({ metrics = {} }: RouteSpec): string[] {
  const { lock = [], features, ...values } = metrics;
  const words = Object.entries(values).flatMap(([name, value]) => [
    name,
    // rto_min is locked without the word, and with it is an error.
    ...(lock.includes(name) && name !== "rto_min" ? ["lock"] : []),
    String(value),
  ]);
  return features === undefined ? words : [...words, "features", "ecn"];
}

function ruleWords(spec: RuleSpec): string[] {
  const words = ["priority", String(spec.priority), ...(spec.not ? ["not"] : [])];
  words.push("from", spec.from === undefined ? "all" : shortPrefix(spec.from));
  if (spec.to !== undefined) words.push("to", shortPrefix(spec.to));
  if (spec.tos !== undefined) words.push("tos", hex(spec.tos));
  if (spec.mark !== undefined) words.push("fwmark", `${hex(spec.mark)}/${hex(spec.mask ?? 0xffffffff)}`);
  if (spec.iif !== undefined) words.push("iif", spec.iif);
  if (spec.oif !== undefined) words.push("oif", spec.oif);
  if (spec.uids !== undefined) words.push("uidrange", `${spec.uids.first}-${spec.uids.last}`);
  if (spec.ipProtocol !== undefined) words.push("ipproto", String(spec.ipProtocol));
  if (spec.sourcePorts !== undefined) words.push("sport", range(spec.sourcePorts));
  if (spec.destinationPorts !== undefined) words.push("dport", range(spec.destinationPorts));
  if (spec.action === "table") words.push("lookup", String(spec.table));
  else if (spec.action === "goto") words.push("goto", String(spec.goto));
  else words.push(spec.action);
  if (spec.suppressPrefixLength !== undefined) words.push("suppress_prefixlength", String(spec.suppressPrefixLength));
  if (spec.suppressGroup !== undefined) words.push("suppress_ifgroup", String(spec.suppressGroup));
  return [...words, "protocol", PROTOCOL];
}

function range({ first, last }: { first: number; last: number }): string {
  return first === last ? String(first) : `${first}-${last}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
