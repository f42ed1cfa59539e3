// Owns what a look at the kernel tells the roles: links, and the numbers that others use.
import type { Facts, LinkFact } from "../model/facts.ts";
import type { AddressSpec, RuleSpec } from "../model/kinds.ts";
import { MOVING_PROTOCOL, TABLE } from "../model/kinds.ts";
import type { Snapshot } from "../model/objects.ts";
import type { Ledger } from "../model/plan.ts";
import { isOurs } from "./ownership.ts";

/** RTPROT_RA: routes that the kernel made because a router told of itself. */
const RA_PROTOCOL = 9;

/** The facts in a snapshot. A number counts as used by others when an object of theirs names it. */
export function factsOf(
  snapshot: Snapshot,
  ledger: Ledger,
  told: Pick<Facts, "tableNames" | "owners" | "signals"> & Omit<Facts["features"], "ipv6">,
): Facts {
  const { tableNames, owners, signals, ...features } = told;
  const tables = new Set<number>([...Object.values(TABLE), ...Object.values(tableNames)]);
  const priorities = new Set<number>();
  const nexthops = new Set<number>();
  const marks = new Set<number>();
  const byRa = new Set<string>();
  const own: { addresses: AddressSpec[]; nexthops: number[] } = { addresses: [], nexthops: [] };
  for (const object of snapshot.observed) {
    if (isOurs(object, ledger)) {
      if (object.kind === "address") own.addresses.push(object.spec);
      if (object.kind === "nexthop") own.nexthops.push(object.spec.id);
      continue;
    }
    if (object.kind === "route") {
      tables.add(object.spec.table);
      if (object.spec.protocol === RA_PROTOCOL && object.spec.to === "::/0") byRa.add(object.spec.hops[0]?.link ?? "");
      // An object that is gone for a moment, as with its link, comes back under the number that the route waits for.
      if (object.spec.nexthop !== undefined) nexthops.add(object.spec.nexthop);
    }
    if (object.kind === "nexthop") {
      nexthops.add(object.spec.id);
      for (const { id } of object.spec.members ?? []) nexthops.add(id);
    }
    if (object.kind === "rule") {
      priorities.add(object.spec.priority);
      if (object.spec.table !== undefined) tables.add(object.spec.table);
      if (object.spec.goto !== undefined) priorities.add(object.spec.goto);
      for (const bit of bitsOfRule(object.spec)) marks.add(bit);
    }
  }
  const inUse = {
    tables: [...tables],
    priorities: [...priorities],
    nexthops: [...nexthops],
    marks: [...marks],
  };
  // A kernel with IPv6 has rules for it, be it only the one of the local table.
  const ipv6 = snapshot.observed.some((object) => object.kind === "rule" && object.spec.family === 6);
  return {
    links: snapshot.links.map(withoutMoving),
    inUse,
    own,
    tableNames,
    owners,
    features: { ipv6, ...features },
    routedByRa: [...byRa],
    signals,
  };
}

/** A link without the addresses that move: where they are today decides nothing. */
function withoutMoving(link: LinkFact): LinkFact {
  if (link.addresses.every(({ protocol }) => protocol !== MOVING_PROTOCOL)) return link;
  return { ...link, addresses: link.addresses.filter(({ protocol }) => protocol !== MOVING_PROTOCOL) };
}

/**
 * The bits of the mark that a rule asks for. One that compares all 32 leaves no bit to anybody else, so of those only the
 * ones that it wants set are kept clear of; the doctor tells of such rules.
 */
function bitsOfRule({ mark, mask }: RuleSpec): number[] {
  if (mark === undefined) return [];
  const bits = mask === undefined ? mark : mask | mark;
  return Array.from({ length: 32 }, (_, bit) => bit).filter((bit) => ((bits >>> bit) & 1) === 1);
}
