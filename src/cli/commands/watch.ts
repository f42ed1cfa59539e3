// Owns `heddle watch`: it asks what the file wants asked, tells what it finds, and applies the file when that changes.
//
// The agent does this as part of its life; this command is for hosts without one, and for tests.
import { startPing } from "../../host/probes/ping.ts";
import { StateStore, statePaths } from "../../host/ledger/store.ts";
import { secondsSinceBoot, signalsFolder, writeSignals } from "../../host/signals.ts";
import { judgeAnswer, noVerdict } from "../../probes/verdict.ts";
import type { Verdict } from "../../probes/verdict.ts";
import type { ProbeSignal, ProbeWish } from "../../model/signals.ts";
import { ROLES } from "../../roles/index.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { apply } from "./apply.ts";

/** How often rows are written though nothing has changed, ms: readers stop believing what is old. */
const WRITE_MS = 1000;
/** Where another heddle is at work, it is tried again after this, ms. */
const AGAIN_MS = 200;

/** A target with what is known of it. */
interface Watched {
  wish: ProbeWish;
  verdict: Verdict;
  rttMs?: number;
}

/** Watches until SIGTERM or SIGINT. */
export async function watchTargets(context: Context): Promise<ExitCode> {
  const { config, diagnostics } = await context.readConfig();
  if (!config) return context.fail(diagnostics);
  const wishes = config.sections.flatMap(
    (section) => ROLES.find(({ name }) => name === section.role)?.watches?.(section) ?? [],
  );
  if (wishes.length === 0) {
    const summary = "the file has nothing to watch";
    const remedy = "Add `check: {}` to a section of `egress` with several gateways.";
    return context.fail([...diagnostics, { code: "nothing-to-watch", severity: "error", summary, remedy }]);
  }
  const { runFolder, cookie } = await StateStore.open(statePaths(context.options.state));
  const folder = signalsFolder(runFolder, cookie);
  const watched = wishes.map((wish): Watched => ({ wish, verdict: noVerdict() }));
  const tell = (): Promise<void> => writeSignals(folder, "probes", watched.map(rowOf));

  let changed = false;
  let wake = (): void => {};
  const stops = watched.map((one) =>
    startPing({ target: one.wish.target, from: one.wish.link, intervalMs: one.wish.intervalMs }, (answered, rttMs) => {
      const before = one.verdict.well;
      one.verdict = judgeAnswer(one.verdict, answered, one.wish);
      if (rttMs !== undefined) one.rttMs = rttMs;
      if (one.verdict.well === before) return;
      context.remark(`${one.wish.name}: ${one.verdict.well ? "answers" : "does not answer"}`);
      // What was taken to be well and is: nothing changes.
      if (before === undefined && one.verdict.well) return;
      changed = true;
      wake();
    }),
  );
  const ending = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => {
      ending.abort();
      wake();
    });
  }
  context.remark(`watching ${wishes.map(({ target }) => target).join(", ")}`);
  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  while (!ending.signal.aborted) {
    await tell();
    if (changed) {
      changed = false;
      const exit = await apply(context, {});
      if (exit === EXIT.busy) changed = true;
      await wait(exit === EXIT.busy ? AGAIN_MS : 0);
    } else {
      await wait(WRITE_MS);
    }
  }
  for (const stop of stops) stop();
  return EXIT.ok;
}

function rowOf({ wish, verdict, rttMs }: Watched): ProbeSignal {
  return {
    kind: "probe",
    name: wish.name,
    at: secondsSinceBoot(),
    ...(verdict.well === undefined ? {} : { well: verdict.well }),
    ...(rttMs === undefined ? {} : { rttMs }),
  };
}
