// Owns what a command needs that works on this host: the host, the state, and the one-writer lock.
import type { Office } from "../agent/carry-out.ts";
import { openHost } from "../host/kernel.ts";
import type { Host } from "../host/host.ts";
import { ConfirmedFiles } from "../host/ledger/confirmed.ts";
import { Deadline } from "../host/ledger/deadline.ts";
import { lockNamespace } from "../host/ledger/lock.ts";
import { StateStore, statePaths } from "../host/ledger/store.ts";
import type { Memory } from "../agent/look.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Trace } from "../agent/trace.ts";
import type { Context } from "./context.ts";
import { openTrace } from "./log.ts";

/** An open host with its memory. */
export interface Session extends AsyncDisposable, Office {
  host: Host;
  store: StateStore;
  memory: Memory;
  diagnostics: Diagnostic[];
  trace: Trace;
}

/** Finds the state of this host. */
export async function openStore(context: Context): Promise<StateStore> {
  return StateStore.open(statePaths(context.options.state));
}

/** Opens this host to look at it. */
export async function openSession(context: Context): Promise<Session> {
  return openWith(context, await openStore(context), async () => {});
}

/** Opens this host to change it; undefined when another heddle, or an agent, has its lock. */
export async function openWriter(context: Context, store: StateStore): Promise<Session | undefined> {
  const lock = await lockNamespace(store.cookie, store.runFolder);
  return lock && openWith(context, store, async () => lock.release());
}

async function openWith(context: Context, store: StateStore, release: () => Promise<void>): Promise<Session> {
  try {
    const { diagnostics, ...memory } = await store.read();
    const trace = await openTrace(context.options.debug === true);
    const host = openHost();
    const close = async (): Promise<void> => {
      host.close();
      await release();
    };
    return {
      host,
      store,
      memory,
      confirmed: new ConfirmedFiles(store.libFolder),
      deadline: new Deadline(store.runFolder, store.cookie, store.boot),
      diagnostics,
      trace,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await release();
    throw error;
  }
}
