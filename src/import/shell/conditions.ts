// Owns the judging of conditions: which branches of a hook make routing, for which link, and which take it away.
import { baseName } from "./items.ts";
import type { SimpleCommand } from "./items.ts";
import { literalText } from "./words.ts";
import type { Word } from "./words.ts";

/** What is known of a condition. `bind`, `unless`: it asks which link the hook is called for. */
export type Verdict =
  | { is: "bind" | "unless"; name: string; value: string }
  | { is: "true" }
  /** About the run, not about the routing: who runs it, whether something stands already. Taken to hold. */
  | { is: "asking" }
  /** False, or true only when things are taken down. */
  | { is: "false" }
  | { is: "unknown" };

/** What hooks call the link that they are called for. */
const LINK_VARIABLES: ReadonlySet<string> = new Set(
  "IFACE INTERFACE DEVICE DEVICE_IFACE DEV NIC IF iface interface dev device nic 1".split(" "),
);

const UP: ReadonlySet<string> = new Set(
  "up pre-up post-up start restart routable configured carrier bound on add dhcp4-change".split(" "),
);
const DOWN: ReadonlySet<string> = new Set(
  "down pre-down post-down vpn-down stop off no-carrier degraded dormant remove del delete flush disable".split(" "),
);

/** Whether a word says that things are taken down: an event of a hook, an argument of an init script. */
export function isDownWord(text: string): boolean {
  return DOWN.has(text);
}

/** Whether a word says that things are set up. */
export function isUpWord(text: string): boolean {
  return UP.has(text);
}

/** Whether a variable is known to name the link that a hook is called for. */
export function isLinkVariable(name: string): boolean {
  return LINK_VARIABLES.has(name);
}

/** Judges `[ … ]`, `[[ … ]]` and `test …`; undefined for any other command. */
export function judgeTest(words: readonly Word[], variables: ReadonlyMap<string, string>): Verdict | undefined {
  const [head = "", ...rest] = words.map((word) => literalText(word) ?? "");
  if (!["[", "[[", "test"].includes(head)) return undefined;
  const inner = words.slice(1).filter((_word, i) => !["]", "]]"].includes(rest[i] ?? "") || i < rest.length - 1);
  const operator = literalText(inner[1] ?? inner[0] ?? (words[0] as Word)) ?? "";
  const [left, , right] = inner;
  if (inner.length !== 3 || !left || !right || !["=", "==", "!="].includes(operator)) {
    // `[ -f FILE ]`, `[ -z "$X" ]`, `[ $(whoami) = root ]`
    return { is: "asking" };
  }
  return (
    compare(left, right, operator === "!=", variables) ??
    compare(right, left, operator === "!=", variables) ?? { is: "asking" }
  );
}

function compare(
  side: Word,
  other: Word,
  negated: boolean,
  variables: ReadonlyMap<string, string>,
): Verdict | undefined {
  const name = variableOf(side);
  const value = literalText(other);
  if (name === undefined || value === undefined) return undefined;
  const known = variables.get(name);
  if (known !== undefined) return { is: (known === value) !== negated ? "true" : "false" };
  if (isDownWord(value)) return { is: negated ? "true" : "false" };
  if (isUpWord(value)) return { is: negated ? "false" : "true" };
  if (isLinkVariable(name) && value !== "") return { is: negated ? "unless" : "bind", name, value };
  return { is: "unknown" };
}

/** The variable that a word is, if it is nothing else. */
export function variableOf(word: Word): string | undefined {
  const pieces = word.pieces.filter((piece) => !("text" in piece) || piece.text !== "");
  const [only] = pieces;
  return pieces.length === 1 && only && "variable" in only ? only.variable : undefined;
}

/** How much a verdict says; of several conditions in a row the one that says most decides. */
const WEIGHT: Record<Verdict["is"], number> = { true: 0, asking: 1, unknown: 2, unless: 3, bind: 4, false: 5 };

/** Programs that only look: a condition on them asks whether something stands already. */
const ASKING: ReadonlySet<string> = new Set("grep egrep whoami id true : command which ip iptables".split(" "));

/** Whether a command only looks at what stands. */
export function isAsking(command: SimpleCommand): boolean {
  const first = command.words.map((word) => baseName(literalText(word) ?? "")).find((text) => text !== "sudo");
  return ASKING.has(first ?? "");
}

/** The one of two verdicts that says more. */
export function stronger(a: Verdict, b: Verdict): Verdict {
  return WEIGHT[b.is] > WEIGHT[a.is] ? b : a;
}
