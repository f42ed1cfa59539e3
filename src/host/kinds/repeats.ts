// Owns what is read twice. A dump of IPv4 routes goes on where it was by the place of the table in its hash bucket
// (inet_dump_fib, net/ipv4/fib_frontend.c): a table that comes meanwhile, with the same id modulo 256, moves the others,
// and the one that is being read is read again from its beginning. The kernel does not flag that, as it does for rules
// and links. It was never seen to leave a route out.
import type { Key, Kind } from "../../model/kinds.ts";
import type { Observed } from "../../model/objects.ts";
import { canonicalText } from "../../plan/kinds/canonical.ts";

/** The objects without those that repeat an earlier one in everything, which the kernel itself never has. */
export function withoutRepeats<K extends Kind>(objects: readonly Observed<K>[]): Observed<K>[] {
  const first = new Map<Key, Observed<K>>();
  /** Texts of those that share their key, as the link-local routes of all links do: only for them it takes a text. */
  const seen = new Map<Key, Set<string>>();
  return objects.filter((object) => {
    const earlier = first.get(object.key);
    if (earlier === undefined) {
      first.set(object.key, object);
      return true;
    }
    const texts = seen.get(object.key) ?? new Set([canonicalText(earlier.spec)]);
    seen.set(object.key, texts);
    const text = canonicalText(object.spec);
    if (texts.has(text)) return false;
    texts.add(text);
    return true;
  });
}
