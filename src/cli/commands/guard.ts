// Owns `heddle guard`, which `apply --confirm` starts and nobody else: it waits for the deadline, and undoes what was
// not confirmed unless an agent does.
import { setTimeout as sleep } from "node:timers/promises";
import { AgentMemory } from "../../agent/agent-memory.ts";
import { undo } from "../../agent/carry-out.ts";
import { sinceBootMs } from "../../host/ledger/deadline.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { openSession, openStore, openWriter } from "../session.ts";

/** How often it is looked whether what waits was confirmed or replaced, in milliseconds… */
const LOOK_MS = 5000;
/** …and, before that, whether it waits already. */
const BEGIN_MS = 200;
/**
 * A change that has not begun so long after its command's end, in milliseconds, never will, or has been replaced between
 * two looks: an agent begins in a moment what it was asked for.
 */
const NEVER_MS = 5000;
/** How often the lock is tried after the deadline, in milliseconds. */
const AGAIN_MS = 500;

/** Waits and undoes. `until`: milliseconds since the boot. */
export async function guard(context: Context, token: string, until: number): Promise<ExitCode> {
  // Loaded now: what is undone may be what this program came over.
  await Promise.all([import("../../config/config.ts"), import("../../roles/index.ts")]);
  const store = await openStore(context);
  await using reader = await openSession(context);
  let begun = false;
  let never = Infinity;
  // The command holds the other end for as long as it lives.
  process.stdin.resume().once("close", () => (never = sinceBootMs() + NEVER_MS));
  process.on("SIGHUP", () => {});
  process.stdout.write("ready\n");
  for (;;) {
    const pending = await reader.deadline.read();
    begun ||= pending?.token === token;
    // Confirmed, undone, replaced by another one with a guard of its own, or never begun.
    if (pending?.token !== token && (begun || sinceBootMs() > Math.min(until, never))) return EXIT.ok;
    const left = until - sinceBootMs();
    if (left > 0) {
      await sleep(Math.min(left, begun ? LOOK_MS : BEGIN_MS));
      continue;
    }
    await using session = await openWriter(context, store);
    if (session && (await session.deadline.read())?.token === token) {
      // A full disk is no reason to leave in force what nobody confirmed.
      const { memory } = await AgentMemory.open(session.store);
      memory.tolerant = true;
      const { reply } = await undo({ ...session, store: memory }).catch((error: unknown) => ({
        reply: { outcome: String(error) },
      }));
      if (reply.outcome === "done" || reply.outcome === "waiting") return EXIT.ok;
    }
    await sleep(AGAIN_MS);
  }
}
