// Owns what a way is found in: the part of a host's picture that decides it, and indices over that.
import type { NexthopSpec } from "../model/kinds.ts";
import type { Family } from "../model/ip.ts";
import type { GroupBuckets, HostPicture, PictureLink, PictureNeighbour, PictureRule } from "../model/picture.ts";
import { Tables } from "./tables.ts";

/** What decides the way of a packet. A HostPicture is one; routingOf (snapshot.ts) makes one of a Snapshot. */
export type Routing = Pick<
  HostPicture,
  "links" | "routes" | "rules" | "nexthops" | "buckets" | "neighbours" | "sysctls" | "tableNames" | "kernel" | "ruleset"
>;

/** What is looked up again and again; a host may have a hundred thousand routes. */
export interface RoutingIndex {
  tables: Tables;
  /** In the kernel's order. */
  rules: Record<Family, readonly PictureRule[]>;
  /** Priorities at which rules stand. */
  priorities: Record<Family, ReadonlySet<number>>;
  nexthops: ReadonlyMap<number, NexthopSpec>;
  /** By the id of a resilient group. */
  buckets: ReadonlyMap<number, GroupBuckets>;
  /** By name, and by each of the other names. */
  links: ReadonlyMap<string, PictureLink>;
  /** By neighbourKey. */
  neighbours: ReadonlyMap<string, PictureNeighbour>;
}

const known = new WeakMap<Routing, RoutingIndex>();

/** The indices of a picture, made once: whoever changes a picture makes a new one. */
export function indexOf(routing: Routing): RoutingIndex {
  const made = known.get(routing) ?? makeIndex(routing);
  known.set(routing, made);
  return made;
}

function makeIndex(routing: Routing): RoutingIndex {
  const rules = {
    4: routing.rules.filter(({ family }) => family === 4),
    6: routing.rules.filter(({ family }) => family === 6),
  };
  const links = new Map<string, PictureLink>();
  for (const link of routing.links) for (const name of link.altNames ?? []) links.set(name, link);
  for (const link of routing.links) links.set(link.name, link);
  return {
    tables: new Tables(routing.routes),
    rules,
    priorities: {
      4: new Set(rules[4].map(({ priority }) => priority)),
      6: new Set(rules[6].map(({ priority }) => priority)),
    },
    nexthops: new Map(routing.nexthops.map((spec) => [spec.id, spec])),
    buckets: new Map((routing.buckets ?? []).map((one) => [one.group, one])),
    links,
    neighbours: new Map((routing.neighbours ?? []).map((entry) => [neighbourKey(entry.link, entry.address), entry])),
  };
}

/** The name of a neighbour's entry. */
export function neighbourKey(link: string, address: string): string {
  return `${link} ${address}`;
}

/** The entry of a neighbour; undefined where the kernel has none, or none was looked at. */
export function neighbourOf(routing: Routing, link: string, address: string): PictureNeighbour | undefined {
  return indexOf(routing).neighbours.get(neighbourKey(link, address));
}

/** Whether frames can be sent to a neighbour in this state at once (NUD_VALID, include/net/neighbour.h). */
export function isValid({ state }: PictureNeighbour): boolean {
  return state !== "none" && state !== "incomplete" && state !== "failed";
}

/** Whether the kernel is this version or a later one; undefined when it is not known. */
export function kernelIsAtLeast({ kernel }: Routing, major: number, minor: number): boolean | undefined {
  const [, a, b] = /^(\d+)\.(\d+)/.exec(kernel ?? "") ?? [];
  if (a === undefined || b === undefined) return undefined;
  return Number(a) > major || (Number(a) === major && Number(b) >= minor);
}
