// Owns the presentation of verdicts on pairs, as text for people and as data, and their comparison with expectations. Pure.
import { isRight, type Verdict } from "./judge.ts";
import { BINDINGS, type Pair } from "./pairs.ts";
import type { PairMethod, PairsExpectation } from "./step-schema.ts";

/** Wrong pairs that the text names one by one. */
const MOST_NAMED = 12;

/** Counts of answered and right pairs among some. */
export interface PairCounts {
  pairs: number;
  answered: number;
  right: number;
}

/** Counts the verdicts, of one method or of all. */
export function countPairs(verdicts: readonly Verdict[], method?: PairMethod): PairCounts {
  const some = verdicts.filter(({ pair }) => method === undefined || pair.method === method);
  return {
    pairs: some.length,
    answered: some.filter(({ answered }) => answered).length,
    right: some.filter(isRight).length,
  };
}

/** What an expectation misses, as clauses; empty when it is met. Without one, every pair has to be right. */
export function missedPairs(verdicts: readonly Verdict[], expectation: PairsExpectation | undefined): string[] {
  const all = countPairs(verdicts);
  const { fails, shown, right, answered } = expectation ?? {};
  const missed: string[] = [];
  if (fails && all.right === all.pairs) missed.push(`all ${all.pairs} pairs are right, but some were expected to fail`);
  for (const method of ["ping", "tcp"] as const) {
    const counts = countPairs(verdicts, method);
    const wantedRight = right?.[method];
    const wantedAnswers = answered?.[method];
    if (wantedRight !== undefined && counts.right < wantedRight) {
      missed.push(`${counts.right} of ${counts.pairs} ${method} pairs are right, not ${wantedRight}`);
    }
    if (wantedAnswers !== undefined && counts.answered < wantedAnswers) {
      missed.push(`${counts.answered} of ${counts.pairs} ${method} pairs are answered, not ${wantedAnswers}`);
    }
  }
  const everyOne = expectation?.all ?? !(fails || shown || right || answered);
  if (everyOne && all.right < all.pairs) missed.push(`${all.right} of ${all.pairs} pairs are right`);
  return missed;
}

/** The table, then the wrong pairs with their reasons. */
export function pairTable(verdicts: readonly Verdict[]): string[] {
  const bindings = BINDINGS.map((binding) => (binding === "unbound" ? binding : `by ${binding}`));
  const rows = [["", "", "answered", ...bindings, "right", ...bindings]];
  for (const method of ["ping", "tcp"] as const) {
    for (const family of [4, 6] as const) {
      const some = verdicts.filter(({ pair }) => pair.method === method && pair.family === family);
      if (some.length === 0) continue;
      const cells = (holds: (verdict: Verdict) => boolean): string[] =>
        [undefined, ...BINDINGS].map((binding) => {
          const these = some.filter(({ pair }) => binding === undefined || pair.binding === binding);
          return `${these.filter(holds).length}/${these.length}`;
        });
      const mark = some.every(isRight) ? "✓" : "✗";
      rows.push([mark, `${method} IPv${family}`, ...cells(({ answered }) => answered), ...cells(isRight)]);
    }
  }
  const wrong = verdicts.filter((verdict) => !isRight(verdict));
  const named = wrong.slice(0, MOST_NAMED).map(({ pair, problems }) => `✗ ${pairText(pair)}: ${problems.join("; ")}`);
  const rest = wrong.length - named.length;
  return [...alignColumns(rows), ...named, ...(rest > 0 ? [`  and ${rest} more (--json has all)`] : [])];
}

/** "ping IPv4 cpuserver16 (from ibs5f1's address) → 172.16.34.2 of ib1" */
export function pairText({ method, family, binding, from, to }: Pair): string {
  const bound =
    binding === "unbound" ? "" : binding === "address" ? ` bound to ${from.address}` : ` bound to ${from.link}`;
  return `${method} IPv${family} ${from.host}${bound} → ${to.address} (${to.link})`;
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}
