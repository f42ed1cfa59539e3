// Owns the nftables table of a gateway: who may pass, what is translated, what is not tracked.
import { familyOf } from "../../model/ip.ts";
import { nftTableName } from "../../model/nft.ts";
import type { NftObject, NftTableSpec, NftValue } from "../../model/nft.ts";
import type { Gateway } from "./schema.ts";
import { listRange, sharesOf, translatedBy } from "./shares.ts";
import type { AddressRange } from "./shares.ts";

/** Where in the way of a packet chains are asked: before tracking (NF_IP_PRI_RAW), among filters, at source translation. */
const PRIORITY = { raw: -300, filter: 0, srcnat: 100 } as const;

/** Names of the counters of a table. */
export const COUNTERS = ["outward", "inward", "refused"] as const;

/** The table. `clamp`: the two links have different MTUs, so that hosts have to be told the smaller one. */
export function gatewayTable(instance: string, gateway: Gateway, clamp: boolean): NftTableSpec {
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
      rule("forward", link("iifname", inside), link("oifname", outside), { goto: { target: "outward" } }),
      rule("forward", link("iifname", outside), link("oifname", inside), { goto: { target: "inward" } }),
      // The switches that let packets pass here would let them pass to other links as well.
      ...(["iifname", "oifname"] as const).map((side) =>
        rule("forward", match("==", { meta: { key: side } }, { set: [inside, outside] }), ...refuse()),
      ),
      ...filterOf("outward", clamp, [...openTo(gateway)]),
      ...filterOf("inward", clamp, gateway.pass === "both" ? [[]] : []),
      ...translationOf(gateway),
      ...(gateway.untracked ? untrackedOf(gateway) : []),
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

function filterOf(chain: "outward" | "inward", clamp: boolean, open: NftValue[][]): NftObject[] {
  const pass: NftValue[] = [{ counter: chain }, { accept: null }];
  return [
    ...(clamp ? [clampRule(chain)] : []),
    rule(chain, match("in", { ct: { key: "state" } }, ["established", "related"]), ...pass),
    // What is neither new nor known has no translation: it would go out with the address that it has inside.
    ...open.map((conditions) => rule(chain, match("in", { ct: { key: "state" } }, "new"), ...conditions, ...pass)),
    rule(chain, ...refuse()),
  ];
}

/** The first packet of a connection names the largest segment; it shall fit the links on both sides. */
function clampRule(chain: string): NftObject {
  const flags = { "&": [{ payload: { protocol: "tcp", field: "flags" } }, ["syn", "rst"]] };
  return rule(chain, match("==", flags, "syn"), {
    mangle: { key: { "tcp option": { name: "maxseg", field: "size" } }, value: { rt: { key: "mtu" } } },
  });
}

function translationOf(gateway: Gateway): NftObject[] {
  const { nat, inside, outside } = gateway;
  const way = [link("oifname", outside), link("iifname", inside)];
  const chain = base("translate", "nat", "postrouting", PRIORITY.srcnat);
  if (nat === "masquerade") return [chain, rule("translate", ...way, { masquerade: null })];
  const shares = sharesOf(gateway);
  if (shares.length === 0) return [];
  return [
    chain,
    ...shares.flatMap(({ to, from }) =>
      ([4, 6] as const).flatMap((family): NftObject[] => {
        const ranges = to.filter(({ first }) => familyOf(first) === family);
        if (ranges.length === 0) return [];
        const protocol = family === 4 ? "ip" : "ip6";
        const snat = { snat: { family: protocol, addr: chosenOf(protocol, ranges) } };
        return comesFrom(shares.length > 1 ? from : undefined).map((conditions) =>
          rule("translate", ...way, ...conditions, snat),
        );
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
 * What this host itself sends and receives has no need of tracking, but for what comes to a translated address: those
 * are the answers to the hosts inside.
 */
function untrackedOf(gateway: Gateway): NftObject[] {
  const { inside, outside } = gateway;
  const translated = translatedBy(gateway);
  const except = (field: "saddr" | "daddr"): NftValue[] =>
    ([4, 6] as const).flatMap((family): NftValue[] => {
      const ranges = translated.filter(({ first }) => familyOf(first) === family);
      const payload = { payload: { protocol: family === 4 ? "ip" : "ip6", field } };
      return ranges.length === 0 ? [] : [match("!=", payload, { set: ranges.map(rangeValue) })];
    });
  const local = match("==", { fib: { result: "type", flags: ["daddr"] } }, "local");
  const links = (side: "iifname" | "oifname"): NftValue =>
    match("==", { meta: { key: side } }, { set: [inside, outside] });
  return [
    base("untracked-in", "filter", "prerouting", PRIORITY.raw),
    base("untracked-out", "filter", "output", PRIORITY.raw),
    rule("untracked-in", links("iifname"), local, ...except("daddr"), { notrack: null }),
    rule("untracked-out", links("oifname"), ...except("saddr"), { notrack: null }),
  ];
}

/** A translated address that moves belongs to those inside: nobody reaches this host's own services by it. */
function guardOf(outside: string, moving: readonly AddressRange[]): NftObject[] {
  const to = match("==", { payload: { protocol: "ip", field: "daddr" } }, { set: moving.map(rangeValue) });
  return [
    base("guard", "filter", "input", PRIORITY.filter),
    rule(
      "guard",
      link("iifname", outside),
      to,
      match("==", { payload: { protocol: "icmp", field: "type" } }, "echo-request"),
      { accept: null },
    ),
    // An answer that does not fit what this gateway knows of its connection is not translated back, and would be answered
    // with a reset by this host.
    rule("guard", link("iifname", outside), to, match("in", { ct: { key: "state" } }, ["new", "invalid"]), ...refuse()),
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
