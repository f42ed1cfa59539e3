// Owns the host as it will be once a plan is applied: the same picture with the steps done, so that ways in it can be found
// before anything is changed.
//
// It follows the kernel as far as ways depend on it: an address brings its local and its connected route and takes them
// along (fib_add_ifaddr, fib_del_ifaddr, addrconf_prefix_route), a nexthop object its routes (nexthop_flush_dev).
import { addressBits, networkOf, parsePrefix } from "../model/ip.ts";
import { TABLE } from "../model/kinds.ts";
import type { AddressSpec, NeighbourSpec, RouteSpec, Specs } from "../model/kinds.ts";
import type { Desired, Observed } from "../model/objects.ts";
import type { NftFields, NftTableSpec } from "../model/nft.ts";
import type { PictureRoute } from "../model/picture.ts";
import type { RulesetRow } from "../model/ruleset.ts";
import type { Step } from "../model/plan.ts";
import { KERNEL_PROTOCOL } from "../model/protocol.ts";
import { withAddress, withoutAddress } from "../plan/expected-links.ts";
import { rulesOf } from "../plan/kinds/index.ts";
import { nftEntry } from "../plan/kinds/nft-normal.ts";
import { linkMarks, waysOf } from "./hops.ts";
import type { Routing } from "./routing.ts";

/** A picture whose parts may change. */
type Draft = { -readonly [K in keyof Routing]: Routing[K] };

/** The host after the steps. What the plan says that it cannot do now is not in it. */
export function afterSteps<R extends Routing>(routing: R, steps: readonly Step[]): R {
  // What is taken over is only whose it is.
  const changes = steps.filter((step) => step.action !== "adopt");
  const draft: Draft = {
    ...routing,
    sysctls: { ...routing.sysctls },
    routes: withoutThose("route", routing.routes, changes),
    rules: withoutThose("rule", routing.rules, changes),
  };
  for (const step of changes) {
    if (step.action !== "create") remove(draft, step.before);
    if (step.action !== "delete") add(draft, step.after);
    if (step.action === "delete" && step.before.kind === "sysctl" && step.restore !== undefined) {
      draft.sysctls[step.before.spec.path] = step.restore;
    }
  }
  // Rules of one priority stand in the order in which they came.
  draft.rules.sort((a, b) => a.family - b.family || a.priority - b.priority);
  const after = { ...routing, ...draft };
  // The kernel tells with a route the hops that its nexthop object has.
  const routes = after.routes.map((route) =>
    route.nexthop === undefined ? route : { ...route, hops: waysOf(after, { ...route, hops: [] }).hops },
  );
  return { ...after, routes };
}

/** The objects but those that steps take away or replace; of several that are equal, as many as there are steps. */
function withoutThose<K extends "route" | "rule", T extends Specs[K]>(
  kind: K,
  all: readonly T[],
  steps: readonly Step[],
): T[] {
  const name = (spec: Specs[K]): string => `${spec.protocol} ${rulesOf(kind).identify(spec)}`;
  const gone = new Map<string, number>();
  for (const step of steps) {
    if (step.action === "create" || step.before.kind !== kind) continue;
    const key = name(step.before.spec as Specs[K]);
    gone.set(key, (gone.get(key) ?? 0) + 1);
  }
  if (gone.size === 0) return [...all];
  return all.filter((one) => {
    const key = name(one);
    const left = gone.get(key) ?? 0;
    if (left > 0) gone.set(key, left - 1);
    return left === 0;
  });
}

function add(draft: Draft, object: Desired): void {
  switch (object.kind) {
    case "route":
      draft.routes.push(pictureRoute(draft, object.spec));
      return;
    case "rule":
      draft.rules.push(object.spec);
      return;
    case "nexthop":
      draft.nexthops = [...draft.nexthops, object.spec].sort((a, b) => a.id - b.id);
      return;
    case "neighbour":
      addNeighbour(draft, object.spec);
      return;
    case "address":
      changeAddresses(draft, object.spec, (addresses) => withAddress(addresses, object.spec));
      return;
    case "sysctl":
      draft.sysctls[object.spec.path] = object.spec.value;
      return;
    case "nftTable":
      if (draft.ruleset) draft.ruleset = [...draft.ruleset, ...rowsOf(object.spec)];
      return;
    case "cgroupProgram":
    case "tcProgram":
  }
}

function remove(draft: Draft, object: Observed): void {
  switch (object.kind) {
    case "nexthop":
      draft.nexthops = draft.nexthops.filter(({ id }) => id !== object.spec.id);
      // Where its buckets will lead, the kernel says once they are there.
      if (draft.buckets) draft.buckets = draft.buckets.filter(({ group }) => group !== object.spec.id);
      return;
    case "neighbour": {
      const { link, address } = object.spec;
      const others = draft.neighbours?.filter((one) => one.link !== link || one.address !== address);
      if (others) draft.neighbours = others;
      return;
    }
    case "address":
      changeAddresses(draft, object.spec, (addresses) => withoutAddress(addresses, object.key));
      return;
    case "nftTable": {
      const { family, name } = object.spec;
      const isOf = (fields: NftFields): boolean => fields["family"] === family && fields["table"] === name;
      const others = draft.ruleset?.filter((row) => !Object.values(row).some(isOf));
      if (others) draft.ruleset = others;
      return;
    }
    // Those are gone already, or have nothing to do with ways.
    case "route":
    case "rule":
    case "sysctl":
    case "cgroupProgram":
    case "tcProgram":
  }
}

/** A table as it will be listed. */
function rowsOf({ family, name, objects }: NftTableSpec): RulesetRow[] {
  return objects.map((object) => {
    const [kind, fields] = nftEntry(object);
    return { [kind]: { ...fields, family, table: name } };
  });
}

function pictureRoute(draft: Draft, spec: RouteSpec): PictureRoute {
  return { ...spec, hops: spec.hops.map((hop) => ({ ...hop, ...linkMarks(draft, hop.link) })) };
}

function addNeighbour(draft: Draft, { family, link, address, proxy, hardwareAddress, state }: NeighbourSpec): void {
  if (proxy || link === undefined) return;
  const entry = {
    family,
    link,
    address,
    state: state ?? "permanent",
    ...(hardwareAddress === undefined ? {} : { hardwareAddress }),
  };
  draft.neighbours = [...(draft.neighbours ?? []), entry];
}

/** Changes the addresses of a link, and the routes that come with them. */
function changeAddresses(
  draft: Draft,
  spec: AddressSpec,
  change: (addresses: readonly AddressSpec[]) => AddressSpec[],
): void {
  const link = draft.links.find(({ name }) => name === spec.link);
  if (!link) return;
  const before = ownRoutes(link.addresses, spec.link);
  // An address that the file asks for is usable once the plan is done.
  const addresses = change(link.addresses).map(({ order: _order, ...one }) => one);
  draft.links = draft.links.map((one) => (one === link ? { ...link, addresses } : one));
  const after = ownRoutes(addresses, spec.link);
  const gone = before.filter((route) => !after.some((other) => isSameOwn(route, other)));
  const come = link.up ? after.filter((route) => !before.some((other) => isSameOwn(route, other))) : [];
  draft.routes = [
    ...draft.routes.filter((route) => !gone.some((other) => isSameOwn(route, other))),
    ...come.map((route) => pictureRoute(draft, route)),
  ];
}

/** The routes that the kernel makes for the addresses of a link. */
function ownRoutes(addresses: readonly AddressSpec[], link: string): RouteSpec[] {
  return addresses.flatMap(({ family, address, secondary }): RouteSpec[] => {
    const parts = parsePrefix(address);
    if (!parts) return [];
    const [host, bits] = [parts.address, addressBits(family)];
    const own = { family, hops: [{ link }], protocol: KERNEL_PROTOCOL } as const;
    const source = family === 4 ? { source: host } : {};
    const local: RouteSpec = {
      ...own,
      hops: [...own.hops],
      table: TABLE.local,
      to: `${host}/${bits}`,
      type: "local",
      ...source,
    };
    if (secondary || parts.length === bits) return [local];
    const metric = family === 6 ? { metric: 256 } : {};
    const near: RouteSpec = {
      ...own,
      hops: [...own.hops],
      table: TABLE.main,
      to: networkOf(address),
      type: "unicast",
      ...source,
      ...metric,
    };
    return [local, near];
  });
}

function isSameOwn(a: PictureRoute, b: PictureRoute): boolean {
  return (
    a.protocol === KERNEL_PROTOCOL &&
    b.protocol === KERNEL_PROTOCOL &&
    a.table === b.table &&
    a.to === b.to &&
    a.type === b.type &&
    a.hops[0]?.link === b.hops[0]?.link
  );
}
