// Owns the question what a routing table answers: the longest match, and whether it always has an answer.
import type { Family } from "../model/ip.ts";
import type { HostPicture, PictureHop, PictureRoute } from "../model/picture.ts";
import { contains, cut, rangeOf } from "./prefix.ts";
import type { Range } from "./prefix.ts";

/** Types of routes that end a look-up; "throw" sends it back to the rules (fib_props, net/ipv4/fib_semantics.c). */
const ANSWERING: ReadonlySet<string> = new Set(["unicast", "local", "blackhole", "unreachable", "prohibit"]);

/** One table of one family. */
export class RouteTable {
  readonly routes: PictureRoute[] = [];
  readonly #byNetwork = new Map<number, Map<bigint, PictureRoute[]>>();
  readonly #throws: Range[] = [];

  add(route: PictureRoute): void {
    const range = rangeOf(route.to);
    this.routes.push(route);
    if (route.type === "throw") this.#throws.push(range);
    const networks = this.#byNetwork.get(range.length) ?? new Map<bigint, PictureRoute[]>();
    this.#byNetwork.set(range.length, networks);
    const same = networks.get(range.network);
    if (same) same.push(route);
    else networks.set(range.network, [route]);
  }

  /** Routes that contain all of the range, the longest first, and of equal ones the lowest metric first. */
  matching(range: Range): PictureRoute[] {
    return [...this.#byNetwork]
      .filter(([length]) => length <= range.length)
      .sort(([a], [b]) => b - a)
      .flatMap(([length, networks]) => networks.get(cut(range.network, range.family, length)) ?? [])
      .sort((a, b) => rangeOf(b.to).length - rangeOf(a.to).length || (a.metric ?? 0) - (b.metric ?? 0));
  }

  /**
   * The route that answers for every address of the range, whatever else the table holds; undefined when an address
   * may fall through to the next rule. Prefixes of `suppressed` bits and fewer do not count.
   */
  answerFor(range: Range, suppressed = -1): PictureRoute | undefined {
    if (this.#throws.some((thrown) => contains(range, thrown) || contains(thrown, range))) return undefined;
    return this.matching(range).find((route) => answersAlways(route) && rangeOf(route.to).length > suppressed);
  }
}

/** Whether the route answers every packet to its prefix: no type of service, no source prefix, a hop that is alive. */
function answersAlways(route: PictureRoute): boolean {
  if (!ANSWERING.has(route.type) || route.tos !== undefined || route.from !== undefined) return false;
  return route.type !== "unicast" || route.hops.length === 0 || route.hops.some(isAlive);
}

function isAlive(hop: PictureHop): boolean {
  return !hop.dead && !hop.linkdown;
}

/** All tables of a host, which the checks share: a host may have a hundred thousand routes. */
export function tablesOf(picture: HostPicture): Tables {
  const made = known.get(picture) ?? new Tables(picture);
  known.set(picture, made);
  return made;
}

const known = new WeakMap<HostPicture, Tables>();

/** All tables of a host. */
class Tables {
  readonly #tables = new Map<string, RouteTable>();

  constructor(picture: HostPicture) {
    for (const route of picture.routes) {
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

export type { Tables };
