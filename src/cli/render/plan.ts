// Owns how a plan looks to a person: a diff.
import type { Kind, Specs } from "../../model/kinds.ts";
import type { Observed } from "../../model/objects.ts";
import type { Blocked, Plan, Step } from "../../model/plan.ts";
import { protocolName } from "../../model/protocol.ts";
import { rulesOf } from "../../plan/kinds/index.ts";
import { harmless } from "./diagnostics.ts";
import type { Paint } from "./style.ts";

export { planJson } from "../../plan/plan-json.ts";

/** Why a step is there, where that is not plain from its sign. */
const REASON: Partial<Record<Step["why"], string>> = {
  missing: "was made before and is gone",
  drift: "was changed by somebody else",
  orphan: "left over from an earlier heddle",
};

/** The plan as a diff: "+" is made, "-" goes, "@" is taken over, and what waits stands below. Ends with a newline unless empty. */
export function renderPlan(plan: Plan, paint: Paint): string {
  const lines = plan.steps.flatMap((step) => renderStep(step, paint));
  for (const blocked of plan.blocked) lines.push(renderBlocked(blocked, paint));
  return lines.map((line) => `${line}\n`).join("");
}

/** "3 to make, 1 to change, 2 to remove", with what waits. */
export function summarize(plan: Plan): string {
  const count = (action: Step["action"]): number => plan.steps.filter((step) => step.action === action).length;
  const taken = count("adopt") > 0 ? [`${count("adopt")} to take over`] : [];
  const parts = [
    ...taken,
    `${count("create")} to make`,
    `${count("replace")} to change`,
    `${count("delete")} to remove`,
  ];
  if (plan.blocked.length > 0) parts.push(`${plan.blocked.length} waiting`);
  return parts.join(", ");
}

function renderStep(step: Step, paint: Paint): string[] {
  const owners = step.action === "delete" ? "" : step.after.owners.join(", ");
  const note = [REASON[step.why], owners].filter(Boolean).join("; ");
  const suffix = note ? `  ${paint("dim", `# ${note}`)}` : "";
  switch (step.action) {
    case "create":
      return [paint("green", `+ ${line(step.after)}`) + suffix];
    case "replace":
      if (step.after.kind === "sysctl" && step.before.kind === "sysctl") {
        const change = ` (was ${step.before.spec.value})`;
        return [paint("yellow", `~ ${line(step.after)}${change}`) + suffix];
      }
      return [paint("red", `- ${line(step.before)}`), paint("green", `+ ${line(step.after)}`) + suffix];
    case "delete":
      if (step.before.kind === "sysctl") {
        const spec = { path: step.before.spec.path, value: step.restore ?? "" };
        return [paint("yellow", `~ ${line({ kind: "sysctl", spec })} (was ${step.before.spec.value})`) + suffix];
      }
      return [paint("red", `- ${line(step.before)}`) + suffix];
    case "adopt":
      return [paint("magenta", `@ ${line(step.after)}${ownerOf(step.before)}`) + suffix];
  }
}

/** " (was static)": whose it is before heddle takes it over. */
function ownerOf({ spec }: Observed): string {
  return "protocol" in spec ? ` (was ${protocolName(spec.protocol)})` : "";
}

function renderBlocked(blocked: Blocked, paint: Paint): string {
  const because =
    blocked.why === "foreign" ? `in the way, and not ours: ${blocked.waitsFor}` : `waits for ${blocked.waitsFor}`;
  const hint = blocked.hint === undefined ? "" : `; ${blocked.hint}`;
  return paint("cyan", `? ${line(blocked.desired)}`) + `  ${paint("dim", `# ${because}${hint}`)}`;
}

/** The kind, padded so that the objects stand in a column, and the object. */
function line<K extends Kind>(object: { kind: K; spec: Specs[K] }): string {
  return harmless(`${object.kind.padEnd(6)} ${rulesOf(object.kind).describe(object.spec)}`);
}
