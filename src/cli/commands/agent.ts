// Owns `heddle agent`: the process that keeps this host as its confirmed file says.
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "../../agent/agent.ts";
import { AgentMemory } from "../../agent/agent-memory.ts";
import { serve } from "../../agent/api/server.ts";
import { carryOut, UnusableFile } from "../../agent/carry-out.ts";
import { News } from "../../agent/news.ts";
import { Notifier } from "../../agent/notify.ts";
import { RememberedHost } from "../../agent/remembered-host.ts";
import { services, statusLine } from "../../agent/services.ts";
import { openHost } from "../../host/kernel.ts";
import { ConfirmedFiles } from "../../host/ledger/confirmed.ts";
import { Deadline } from "../../host/ledger/deadline.ts";
import { lockNamespace } from "../../host/ledger/lock.ts";
import type { Lock } from "../../host/ledger/lock.ts";
import type { StateStore } from "../../host/ledger/store.ts";
import { OWN_NAMESPACE } from "../../host/native.ts";
import { loginOf } from "../../host/login.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { openLog, openTrace } from "../log.ts";
import { openStore } from "../session.ts";

/** How long another heddle that changes this host is waited for, in milliseconds. */
const PATIENCE_MS = 60_000;
/** Work that takes longer than this is stuck, and the watchdog is no longer told otherwise; in milliseconds. */
const STUCK_MS = 120_000;

/** Options of `heddle agent`. */
export interface AgentOptions {
  /** Seconds. */
  lookEvery: number;
}

/** Keeps this host as its file says, until it is told to end. */
export async function agent(context: Context, version: string, options: AgentOptions): Promise<ExitCode> {
  const store = await openStore(context);
  const lock = await takeLock(store);
  if (!lock) return context.fail([BUSY], EXIT.busy);
  let repairing = false;
  const host = openHost(OWN_NAMESPACE, { awaitsProbes: () => !repairing });
  const news = new News(await openLog(context.options.debug === true));
  let busyMs = (): number => 0;
  using notifier = new Notifier(process.env, () => busyMs() < STUCK_MS);
  try {
    const { memory, diagnostics } = await AgentMemory.open(store);
    for (const { summary } of diagnostics) news.tell("warn", "state-unreadable", { summary });
    const office = {
      host: new RememberedHost(host),
      store: memory,
      confirmed: new ConfirmedFiles(store.libFolder),
      deadline: new Deadline(store.runFolder, store.cookie, store.boot),
      trace: await openTrace(context.options.debug === true),
    };
    // Nothing was ever confirmed: the file is applied, and is confirmed by that.
    if (!(await office.confirmed.current()).confirmed && !(await office.deadline.read())) {
      const { config, diagnostics: said } = await context.readConfig();
      if (!config) return context.fail(said);
      const { reply } = await carryOut(
        { do: "apply", ...context.textsOf() },
        { uid: loginOf("self") ?? process.getuid?.() ?? 0 },
        office,
      );
      for (const { summary } of reply.findings) news.tell("error", "not-applied", { summary });
      if (reply.outcome === "failed") return context.fail([...reply.diagnostics, ...reply.findings]);
    }
    const keeper = new Agent(office, news, {
      netMs: options.lookEvery * 1000,
      cookie: store.cookie,
      runFolder: store.runFolder,
      repairing: (on) => (repairing = on),
    });
    busyMs = () => keeper.busyMs;
    await keeper.start();
    const close = await serve(lock.socket, services(keeper, office, news, version));
    news.tell("info", "started", { version, pid: process.pid, file: keeper.course.file, socket: lock.socket });
    notifier.ready();
    notifier.status(statusLine(keeper));
    news.listen(() => notifier.status(statusLine(keeper)));
    const stop = (signal: string): void => {
      news.tell("info", "stopping", { signal });
      notifier.stopping();
      void keeper.stop();
    };
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop(signal));
    // The terminal that it was started from may go away.
    process.on("SIGHUP", () => {});
    await keeper.run();
    await close();
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof UnusableFile)) throw error;
    return context.fail([...error.diagnostics, UNUSABLE]);
  } finally {
    host.close();
    await lock.release();
  }
}

async function takeLock(store: StateStore): Promise<Lock | undefined> {
  const until = performance.now() + PATIENCE_MS;
  for (;;) {
    const lock = await lockNamespace(store.cookie, store.runFolder, "agent");
    if (lock || performance.now() > until) return lock;
    await sleep(100);
  }
}

const BUSY = {
  code: "busy",
  severity: "error",
  summary: "another heddle holds the lock of this host",
  detail: "It is an agent that runs already, or a command that has taken more than a minute.",
  remedy: "Look at `heddle status`.",
} as const;

const UNUSABLE = {
  code: "unusable-file",
  severity: "error",
  summary: "the file that was confirmed is not for this version of heddle",
  detail: "It was right for the version that confirmed it. What it made is still in the kernel.",
  remedy: "Correct the file and apply it: heddle apply.",
} as const;
