// Owns the question which link an object is written down with, for managers that keep everything with a link.
import type { Desired } from "../model/objects.ts";

/** The objects of each link, in their order; and those for which nothing names any link. */
export interface Homes {
  byLink: Map<string, Desired[]>;
  homeless: Desired[];
}

/**
 * A link for each object: its own; otherwise the first one that its table has a route through; otherwise the one that a
 * rule looks at; otherwise the first one of the section that asks for it; otherwise the first one of all. Links come in the order in which they are first named.
 */
export function assignHomes(objects: readonly Desired[]): Homes {
  const own = new Map(objects.map((object) => [object, ownLink(object, objects)] as const));
  const ofTable = new Map<number, string>();
  const ofOwner = new Map<string, string>();
  const names: string[] = [];
  for (const object of objects) {
    const link = own.get(object);
    if (link === undefined) continue;
    if (!names.includes(link)) names.push(link);
    const [owner = ""] = object.owners;
    if (!ofOwner.has(owner)) ofOwner.set(owner, link);
    if (object.kind === "route" && !ofTable.has(object.spec.table)) ofTable.set(object.spec.table, link);
  }
  const homes: Homes = { byLink: new Map(names.map((name) => [name, []])), homeless: [] };
  for (const object of objects) {
    const table = object.kind === "route" || object.kind === "rule" ? object.spec.table : undefined;
    const link =
      own.get(object) ??
      (table === undefined ? undefined : ofTable.get(table)) ??
      linkOfRule(object) ??
      ofOwner.get(object.owners[0] ?? "") ??
      names[0];
    if (link === undefined) homes.homeless.push(object);
    else {
      const there = homes.byLink.get(link);
      if (there) there.push(object);
      else homes.byLink.set(link, [object]);
    }
  }
  return homes;
}

/** Every link that the object needs to be there; the first one is its own. */
export function linksOf(object: Desired, all: readonly Desired[]): string[] {
  switch (object.kind) {
    case "address":
    case "neighbour":
      return object.spec.link === undefined ? [] : [object.spec.link];
    case "nexthop": {
      if (object.spec.link !== undefined) return [object.spec.link];
      return unique((object.spec.members ?? []).flatMap(({ id }) => linksOfNexthop(id, all)));
    }
    case "route": {
      const { hops, nexthop } = object.spec;
      const links = hops.flatMap((hop) => (hop.link === undefined ? [] : [hop.link]));
      return unique(nexthop === undefined ? links : linksOfNexthop(nexthop, all));
    }
    case "rule":
    case "sysctl":
    case "nftTable":
    case "cgroupProgram":
    case "tcProgram":
      return [];
  }
}

/** A rule outlives its link, so the link that it looks at is its home only where its table names none. */
function linkOfRule(object: Desired): string | undefined {
  if (object.kind !== "rule") return undefined;
  return [object.spec.oif, object.spec.iif].find((name) => name !== undefined && name !== "lo");
}

function ownLink(object: Desired, all: readonly Desired[]): string | undefined {
  return linksOf(object, all)[0];
}

function linksOfNexthop(id: number, all: readonly Desired[]): string[] {
  const found = all.find((other) => other.kind === "nexthop" && other.spec.id === id);
  return found ? linksOf(found, all) : [];
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
