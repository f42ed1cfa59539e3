// Owns `heddle bridge run`: the process that passes messages between the fabrics, until it is told to end.
import { setTimeout as sleep } from "node:timers/promises";
import { Notifier } from "../../agent/notify.ts";
import { HostError } from "../../host/error.ts";
import { ConfirmedFiles } from "../../host/ledger/confirmed.ts";
import { addon } from "../../host/native.ts";
import { makeStateFolder } from "../../host/ledger/files.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { ModelPort } from "../../rdma/port/model-port.ts";
import { Bridge } from "../../rdma/run/bridge.ts";
import { statusOf } from "../../rdma/run/status.ts";
import { FabricError } from "../../rdma/sa/management-port.ts";
import { bridgeSocket, lifeSocket, openDoor, openLife, sessionFile, untilGone } from "../bridge-door.ts";
import { bridgePlans } from "../bridge-sections.ts";
import type { BridgePlan } from "../bridge-sections.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { openLog } from "../log.ts";
import { openStore } from "../session.ts";
import { readSmKey } from "../sm-key.ts";

/** How often it is looked whether another file was confirmed, and whether a fabric is there that was not. */
const LOOK_MS = 1000;
/** How soon a spare looks again. */
const SOON_MS = 5;

type Tell = (event: string, fields: Readonly<Record<string, unknown>>) => void;

/**
 * Bridges as the confirmed file says, or the file where none is confirmed. A spare waits, all loaded, until nobody else
 * does here.
 */
export async function runBridges(context: Context, { spare = false }: { spare?: boolean } = {}): Promise<ExitCode> {
  const store = await openStore(context);
  const log = await openLog(context.options.debug === true);
  const tell: Tell = (event, fields) => log(event.startsWith("group-") ? "debug" : "info", event, fields);
  const files = new ConfirmedFiles(store.libFolder);
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const failure = Promise.withResolvers<never>();
  let running: Bridge[] = [];
  await makeStateFolder(store.runFolder);
  const fileOf = (section: string): string => sessionFile(store.runFolder, store.cookie, section);
  const life = lifeSocket(store.runFolder, store.cookie);
  const open = (): Promise<(() => void) | undefined> =>
    openDoor(bridgeSocket(store.runFolder, store.cookie), () => running.map(statusOf));
  let closeDoor = await open();
  if (closeDoor === undefined && !spare) return context.fail([BUSY], EXIT.busy);
  using notifier = new Notifier(process.env, () => true);
  let closeLife: (() => void) | undefined;
  try {
    if (closeDoor === undefined) {
      // What is slow at a start is done before it is needed.
      addon();
      await readPlans(context, files);
      notifier.ready();
      tell("waits", {});
    }
    while (closeDoor === undefined && !stop.signal.aborted) {
      await untilGone(life, stop.signal);
      closeDoor = await open();
      // It is about to end, or about to begin.
      if (closeDoor === undefined) await sleep(SOON_MS, undefined, { signal: stop.signal }).catch(() => {});
    }
    if (closeDoor !== undefined) closeLife = await openLife(life);
    while (!stop.signal.aborted) {
      const { plans, diagnostics, serial } = await readPlans(context, files);
      if (plans === undefined) return context.fail(diagnostics);
      const changed = new AbortController();
      running = [];
      const surroundings = { tell, failed: failure.reject, changed, stop, fileOf };
      const starting = plans.map((plan) => start(plan, running, surroundings));
      notifier.ready();
      tell("started", { sections: plans.map(({ name }) => name), file: serial ?? "not confirmed" });
      await Promise.race([failure.promise, untilOther(files, serial, stop.signal)]);
      changed.abort();
      // Each of them hands its groups over before it ends.
      await Promise.all(starting);
      await Promise.all(running.map((bridge) => bridge[Symbol.asyncDispose]()));
    }
    notifier.stopping();
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return context.fail([refused(error)]);
  } finally {
    await Promise.all(running.map((bridge) => bridge[Symbol.asyncDispose]()));
    closeDoor?.();
    closeLife?.();
  }
}

interface Surroundings {
  tell: Tell;
  failed: (error: unknown) => void;
  changed: AbortController;
  stop: AbortController;
  fileOf: (section: string) => string;
}

/** Starts one bridge as soon as its fabric is there. */
async function start(
  plan: BridgePlan,
  running: Bridge[],
  { tell, failed, changed, stop, fileOf }: Surroundings,
): Promise<void> {
  const { name, link, pKey, groups, messages, smKeyFile } = plan;
  const over = (): boolean => changed.signal.aborted || stop.signal.aborted;
  try {
    let told = "";
    while (!over()) {
      const infiniband = await ModelPort.open(plan.model).catch((error: unknown) => {
        if (!(error instanceof FabricError)) throw error;
        if (error.message !== told) tell("no-fabric", { section: name, why: error.message });
        told = error.message;
        return undefined;
      });
      if (infiniband === undefined) {
        await sleep(LOOK_MS, undefined, { signal: changed.signal }).catch(() => {});
        continue;
      }
      const say: Tell = (event, fields) => tell(event, { section: name, ...fields });
      const kept = messages === undefined ? {} : { messages, sessionFile: fileOf(name) };
      const key = smKeyFile === undefined ? {} : { smKey: () => readSmKey(smKeyFile) };
      const bridge = new Bridge({ name, link, infiniband, pKey, groups, tell: say, ...key, ...kept });
      bridge.onFailure = failed;
      running.push(bridge);
      await bridge.start();
      return;
    }
  } catch (error) {
    failed(error);
  }
}

interface Plans {
  plans?: BridgePlan[];
  diagnostics: Diagnostic[];
  /** Of the confirmed file; undefined where none is confirmed. */
  serial?: number;
}

async function readPlans(context: Context, files: ConfirmedFiles): Promise<Plans> {
  const { confirmed } = await files.current();
  if (confirmed === undefined) {
    const { config, diagnostics } = await context.readConfig();
    return config ? { plans: bridgePlans(config), diagnostics } : { diagnostics };
  }
  const { serial, text, file, beside } = confirmed;
  // Everything was taken away: there is nothing to bridge until something is applied.
  if (text === undefined) return { plans: [], diagnostics: [], serial };
  const { config, diagnostics } = await context.takeTexts({ file, text, ...(beside === undefined ? {} : { beside }) });
  return config ? { plans: bridgePlans(config), diagnostics, serial } : { diagnostics };
}

/** Ends when another file is confirmed, or the process is to stop. */
async function untilOther(files: ConfirmedFiles, serial: number | undefined, stop: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => {});
    if (stop.aborted) return;
    if ((await files.current()).confirmed?.serial !== serial) return;
  }
}

/** The namespace's door of another process. */
const BUSY = {
  code: "busy",
  severity: "error",
  summary: "another process bridges on this host",
  remedy: "Look at it with `heddle bridge`; end it before another is started.",
} as const;

function refused(error: HostError): Diagnostic {
  return {
    code: "bridge-refused",
    severity: "error",
    summary: `the system refuses: ${error.message}`,
    ...(error.code === "EPERM" ? { remedy: "A bridge needs CAP_NET_RAW, and CAP_NET_ADMIN for large buffers." } : {}),
  };
}
