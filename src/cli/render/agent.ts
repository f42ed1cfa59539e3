// Owns how the agent's word of itself looks to a person, and what is worth saying of the file beside it.
import type { AgentStatus } from "../../agent/api/schema.ts";
import { sinceBootMs } from "../../host/ledger/deadline.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { areSameTexts } from "../../model/texts.ts";
import type { Context } from "../context.ts";
import type { Session } from "../session.ts";
import { harmless } from "./diagnostics.ts";

/** Lines on the agent. */
export function renderAgent(agent: AgentStatus): string {
  const { looks, repairs, standing, troubles, file } = agent;
  const lines = [
    `agent: keeps ${file?.path || "nothing"} since ${clock(agent.since)} (process ${agent.pid}, ${Math.round(agent.memoryKb / 1024)} MB)`,
    `  ${looks.count} looks, the last ${looks.last ? clock(looks.last) : "not yet"}; ${repairs.count} repairs${repairs.last ? `, the last ${clock(repairs.last)}` : ""}`,
    ...(agent.pendingS === undefined ? [] : [`  waits to be confirmed; undone in ${agent.pendingS} s`]),
    ...standing.map(({ object, why, count, restsS, culprit }) => {
      const what = why === "fight" ? `taken away ${count} times` : `refused by the kernel ${count} times`;
      return `  ${object}: ${what}${culprit === undefined ? "" : `, by ${culprit}`}; next try in ${restsS} s`;
    }),
    ...[...new Set(standing.flatMap(({ remedy }) => remedy ?? []))].map((remedy) => `  Remedy: ${remedy}`),
    ...troubles.map((trouble) => `  trouble: ${trouble}`),
  ];
  return harmless(lines.join("\n"));
}

/** Local time, with the day where that is not today. */
function clock(iso: string): string {
  const [then, today] = [new Date(iso), new Date()];
  const time = then.toLocaleTimeString("en-GB");
  return then.toDateString() === today.toDateString() ? time : `${then.toISOString().slice(0, 10)} ${time}`;
}

/** What an operator who looks at one file should know of the others: another one is in force, or waits. */
export async function besideTheFile(
  context: Context,
  { confirmed, deadline }: Session,
  agent: AgentStatus | undefined,
): Promise<Diagnostic[]> {
  const pending = await deadline.read();
  const { confirmed: last } = await confirmed.current();
  const inForce = agent ? agent.file : (pending ?? last);
  const said: Diagnostic[] = [];
  if (pending) {
    const leftS = Math.ceil((pending.until - sinceBootMs()) / 1000);
    said.push({
      code: "to-be-confirmed",
      severity: "warning",
      summary: leftS > 0 ? `this is undone in ${leftS} s, unless it is confirmed` : "this was not confirmed in time",
      detail: `${pending.file} was applied with --confirm: ${pending.summary}.`,
      remedy:
        leftS > 0
          ? "Keep it with: heddle confirm."
          : "It is undone by the agent or the guard; if neither lives, with: heddle rollback.",
    });
  }
  if ((agent || last) && inForce?.text !== undefined && !areSameTexts(inForce, context.textsOf())) {
    said.push({
      code: "file-differs",
      severity: "note",
      summary: `${context.options.file} was changed since it was applied`,
      detail: "The boot and the agent go by what was applied, not by the file.",
      remedy: "See what would change with `heddle plan`, and put it into force with `heddle apply`.",
    });
  }
  return said;
}
