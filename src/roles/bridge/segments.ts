// Owns what IP between the two links of a bridge asks of the kernel: for each host that was found, a route to where it is,
// and an answer in its place on the other link.
//
// A route alone would do with proxy_arp, but that answers for whatever is routed elsewhere, hosts that nobody has found
// among them. Entries for single hosts answer for those only.
import type { Diagnostic, SourceRange } from "../../model/diagnostic.ts";
import { addressBits, familyOf, formatAddress, parseAddress, parsePrefix } from "../../model/ip.ts";
import type { Family } from "../../model/ip.ts";
import { HEDDLE_PROTOCOL, TABLE } from "../../model/kinds.ts";
import type { NftObject } from "../../model/nft.ts";
import type { Wanted } from "../../model/objects.ts";
import type { SegmentWish } from "../../model/signals.ts";
import { solicitedNodeOf } from "../../probes/nd.ts";
import type { Section, View } from "../role.ts";
import { wantForwarding6, wantRoute, wantSwitch } from "../wanted.ts";
import { match } from "./nft-words.ts";
import type { BridgeSection } from "./schema.ts";

/** The keys that have hosts looked for, by IP version. */
const KEYS = { 4: "arp", 6: "nd" } as const;
const FAMILIES: readonly Family[] = [4, 6];

/** The two links that hosts are looked for on. */
export function segmentsOf({ role, name, value }: Section<BridgeSection>): SegmentWish | undefined {
  const { ethernet, infiniband } = value;
  const families = FAMILIES.filter((family) => value[KEYS[family]] === true);
  if (families.length === 0 || infiniband.link === undefined) return undefined;
  return { section: `${role}/${name}`, links: [ethernet.link, infiniband.link], families };
}

/** Switches, routes and answers; and what is missing. */
export function wantSegments(section: Section<BridgeSection>, view: View, diagnostics: Diagnostic[]): Wanted[] {
  const wish = segmentsOf(section);
  if (wish === undefined) return [];
  const links = findLinks(wish, view);
  for (const [i, link] of links.entries()) {
    if (link !== undefined) continue;
    diagnostics.push({
      code: "waiting-link",
      severity: "warning",
      summary: `this host has no link ${wish.links[i]}`,
      remedy: "Correct the name; hosts are looked for as soon as the link is there.",
      range: i === 0 ? section.at("ethernet", "link") : section.at("infiniband", "link"),
    });
  }
  const [ethernet, infiniband] = links;
  if (ethernet === undefined || infiniband === undefined) return [];
  const names = [ethernet.name, infiniband.name] as const;
  const row = view.signals.find((signal) => signal.kind === "segment" && signal.section === wish.section);
  const hosts: readonly (readonly string[])[] = row?.kind === "segment" ? row.hosts : [];
  return wish.families.flatMap((family) => {
    const from = section.at(KEYS[family]);
    return [
      ...(family === 4 ? switches4(names, from) : switches6(names, view, from)),
      ...([0, 1] as const).flatMap((side) =>
        (hosts[side] ?? [])
          .filter((address) => familyOf(address) === family)
          .flatMap((address) => wantHost(address, names[side], names[1 - side] as string, from)),
      ),
    ];
  });
}

/**
 * What keeps the kernel from answering claims of addresses (RFC 4862 section 5.4.3) in the place of hosts: one that moves
 * claims its own address, and is not to be told that it is taken. The agent hears claims before these rules and asks on the
 * other link. Claims of this host's own addresses come through.
 */
export function claimRules(section: Section<BridgeSection>, view: View): NftObject[] {
  const wish = segmentsOf(section);
  const links = wish?.families.includes(6) === true ? findLinks(wish, view) : [];
  const groups = links
    .flatMap((link) => link?.addresses ?? [])
    .flatMap(({ address }) => {
      const own = parsePrefix(address);
      return own?.family === 6 ? [formatAddress(solicitedNodeOf(parseAddress(own.address) as Uint8Array))] : [];
    });
  const own = [...new Set(groups)].toSorted();
  const rules = links.flatMap((link): NftObject[] => {
    if (link === undefined) return [];
    const notOwn = { match: { op: "!=", left: { payload: { protocol: "ip6", field: "daddr" } }, right: "@own6" } };
    return [
      {
        rule: {
          chain: "keep-off",
          expr: [
            match({ meta: { key: "iifname" } }, link.name),
            match({ payload: { protocol: "ip6", field: "saddr" } }, "::"),
            match({ payload: { protocol: "icmpv6", field: "type" } }, "nd-neighbor-solicit"),
            ...(own.length === 0 ? [] : [notOwn]),
            { drop: null },
          ],
        },
      },
    ];
  });
  return [
    ...(rules.length === 0 || own.length === 0 ? [] : [{ set: { name: "own6", type: "ipv6_addr", elem: own } }]),
    ...rules,
  ];
}

function findLinks(wish: SegmentWish, view: View) {
  return wish.links.map((name) => view.links.find((link) => link.name === name || link.altNames?.includes(name)));
}

function switches4(names: readonly string[], from: SourceRange): Wanted[] {
  return names.flatMap((link) => [
    wantSwitch(link, "forwarding", "1", from),
    // Loose: a host that is not found yet may send from the link that its subnet is not routed to.
    wantSwitch(link, "rp_filter", "2", from),
    // Each link answers for its own addresses: both are in one subnet.
    wantSwitch(link, "arp_ignore", "1", from),
    // Nobody else answers for the host, and who asks waits: at once, not after up to 0.8 seconds (neigh_parms, proxy_delay).
    { kind: "sysctl", spec: { path: `net/ipv4/neigh/${link}/proxy_delay`, value: "0" }, from },
  ]);
}

function switches6(names: readonly string[], view: View, from: SourceRange): Wanted[] {
  return [
    ...wantForwarding6(view, from),
    // Of all links: only then are questions taken that a neighbour asks of this host's hardware address (ip6_forward).
    { kind: "sysctl", spec: { path: "net/ipv6/conf/all/proxy_ndp", value: "1" }, from },
    ...names.map((link): Wanted => ({
      kind: "sysctl",
      spec: { path: `net/ipv6/neigh/${link}/proxy_delay`, value: "0" },
      from,
    })),
  ];
}

/** A route to a host where it is, and an answer for it on the other link. */
function wantHost(address: string, link: string, other: string, from: SourceRange): Wanted[] {
  const family = familyOf(address);
  const to = `${address}/${addressBits(family)}`;
  return [
    wantRoute({ family, table: TABLE.main, to, hops: [{ link }] }, from),
    {
      kind: "neighbour",
      spec: { family, link: other, address, proxy: true, protocol: HEDDLE_PROTOCOL },
      from,
    },
  ];
}

/** Keys that only make sense together. */
export function* segmentFaults(section: Section<BridgeSection>): Generator<Diagnostic> {
  const { infiniband, multicast, messages } = section.value;
  for (const family of FAMILIES) {
    if (section.value[KEYS[family]] !== true || infiniband.link !== undefined) continue;
    yield {
      code: "bridge-port",
      severity: "error",
      summary: "hosts cannot be looked for: no link of IP over InfiniBand is stated",
      remedy: "State it: `infiniband: { link: ib0 }`.",
      range: section.at(KEYS[family]),
    };
  }
  const carries = multicast !== undefined || messages !== undefined;
  if (carries && (infiniband.model === undefined || infiniband.node === undefined)) {
    yield {
      code: "bridge-port",
      severity: "error",
      summary: "messages cannot be passed on: no port on InfiniBand is stated",
      remedy: "State `model` and `node`.",
      range: section.at("infiniband"),
    };
  }
}
