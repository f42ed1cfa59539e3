// Owns the comparison of a program's end with what a scenario expects of it. Pure.
import type { Ended } from "./child.ts";
import type { Expectation, TextExpectation } from "./step-schema.ts";

/** What the end misses, as clauses; empty when it is as expected. Without `exit` the code has to be 0. */
export function missed(expectation: Expectation | undefined, ended: Ended): string[] {
  const exit = expectation?.exit ?? 0;
  const how = ended.signal ? `it was ended by ${ended.signal}` : `its exit code is ${ended.code}`;
  const clauses: string[] = [];
  if (exit === "failure" ? ended.code === 0 : ended.code !== exit) {
    clauses.push(exit === "failure" ? `${how}, but it was expected to fail` : `${how}, not ${exit}`);
  }
  return [
    ...clauses,
    ...missedText("stdout", expectation?.stdout, ended.stdout),
    ...missedText("stderr", expectation?.stderr, ended.stderr),
  ];
}

function missedText(name: string, expectation: TextExpectation | undefined, text: string): string[] {
  const { equals, contains, lacks, matches } = expectation ?? {};
  const clauses: string[] = [];
  if (equals !== undefined && text.trimEnd() !== equals.trimEnd())
    clauses.push(`${name} is not ${JSON.stringify(equals)}`);
  if (contains !== undefined && !text.includes(contains))
    clauses.push(`${name} does not contain ${JSON.stringify(contains)}`);
  if (lacks !== undefined && text.includes(lacks)) clauses.push(`${name} contains ${JSON.stringify(lacks)}`);
  if (matches !== undefined && !new RegExp(matches, "m").test(text))
    clauses.push(`${name} does not match /${matches}/`);
  return clauses;
}

/** What a program wrote, for a report: both streams, each cut after `most` lines. */
export function quoteOutput(ended: Ended, most = 12): string[] {
  return (["stdout", "stderr"] as const).flatMap((name) => {
    const text = ended[name].trimEnd();
    if (text === "") return [];
    const lines = text.split("\n");
    const rest = lines.length - most;
    return [...lines.slice(0, most), ...(rest > 0 ? [`… ${rest} more lines`] : [])].map((line) => `${name}: ${line}`);
  });
}
