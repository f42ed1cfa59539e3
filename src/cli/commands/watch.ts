// Owns `heddle watch`: it asks what the file wants asked, tells what it finds, and applies the file when that changes.
//
// The agent does this as part of its life; this command is for hosts without one, and for tests.
import { lookAndPlan } from "../../agent/look.ts";
import { ROWS_MS, wishesOf } from "../../agent/watchers.ts";
import type { Config } from "../../config/config.ts";
import { Prober } from "../../host/probes/prober.ts";
import { StateStore, statePaths } from "../../host/ledger/store.ts";
import { signalsFolder, writeSignals } from "../../host/signals.ts";
import type { ProbeWish } from "../../model/signals.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { openSession } from "../session.ts";
import { apply } from "./apply.ts";

/** Where another heddle is at work, it is tried again after this, ms. */
const AGAIN_MS = 200;

/** What the file asks for on this host: the numbers that it draws say how targets behind gateways are reached. */
async function look(context: Context, config: Config): ReturnType<typeof lookAndPlan> {
  await using session = await openSession(context);
  return await lookAndPlan(config, session.host, session.memory, session.trace);
}

/** What is to be asked after a change; undefined where the file cannot be used just now. */
async function wishesNow(context: Context): Promise<ProbeWish[] | undefined> {
  const { config } = await context.readConfig();
  const seen = config && (await look(context, config));
  return seen?.look && wishesOf(seen.look.intent);
}

/** Watches until SIGTERM or SIGINT. */
export async function watchTargets(context: Context): Promise<ExitCode> {
  const { config, diagnostics } = await context.readConfig();
  if (!config) return context.fail(diagnostics);
  const seen = await look(context, config);
  if (!seen.look) return context.fail([...diagnostics, ...seen.diagnostics]);
  const wishes = wishesOf(seen.look.intent);
  if (wishes.length === 0) {
    const summary = "the file has nothing to watch";
    const remedy = "Add `check: {}` to a section of `egress` with several gateways.";
    return context.fail([...diagnostics, { code: "nothing-to-watch", severity: "error", summary, remedy }]);
  }
  const { runFolder, cookie } = await StateStore.open(statePaths(context.options.state));
  const folder = signalsFolder(runFolder, cookie);
  let changed = false;
  let wake = (): void => {};
  using prober = new Prober((wish, well, isNews) => {
    context.remark(`${wish.name}: ${well ? "answers" : "does not answer"}`);
    if (!isNews) return;
    changed = true;
    wake();
  });
  prober.attend(wishes);
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
    // What is told from here on may not be in the rows: it is for the next round.
    const isDue = changed;
    changed = false;
    await writeSignals(folder, "probes", prober.rows);
    const exit = isDue ? await apply(context, {}) : EXIT.ok;
    if (exit === EXIT.busy) changed = true;
    // The file may say something else by now, and an apply may have drawn the numbers by which targets are reached.
    const now = isDue && exit === EXIT.ok ? await wishesNow(context) : undefined;
    if (now) prober.attend(now);
    if (exit === EXIT.busy || !changed) await wait(exit === EXIT.busy ? AGAIN_MS : ROWS_MS);
  }
  return EXIT.ok;
}
