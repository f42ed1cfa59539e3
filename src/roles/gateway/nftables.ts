// Owns the nftables table of a gateway: who may pass, what is translated, what is not tracked.
import { familyOf } from "../../model/ip.ts";
import { nftTableName } from "../../model/nft.ts";
import type { NftObject, NftTableSpec, NftValue } from "../../model/nft.ts";
import type { Gateway } from "./schema.ts";
import { listRange, sharesOf, translatedBy } from "./shares.ts";
import type { AddressRange } from "./shares.ts";

/** Where in the way of a packet chains are asked: before tracking (NF_IP_PRI_RAW), among filters, at source translation. */
const PRIORITY = { raw: -300, filter: 0, srcnat: 100 } as const;

/** Names of the counters of a table: connections outward and inward, packets that were refused. */
export const COUNTERS = ["outward", "inward", "refused"] as const;

/** What a table depends on besides its section. */
export interface GatewayLinks {
  /** The two links have different MTUs, so that hosts have to be told the smaller one. */
  clamp: boolean;
  /** The host's own addresses on both. */
  own: readonly string[];
}

/** The table. What most packets pass by is as short as it can be (docs/BENCHMARKS.md, gateways). */
export function gatewayTable(instance: string, gateway: Gateway, { clamp, own }: GatewayLinks): NftTableSpec {
  const { inside, outside, failover } = gateway;
  const moving = failover ? translatedBy(gateway) : [];
  return {
    family: "inet",
    name: nftTableName("gateway", instance),
    owner: "heddle",
    objects: [
      ...COUNTERS.map((name): NftObject => ({ counter: { name } })),
      base("forward", "filter", "forward", PRIORITY.filter),
      { chain: { name: "outward" } },
      { chain: { name: "inward" } },
      ...(clamp ? [clampRule(inside, outside)] : []),
      // To be known, a connection has passed one of the chains below.
      rule("forward", match("in", { ct: { key: "state" } }, ["established", "related"]), { accept: null }),
      rule("forward", link("iifname", inside), link("oifname", outside), { goto: { target: "outward" } }),
      rule("forward", link("iifname", outside), link("oifname", inside), { goto: { target: "inward" } }),
      // The switches that let packets pass here would let them pass to other links as well.
      ...(["iifname", "oifname"] as const).map((side) =>
        rule("forward", match("==", { meta: { key: side } }, { set: [inside, outside] }), ...refuse()),
      ),
      ...(failover
        ? (["outward", "inward"] as const).map((chain) => rule(chain, ...middleOfStream(), ...refuse()))
        : []),
      ...filterOf("outward", openTo(gateway)),
      ...filterOf("inward", gateway.pass === "both" ? [[]] : []),
      ...translationOf(gateway),
      ...(gateway.untracked ? untrackedOf(gateway, own) : []),
      ...(moving.length > 0 ? guardOf(outside, moving) : []),
    ],
  };
}

/** Conditions of which one has to hold for a new connection outward. */
function openTo(gateway: Gateway): NftValue[][] {
  const shares = sharesOf(gateway);
  const from = gateway.failover?.shares ? shares.flatMap((share) => share.from ?? []) : gateway.from;
  return comesFrom(from);
}

/** Conditions of which one has to hold for a packet to come from the prefixes; nothing stated is everybody. */
function comesFrom(from: readonly string[] | undefined): NftValue[][] {
  if (!from) return [[]];
  return ([4, 6] as const).flatMap((family) => {
    const prefixes = from.filter((prefix) => familyOf(prefix) === family);
    const field = { payload: { protocol: family === 4 ? "ip" : "ip6", field: "saddr" } };
    return prefixes.length === 0 ? [] : [[match("==", field, { set: prefixes.map(prefixValue) })]];
  });
}

function filterOf(chain: "outward" | "inward", open: NftValue[][]): NftObject[] {
  return [
    // What is neither new nor known has no translation: it would go out with the address that it has inside.
    ...open.map((conditions) =>
      rule(chain, match("in", { ct: { key: "state" } }, "new"), ...conditions, { counter: chain }, { accept: null }),
    ),
    rule(chain, ...refuse()),
  ];
}

/**
 * What tracking takes for the beginning of a TCP connection and is none (nf_conntrack_tcp_loose). Another gateway has it,
 * or this one is just putting it into its kernel anew: by this packet it would get another port, and the far end would
 * end it.
 */
function middleOfStream(): NftValue[] {
  const flags = { "&": [{ payload: { protocol: "tcp", field: "flags" } }, ["fin", "syn", "rst", "ack"]] };
  return [match("in", { ct: { key: "state" } }, "new"), match("!=", flags, "syn")];
}

/** The first packet of a connection names the largest segment; it shall fit the links on both sides. */
function clampRule(inside: string, outside: string): NftObject {
  const flags = { "&": [{ payload: { protocol: "tcp", field: "flags" } }, ["syn", "rst"]] };
  const both = { set: [inside, outside] };
  return rule(
    "forward",
    match("==", flags, "syn"),
    match("==", { meta: { key: "iifname" } }, both),
    match("==", { meta: { key: "oifname" } }, both),
    { mangle: { key: { "tcp option": { name: "maxseg", field: "size" } }, value: { rt: { key: "mtu" } } } },
  );
}

function translationOf(gateway: Gateway): NftObject[] {
  const { nat, inside, outside } = gateway;
  const way = [link("oifname", outside), link("iifname", inside)];
  const chain = base("translate", "nat", "postrouting", PRIORITY.srcnat);
  if (nat === "masquerade") return [chain, rule("translate", ...way, { masquerade: null })];
  const shares = sharesOf(gateway);
  if (shares.length === 0) return [];
  // Other gateways are told a connection's port only where it was changed; otherwise their kernels would choose one.
  const ports = gateway.failover ? { flags: "fully-random" } : {};
  return [
    chain,
    ...shares.flatMap(({ to, from }) =>
      ([4, 6] as const).flatMap((family): NftObject[] => {
        const ranges = to.filter(({ first }) => familyOf(first) === family);
        if (ranges.length === 0) return [];
        const protocol = family === 4 ? "ip" : "ip6";
        const snat = { snat: { family: protocol, addr: chosenOf(protocol, ranges), ...ports } };
        // Hosts of the other IP version are none of this translation's.
        const whose = shares.length > 1 ? from?.filter((prefix) => familyOf(prefix) === family) : undefined;
        return comesFrom(whose).map((conditions) => rule("translate", ...way, ...conditions, snat));
      }),
    ),
  ];
}

/** One address, or for each host inside always the same one of several. */
function chosenOf(protocol: string, ranges: readonly AddressRange[]): NftValue {
  const [only, ...more] = ranges;
  if (only && more.length === 0) return only.first === only.last ? only.first : { range: [only.first, only.last] };
  const saddr = { payload: { protocol, field: "saddr" } };
  const elements = ranges
    .flatMap(({ first, last }) => listRange(first, last) ?? [])
    .map((address, index): NftValue => [index, address]);
  return { map: { key: { jhash: { mod: elements.length, expr: saddr } }, data: { set: elements } } };
}

/**
 * What this host itself sends and receives has no need of tracking. What comes to a translated address does: those are the
 * answers to the hosts inside.
 */
function untrackedOf(gateway: Gateway, own: readonly string[]): NftObject[] {
  const { inside, outside } = gateway;
  const translated = translatedBy(gateway);
  const families = [4, 6] as const;
  const field = (family: 4 | 6, name: "saddr" | "daddr"): NftValue => ({
    payload: { protocol: family === 4 ? "ip" : "ip6", field: name },
  });
  const incoming = families.flatMap((family): NftObject[] => {
    const addresses = own.filter((address) => familyOf(address) === family);
    if (addresses.length === 0) return [];
    return [rule("untracked-in", match("==", field(family, "daddr"), { set: [...addresses] }), { notrack: null })];
  });
  const except = families.flatMap((family): NftValue[] => {
    const ranges = translated.filter(({ first }) => familyOf(first) === family);
    return ranges.length === 0 ? [] : [match("!=", field(family, "saddr"), { set: ranges.map(rangeValue) })];
  });
  const links = match("==", { meta: { key: "oifname" } }, { set: [inside, outside] });
  return [
    base("untracked-in", "filter", "prerouting", PRIORITY.raw),
    base("untracked-out", "filter", "output", PRIORITY.raw),
    ...incoming,
    rule("untracked-out", links, ...except, { notrack: null }),
  ];
}

/** A translated address that moves belongs to those inside: nobody reaches this host's own services by it. */
function guardOf(outside: string, moving: readonly AddressRange[]): NftObject[] {
  return [
    base("guard", "filter", "input", PRIORITY.filter),
    ...([4, 6] as const).flatMap((family): NftObject[] => {
      const ranges = moving.filter(({ first }) => familyOf(first) === family);
      if (ranges.length === 0) return [];
      const [protocol, icmp] = family === 4 ? ["ip", "icmp"] : ["ip6", "icmpv6"];
      const to = match("==", { payload: { protocol, field: "daddr" } }, { set: ranges.map(rangeValue) });
      const asked = match("==", { payload: { protocol: icmp, field: "type" } }, "echo-request");
      return [
        rule("guard", link("iifname", outside), to, asked, { accept: null }),
        // An answer that does not fit what this gateway knows of its connection is not translated back, and would be
        // answered with a reset by this host. Neighbour discovery is neither: it is not tracked.
        rule(
          "guard",
          link("iifname", outside),
          to,
          match("in", { ct: { key: "state" } }, ["new", "invalid"]),
          ...refuse(),
        ),
      ];
    }),
  ];
}

function base(
  name: string,
  type: "filter" | "nat",
  hook: "prerouting" | "input" | "forward" | "output" | "postrouting",
  prio: number,
): NftObject {
  return { chain: { name, type, hook, prio, policy: "accept" } };
}

function rule(chain: string, ...expr: NftValue[]): NftObject {
  return { rule: { chain, expr } };
}

function refuse(): NftValue[] {
  return [{ counter: "refused" }, { drop: null }];
}

function link(side: "iifname" | "oifname", name: string): NftValue {
  return match("==", { meta: { key: side } }, name);
}

function match(op: string, left: NftValue, right: NftValue): NftValue {
  return { match: { op, left, right } };
}

function prefixValue(prefix: string): NftValue {
  const [addr, len] = prefix.split("/");
  return { prefix: { addr: addr as string, len: Number(len) } };
}

function rangeValue({ first, last }: AddressRange): NftValue {
  return first === last ? first : { range: [first, last] };
}
