// Owns the cases of the plan: what shall be and what is in, the steps out.
import { join } from "node:path";
import { linksFrom, testCases } from "../../test/cases.ts";
import type { Kind, Specs } from "../model/kinds.ts";
import type { Observed, Wanted } from "../model/objects.ts";
import { emptyLedger } from "../model/plan.ts";
import type { Ledger, Step } from "../model/plan.ts";
import { composeDesired } from "./compose.ts";
import { fingerprint } from "./kinds/canonical.ts";
import { describeObject, describeStep, rulesOf } from "./kinds/index.ts";
import { makePlan } from "./plan.ts";
import { undoSteps } from "./undo.ts";

const NOWHERE = { file: "", start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };

type ShortObject = Partial<Specs> & { adopt?: true };

/** One object from `{ route: {…} }`. */
function objectOf({ adopt: _asked, ...short }: ShortObject): { kind: Kind; spec: Specs[Kind] } {
  const [entry] = Object.entries(short);
  if (!entry) throw new Error("an object of a case has no kind");
  return { kind: entry[0] as Kind, spec: entry[1] };
}

function observe(short: ShortObject): Observed {
  const { kind, spec: raw } = objectOf(short);
  const spec = rulesOf(kind).normalize(raw);
  const key = rulesOf(kind).identify(spec);
  return { kind, spec, key } as Observed;
}

const line = (step: Step): string => {
  const restore = step.action === "delete" && step.restore !== undefined ? ` back to ${step.restore}` : "";
  const hands =
    step.action === "adopt" && "protocol" in step.before.spec && "protocol" in step.after.spec
      ? ` from ${step.before.spec.protocol} to ${step.after.spec.protocol}${step.beside ? ", which stands already" : ""}`
      : "";
  return `${step.action} (${step.why}) ${describeStep(step)}${restore}${hands}`;
};

testCases(join(import.meta.dirname, "cases"), "plan.yaml", (one) => {
  const desired = (one.yaml("desired.yaml") ?? []) as ShortObject[];
  const {
    links,
    objects = [],
    ledger,
  } = one.yaml("observed.yaml") as {
    links: Parameters<typeof linksFrom>[0];
    objects?: ShortObject[];
    ledger?: Partial<Ledger>;
  };
  const wanted = desired.map(
    (short) => ({ ...objectOf(short), from: NOWHERE, ...(short.adopt ? { adopt: true } : {}) }) as Wanted,
  );
  const want = composeDesired([{ owner: "role/case", wanted }]).value ?? { objects: [] };
  const snapshot = { links: linksFrom(links), observed: objects.map(observe) };
  // A case says what was applied as text, of which the ledger mostly keeps the fingerprint.
  const applied = Object.fromEntries(
    Object.entries(ledger?.applied ?? {}).map(([key, text]) => [
      key,
      key.startsWith("nftTable ") ? text : fingerprint(text),
    ]),
  );
  const plan = makePlan(want, snapshot, { ...emptyLedger(), ...ledger, applied });
  return {
    steps: plan.steps.map(line),
    ...(plan.blocked.length > 0
      ? {
          blocked: plan.blocked.map(
            (row) => `${describeObject(row.desired)}: ${row.why}, ${row.waitsFor}${row.hint ? ` (${row.hint})` : ""}`,
          ),
        }
      : {}),
    settled: plan.settled,
    undo: undoSteps(plan.steps).map(line),
  };
});
