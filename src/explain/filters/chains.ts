// Owns the way of a packet through one chain and those that it leads on to.
//
// Source: nft_do_chain (net/netfilter/nf_tables_core.c).
import { placeOf } from "./hooked.ts";
import type { Act, Fate, Hooked } from "./hooked.ts";
import type { FilterChain, FilterRule, Ruleset } from "./ruleset.ts";
import { doStatement, matters } from "./statements.ts";
import type { Surroundings } from "./translations.ts";

/** What came of a chain. */
export interface Outcome {
  packet: Hooked;
  fate: Fate;
  acts: Act[];
}

/** Chains that lead on to others, one inside the other (NFT_JUMP_STACK_SIZE). */
const MOST_JUMPS = 16;

/** Rules that are looked at, and chains that are led on to, for one packet in one base chain. */
const MOST_RULES = 100_000;
const MOST_VISITS = 1000;

/** A run through a base chain. */
interface Run {
  ruleset: Ruleset;
  around: Surroundings;
  packet: Hooked;
  acts: Act[];
  rules: number;
  visits: number;
}

/** Follows a packet through a chain at a hook. */
export function runChain(ruleset: Ruleset, chain: FilterChain, packet: Hooked, around: Surroundings): Outcome {
  const run: Run = { ruleset, around, packet, acts: [], rules: 0, visits: 0 };
  const fate = follow(run, chain, 0) ?? byPolicy(chain);
  return { packet: run.packet, fate, acts: run.acts };
}

function byPolicy(chain: FilterChain): Fate {
  return chain.base?.policy === "drop" ? { is: "dropped", by: placeOf(chain) } : { is: "passes" };
}

/** The last word of a chain; undefined where it has none, so that the chain that led here goes on. */
function follow(run: Run, chain: FilterChain, depth: number): Fate | undefined {
  for (const rule of chain.rules) {
    const stop = (why: string): Fate => ({ is: "unknown", by: placeOf(chain, rule), why });
    if (++run.rules > MOST_RULES) return stop(`${MOST_RULES} rules were looked at`);
    const end = doRule(run, chain, rule);
    switch (end.is) {
      case "through":
        continue;
      case "returns":
        return undefined;
      case "jump":
      case "goto": {
        const target = run.ruleset.chain(chain, end.target);
        if (!target) return stop(`it leads to the chain ${end.target}, which is not listed`);
        if (++run.visits > MOST_VISITS) return stop(`it led on to chains ${MOST_VISITS} times`);
        if (depth >= MOST_JUMPS) return stop(`${MOST_JUMPS} chains lead on to each other`);
        const fate = follow(run, target, depth + 1);
        if (fate || end.is === "goto") return fate;
        continue;
      }
      default:
        return end;
    }
  }
  return undefined;
}

type RuleEnd = Fate | { is: "through" } | { is: "returns" } | { is: "jump" | "goto"; target: string };

function doRule(run: Run, chain: FilterChain, rule: FilterRule): RuleEnd {
  const by = placeOf(chain, rule);
  for (const [i, statement] of rule.expr.entries()) {
    const next = doStatement(statement, run.packet, chain, run.ruleset, run.around);
    if ("packet" in next && next.packet) run.packet = next.packet;
    if ("does" in next && next.does !== undefined) run.acts.push({ by, does: next.does });
    switch (next.is) {
      case "on":
        continue;
      case "break":
        return { is: "through" };
      case "accept":
        return { is: "passes" };
      case "drop":
        return { is: "dropped", by, ...(next.rejected ? { rejected: true } : {}) };
      case "return":
        return { is: "returns" };
      case "jump":
      case "goto":
        return next;
      case "unknown":
        // A rule that only counts or logs has no say.
        if (!matters(statement) && !rule.expr.slice(i + 1).some(matters)) return { is: "through" };
        return { is: "unknown", by, why: next.why };
    }
  }
  return { is: "through" };
}
