// Owns the question whether a table has an answer whatever the packet: what stands behind its rule is then never asked.
import type { RouteTable } from "../explain/tables.ts";
import type { PictureRoute } from "../model/picture.ts";
import { contains, rangeOf } from "../model/prefix.ts";
import type { Range } from "../model/prefix.ts";

/** Types of routes that end a look-up; "throw" sends it back to the rules (fib_props, net/ipv4/fib_semantics.c). */
const ANSWERING: ReadonlySet<string> = new Set(["unicast", "local", "blackhole", "unreachable", "prohibit"]);

const thrown = new WeakMap<RouteTable, Range[]>();

/**
 * The route that answers for every address of the range, whatever else the table holds; undefined when an address may
 * fall through to the next rule. Prefixes of `suppressed` bits and fewer do not count.
 */
export function answerFor(table: RouteTable, range: Range, suppressed = -1): PictureRoute | undefined {
  const throws = thrown.get(table) ?? table.routes.filter(({ type }) => type === "throw").map(({ to }) => rangeOf(to));
  thrown.set(table, throws);
  if (throws.some((one) => contains(range, one) || contains(one, range))) return undefined;
  return table.matching(range).find((route) => answersAlways(route) && rangeOf(route.to).length > suppressed);
}

/** Whether the route answers every packet to its prefix: no type of service, no source prefix, a hop that is alive. */
function answersAlways(route: PictureRoute): boolean {
  if (!ANSWERING.has(route.type) || route.tos !== undefined || route.from !== undefined) return false;
  return route.type !== "unicast" || route.hops.length === 0 || route.hops.some((hop) => !hop.dead && !hop.linkdown);
}
