// Owns the guard of a change that waits for its confirmation: a process of its own that undoes it, whatever becomes of
// the terminal, of the command and of the agent.
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";
import { HostError } from "../host/error.ts";
import { sinceBootMs } from "../host/ledger/deadline.ts";
import type { Context } from "./context.ts";

/** What a change and its guard know each other by. */
export interface Confirmation {
  token: string;
  /** Milliseconds since the boot. */
  until: number;
}

/** Longest time for the guard to be ready, in milliseconds. */
const READY_MS = 30_000;

/**
 * Starts a guard, which is ready when this returns: its code is loaded, so that it needs nothing that the change may
 * cut. Throws HostError when it cannot be started; nothing has been done then.
 */
export async function startGuard(
  context: Context,
  seconds: number,
): Promise<{ confirmation: Confirmation; dismiss: () => void }> {
  const { randomUUID } = await import("node:crypto");
  const confirmation = { token: randomUUID(), until: sinceBootMs() + seconds * 1000 };
  const state = context.options.state === undefined ? [] : ["--state", context.options.state];
  const words = [
    ...process.execArgv,
    process.argv[1] ?? "heddle",
    ...state,
    "guard",
    confirmation.token,
    String(confirmation.until),
  ];
  // A session of its own: what ends the terminal's processes does not reach it.
  const child = spawn(process.execPath, words, { detached: true, cwd: "/", stdio: ["pipe", "pipe", "ignore"] });
  const signal = AbortSignal.timeout(READY_MS);
  try {
    await once(child.stdout, "data", { signal });
  } catch {
    child.kill();
    const kernelMessage = "the guard that would undo the change did not start; nothing was done";
    throw new HostError({ errno: 11, object: "guard", kernelMessage });
  }
  child.stdout.destroy();
  // Held open, and never written to: by its end the guard knows that this command is gone.
  (child.stdin as Socket).unref();
  child.stdin.on("error", () => {});
  child.unref();
  return { confirmation, dismiss: () => void child.kill() };
}
