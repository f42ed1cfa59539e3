// Owns what becomes of a request to change the host, with or without an agent: apply, remove, confirm, rollback, and
// the undoing of what nobody confirmed.
import type { Config } from "../config/config.ts";
import type { ConfirmedFiles, Confirmation } from "../host/ledger/confirmed.ts";
import type { Deadline, Pending } from "../host/ledger/deadline.ts";
import { sinceBootMs } from "../host/ledger/deadline.ts";
import { networkMounts } from "../host/network-mounts.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import { hasErrors } from "../model/diagnostic.ts";
import type { Plan } from "../model/plan.ts";
import type { MaybeTexts } from "../model/texts.ts";
import { isStale } from "../plan/plan-json.ts";
import type { ChangeRequest, Reply } from "./api/schema.ts";
import { change } from "./change.ts";
import type { Changed, Objection, Workplace } from "./change.ts";
import { objectToCuts } from "./lifelines.ts";
import type { Look } from "./look.ts";
import { parseTexts, sourcesOf } from "./texts.ts";

/** A workplace with what was confirmed and what waits for it. */
export interface Office extends Workplace {
  confirmed: ConfirmedFiles;
  deadline: Deadline;
}

/** Who asks. */
export interface Asker {
  /** User id, of the login where that is known. */
  uid: number;
}

/** What the host shall be like after an accepted request: for the agent, which keeps it so. */
export interface Course extends Entry {
  config: Config;
}

/** Texts with the path of their file, for messages. */
type Entry = MaybeTexts & { file: string };

/** A reply, and the course that it puts the host on where it changes that. */
export interface CarriedOut {
  reply: Reply;
  course?: Course;
}

/** Asks for nothing: everything of heddle's goes. */
export const NOTHING: Config = { file: "", ranges: {}, sections: [] };

/** Does what a request asks for. The caller holds the lock. Throws HostError where the state cannot be written first. */
export async function carryOut(request: ChangeRequest, asker: Asker, office: Office): Promise<CarriedOut> {
  switch (request.do) {
    case "apply":
      return applyText(request, { ...request, by: asker.uid }, office);
    case "remove":
      return applyText(request, { file: "", by: asker.uid }, office);
    case "confirm":
      return confirm(office);
    case "rollback":
      return rollBack(request, asker, office);
  }
}

/** Undoes what waits for its confirmation: back to the last confirmed file, or to nothing where there was none. */
export async function undo(office: Office): Promise<CarriedOut & { course: Course }> {
  const { confirmed } = await office.confirmed.current();
  const course = courseOf(confirmed);
  const changed = await change(course.config, office);
  if (changed.outcome === "done" || changed.outcome === "waiting") await office.deadline.clear();
  return { reply: replyOf(changed, course), course };
}

/** The course that a confirmed file puts the host on. One that this version no longer understands asks for nothing. */
export function courseOf(confirmed: Entry | undefined): Course {
  if (confirmed?.text === undefined) return { file: confirmed?.file ?? "", config: NOTHING };
  const { file, text, beside } = confirmed;
  const { value, diagnostics } = parseTexts({ file, text, beside });
  if (!value || hasErrors(diagnostics)) throw new UnusableFile(file, diagnostics);
  return { file, text, beside, config: value };
}

/** A file that was right when it was confirmed, and is not for this version of heddle. */
export class UnusableFile extends Error {
  override name = "UnusableFile";
  readonly diagnostics: Diagnostic[];

  constructor(file: string, diagnostics: Diagnostic[]) {
    super(`the confirmed text of ${file} cannot be used: ${diagnostics[0]?.summary ?? "it is wrong"}`);
    this.diagnostics = diagnostics;
  }
}

type Changing = Exclude<ChangeRequest, { do: "confirm" }>;

async function applyText(
  request: Changing,
  { file, text, beside, by }: Entry & { by: number },
  office: Office,
): Promise<CarriedOut> {
  const parsed = text === undefined ? { value: NOTHING, diagnostics: [] } : parseTexts({ file, text, beside });
  const said = parsed.diagnostics;
  if (!parsed.value || hasErrors(said)) return { reply: { outcome: "failed", diagnostics: said, findings: [] } };
  const config = parsed.value;
  const confirmation = "confirm" in request ? request.confirm : undefined;
  const entry = { file, by, text, beside };
  const earlier = await office.deadline.read();
  let changed: Changed | undefined;
  try {
    changed = await change(config, office, async (look) => {
      const objection = object(request, look);
      if (objection) return objection;
      // Written before anything is done: whatever dies from here on, the deadline is known.
      if (confirmation) {
        await office.deadline.write({ ...entry, ...confirmation, summary: summaryOf(look.plan) });
      }
      return undefined;
    });
  } finally {
    // A change that failed is undone already, so what was in force before it is so again.
    if (confirmation && !isDone(changed)) await (earlier ? office.deadline.write(earlier) : office.deadline.clear());
  }
  const reply = replyOf({ ...changed, diagnostics: [...said, ...changed.diagnostics] });
  if (!isDone(changed)) return { reply };
  if (!confirmation) {
    const summary = summaryOf(changed.plan);
    reply.diagnostics.push(...(await keep({ ...entry, at: new Date().toISOString(), summary }, office)));
  }
  return { reply, course: { file, text, beside, config } };
}

function isDone(changed: Changed | undefined): boolean {
  return changed?.outcome === "done" || changed?.outcome === "waiting";
}

function object(request: Changing, look: Look): Objection | undefined {
  if (request.do === "apply" && request.agreed && isStale(request.agreed.steps, look.plan)) {
    return { outcome: "stale", diagnostics: [stalePlan(request.agreed.path)] };
  }
  if (request.force) return undefined;
  const guarded = "confirm" in request && request.confirm !== undefined;
  const diagnostics = objectToCuts(look, { ssh: request.ssh, mounts: networkMounts(), guarded });
  return diagnostics.length > 0 ? { outcome: "refused", diagnostics } : undefined;
}

/** Puts a file into force for the next boot. What is done is done, so that it cannot be written is only said. */
async function keep(confirmation: Confirmation, { confirmed, deadline }: Office): Promise<Diagnostic[]> {
  try {
    // Nothing was ever kept, and nothing is to be: a remove leaves no trace.
    const isFirst = (await confirmed.current()).confirmed === undefined;
    if (confirmation.text !== undefined || !isFirst) await confirmed.add(confirmation);
    await deadline.clear();
    return [];
  } catch (error) {
    return [
      {
        code: "not-confirmed",
        severity: "warning",
        summary: "this is in force, but it could not be kept for the next boot",
        detail: `${error instanceof Error ? error.message : String(error)}. The boot would load the file that was confirmed before.`,
        remedy: "Make room in the state directory, and apply again.",
      },
    ];
  }
}

async function confirm({ confirmed, deadline }: Office): Promise<CarriedOut> {
  const pending = await deadline.read();
  if (!pending) return { reply: failed(NOTHING_PENDING) };
  if (pending.until <= sinceBootMs()) return { reply: failed(TOO_LATE) };
  const { token: _1, until: _2, ...entry } = pending;
  await confirmed.add({ ...entry, at: new Date().toISOString() });
  await deadline.clear();
  return { reply: { outcome: "done", diagnostics: [], findings: [], said: `Confirmed: ${pending.summary}.` } };
}

async function rollBack(
  request: Extract<ChangeRequest, { do: "rollback" }>,
  asker: Asker,
  office: Office,
): Promise<CarriedOut> {
  const { confirmed } = await office.confirmed.list();
  const pending = await office.deadline.read();
  const to = request.to;
  // While something waits for its confirmation, the last confirmed file is the one before.
  const target = to === undefined ? confirmed[pending ? 0 : 1] : confirmed.find(({ serial }) => serial === to);
  if (!target) return { reply: failed(to === undefined ? NOTHING_BEFORE : noSuch(to)) };
  const { file, text, beside } = target;
  const done = await applyText(request, { file, text, beside, by: asker.uid }, office);
  return { ...done, reply: { ...done.reply, ...sourcesIn(target) } };
}

function replyOf(changed: Changed, course?: Course): Reply {
  const { look: _, ...reply } = changed;
  return { ...reply, ...(course ? sourcesIn(course) : {}) };
}

function sourcesIn({ file, text, beside }: Entry): Pick<Reply, "sources"> {
  return text === undefined ? {} : { sources: sourcesOf({ file, text, beside }) };
}

function failed(diagnostic: Diagnostic): Reply {
  return { outcome: "failed", diagnostics: [], findings: [diagnostic] };
}

/** "3 made, 1 changed, 2 removed", with what waits. */
export function summaryOf(plan: Plan | undefined): string {
  const steps = plan?.steps ?? [];
  const count = (action: string): number => steps.filter((step) => step.action === action).length;
  const waiting = plan && plan.blocked.length > 0 ? `, ${plan.blocked.length} waiting` : "";
  const taken = count("adopt") > 0 ? `${count("adopt")} taken over, ` : "";
  return `${taken}${count("create")} made, ${count("replace")} changed, ${count("delete")} removed${waiting}`;
}

function stalePlan(path: string): Diagnostic {
  return {
    code: "stale-plan",
    severity: "error",
    summary: `${path} is out of date`,
    detail: "The host has changed since it was made: its steps would not be the same today. Nothing was done.",
    remedy: "Make the plan again, look at it, and apply it.",
  };
}

const NOTHING_PENDING: Diagnostic = {
  code: "nothing-to-confirm",
  severity: "error",
  summary: "nothing waits to be confirmed",
  detail: "Either nothing was applied with --confirm, or its time was over and it was undone.",
  remedy: "Look at `heddle history`, and apply the file again.",
};

const TOO_LATE: Diagnostic = {
  code: "too-late",
  severity: "error",
  summary: "the time to confirm is over",
  detail: "What was applied is being undone.",
  remedy: "Apply it again, with a longer time.",
};

const NOTHING_BEFORE: Diagnostic = {
  code: "nothing-before",
  severity: "error",
  summary: "there is no confirmed file to go back to",
  remedy: "`heddle history` lists those that are kept.",
};

function noSuch(serial: number): Diagnostic {
  return {
    code: "no-such-file",
    severity: "error",
    summary: `no confirmed file has the number ${serial}`,
    remedy: "`heddle history` lists those that are kept.",
  };
}

export type { Pending };
