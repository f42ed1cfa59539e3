// Owns the routes of each table, found by destination: those that a packet may take, in the order in which the kernel asks them.
import { addressBits } from "../model/ip.ts";
import type { Family } from "../model/ip.ts";
import type { PictureRoute } from "../model/picture.ts";
import { cut, rangeOf } from "../model/prefix.ts";
import type { Range } from "../model/prefix.ts";
import { defaultMetric } from "../plan/kinds/route.ts";

/** One table of one family. */
export class RouteTable {
  readonly routes: PictureRoute[] = [];
  readonly #byNetwork = new Map<number, Map<bigint, PictureRoute[]>>();
  #inOrder = true;

  add(route: PictureRoute): void {
    const range = rangeOf(route.to);
    this.routes.push(route);
    const networks = this.#byNetwork.get(range.length) ?? new Map<bigint, PictureRoute[]>();
    this.#byNetwork.set(range.length, networks);
    const same = networks.get(range.network);
    if (!same) networks.set(range.network, [route]);
    else {
      if (order(same.at(-1) as PictureRoute, route) > 0) this.#inOrder = false;
      same.push(route);
    }
  }

  /** Routes to each prefix that contains all of the range, the longest prefix first. */
  groups(range: Range): PictureRoute[][] {
    this.#sort();
    const found: PictureRoute[][] = [];
    for (let length = range.length; length >= 0; length--) {
      const same = this.#byNetwork.get(length)?.get(cut(range.network, range.family, length));
      if (same) found.push(same);
    }
    return found;
  }

  /** The same as one list. */
  matching(range: Range): PictureRoute[] {
    return this.groups(range).flat();
  }

  /** Puts the routes to one prefix into the kernel's order, where whoever took the picture did not. */
  #sort(): void {
    if (this.#inOrder) return;
    this.#inOrder = true;
    for (const networks of this.#byNetwork.values()) for (const same of networks.values()) same.sort(order);
  }
}

/** Of equal prefixes: the higher type of service, then the lower metric, then who came first (fib_insert_alias, fib6_add_rt2node). */
function order(a: PictureRoute, b: PictureRoute): number {
  const metric = (route: PictureRoute): number => route.metric ?? defaultMetric(route.family);
  return (b.tos ?? 0) - (a.tos ?? 0) || metric(a) - metric(b);
}

/** All tables of a host. */
export class Tables {
  readonly #tables = new Map<string, RouteTable>();

  constructor(routes: readonly PictureRoute[]) {
    for (const route of routes) {
      const name = `${route.family}/${route.table}`;
      const table = this.#tables.get(name) ?? new RouteTable();
      this.#tables.set(name, table);
      table.add(route);
    }
  }

  /** A table without routes is no table. */
  get(family: Family, table: number | undefined): RouteTable | undefined {
    return table === undefined ? undefined : this.#tables.get(`${family}/${table}`);
  }
}

/** The whole prefix of an address. */
export function hostRange(address: string): Range {
  const range = rangeOf(address);
  if (range.length !== addressBits(range.family)) throw new RangeError(`not an address: ${address}`);
  return range;
}
