// Owns what is read twice. A dump of IPv4 routes goes on where it was by the place of the table in its hash bucket
// (inet_dump_fib, net/ipv4/fib_frontend.c): a table that comes meanwhile, with the same id modulo 256, moves the others,
// and the one that is being read is read again from its beginning. The kernel does not flag that, as it does for rules
// and links. It was never seen to leave a route out.
import { ipv4Number } from "../../model/ip.ts";
import type { Key, RouteSpec } from "../../model/kinds.ts";
import type { Observed } from "../../model/objects.ts";
import { canonicalText } from "../../plan/kinds/canonical.ts";

/** The routes without those that repeat an earlier one in everything, which the kernel itself never has. */
export function withoutRepeats(routes: Observed<"route">[]): Observed<"route">[] {
  const doubtful = tablesInDoubt(routes);
  const first = new Map<Key, Observed<"route">>();
  /** Texts of those that share their key, as the link-local routes of all links do: only for them it takes a text. */
  const seen = new Map<Key, Set<string>>();
  if (doubtful.size === 0) return routes;
  return routes.filter((route) => {
    if (!doubtful.has(tableId(route.spec))) return true;
    const earlier = first.get(route.key);
    if (earlier === undefined) {
      first.set(route.key, route);
      return true;
    }
    const texts = seen.get(route.key) ?? new Set([canonicalText(earlier.spec)]);
    seen.set(route.key, texts);
    const text = canonicalText(route.spec);
    if (texts.has(text)) return false;
    texts.add(text);
    return true;
  });
}

/**
 * Tables whose routes do not go upwards all the way, from a destination to a higher one or to one with fewer bits. The
 * kernel says those of IPv4 in that order (fib_table_dump), in which none can repeat another: so large tables are
 * looked at once, and nothing of them is kept.
 */
function tablesInDoubt(routes: readonly Observed<"route">[]): ReadonlySet<number> {
  const doubtful = new Set<number>();
  const highest = new Map<number, number>();
  for (const { spec } of routes) {
    const id = tableId(spec);
    const place = placeOf(spec);
    // Whatever cannot be placed is not higher than anything.
    if (!(place > (highest.get(id) ?? -1))) doubtful.add(id);
    highest.set(id, place);
  }
  return doubtful;
}

/** One number for a table of either family. */
function tableId({ family, table }: RouteSpec): number {
  return family === 4 ? table : -table;
}

/** Where an IPv4 destination stands among all, with those of more bits before those of fewer; NaN for IPv6. */
function placeOf({ family, to }: RouteSpec): number {
  if (family === 6) return NaN;
  const slash = to.indexOf("/");
  return (ipv4Number(to, slash) ?? NaN) * 64 + 32 - Number(to.slice(slash + 1));
}
