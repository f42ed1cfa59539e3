// Owns what IP between the two links of a bridge asks of the kernel: for each host that was found, a route to where it is,
// and an answer in its place on the other link.
//
// A route alone would do with proxy_arp, but that answers for whatever is routed elsewhere, hosts that nobody has found
// among them. Entries for single hosts answer for those only.
import type { Diagnostic } from "../../model/diagnostic.ts";
import { HEDDLE_PROTOCOL, TABLE } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import type { SegmentWish } from "../../model/signals.ts";
import type { Section, View } from "../role.ts";
import { wantRoute, wantSwitch } from "../wanted.ts";
import type { BridgeSection } from "./schema.ts";

/** The two links that hosts are looked for on. */
export function segmentsOf({ role, name, value }: Section<BridgeSection>): SegmentWish | undefined {
  const { arp, ethernet, infiniband } = value;
  if (arp !== true || infiniband.link === undefined) return undefined;
  return { section: `${role}/${name}`, links: [ethernet.link, infiniband.link] };
}

/** Switches, routes and answers; and what is missing. */
export function wantArp(section: Section<BridgeSection>, view: View, diagnostics: Diagnostic[]): Wanted[] {
  const wish = segmentsOf(section);
  if (wish === undefined) return [];
  const from = section.at("arp");
  const links = wish.links.map((name) =>
    view.links.find((link) => link.name === name || link.altNames?.includes(name)),
  );
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
  const wanted: Wanted[] = names.flatMap((link) => [
    wantSwitch(link, "forwarding", "1", from),
    // Loose: a host that is not found yet may send from the link that its subnet is not routed to.
    wantSwitch(link, "rp_filter", "2", from),
    // Each link answers for its own addresses: both are in one subnet.
    wantSwitch(link, "arp_ignore", "1", from),
    // Nobody else answers for the host, and who asks waits: at once, not after up to 0.8 seconds (neigh_parms, proxy_delay).
    { kind: "sysctl", spec: { path: `net/ipv4/neigh/${link}/proxy_delay`, value: "0" }, from },
  ]);
  const row = view.signals.find((signal) => signal.kind === "segment" && signal.section === wish.section);
  if (row?.kind !== "segment") return wanted;
  for (const side of [0, 1] as const) {
    for (const address of row.hosts[side]) {
      const to = { family: 4, table: TABLE.main, to: `${address}/32`, hops: [{ link: names[side] }] } as const;
      const proxy = { family: 4, link: names[1 - side] as string, address, proxy: true } as const;
      wanted.push(wantRoute({ ...to, hops: [...to.hops] }, from), {
        kind: "neighbour",
        spec: { ...proxy, protocol: HEDDLE_PROTOCOL },
        from,
      });
    }
  }
  return wanted;
}

/** Keys that only make sense together. */
export function* arpFaults(section: Section<BridgeSection>): Generator<Diagnostic> {
  const { arp, infiniband, multicast, messages } = section.value;
  if (arp === true && infiniband.link === undefined) {
    yield {
      code: "bridge-port",
      severity: "error",
      summary: "hosts cannot be looked for: no link of IP over InfiniBand is stated",
      remedy: "State it: `infiniband: { link: ib0 }`.",
      range: section.at("arp"),
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
