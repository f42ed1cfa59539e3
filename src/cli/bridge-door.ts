// Owns how the process that bridges is asked how it is: whoever connects to its socket gets one JSON value.
import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { BridgeStatus } from "../rdma/run/status.ts";

/** More is no status: 4096 groups with all their senders are less. */
const MOST_BYTES = 64 * 1024 * 1024;
/** Who does not read in this time is let go, in milliseconds. */
const PATIENCE_MS = 5000;
/** Processes that wait for the end of one. */
const MOST_SPARES = 4;

/** Where the socket of a namespace's bridges is. */
export function bridgeSocket(runFolder: string, cookie: string): string {
  return join(runFolder, `bridge-${cookie}.sock`);
}

/** Where spares wait. */
export function lifeSocket(runFolder: string, cookie: string): string {
  return join(runFolder, `bridge-${cookie}.life`);
}

/** Where the sessions of a section are kept, so that they outlive the process. */
export function sessionFile(runFolder: string, cookie: string, section: string): string {
  return join(runFolder, `bridge-${cookie}-${section}.sessions`);
}

/** Answers whoever asks. Gives the function that ends it; undefined when another process answers there. */
export async function openDoor(path: string, status: () => BridgeStatus[]): Promise<(() => void) | undefined> {
  if ((await askDoor(path)) !== undefined) return undefined;
  rmSync(path, { force: true });
  const guests = new Set<Socket>();
  const server = createServer((guest) => {
    guests.add(guest);
    guest.setTimeout(PATIENCE_MS, () => guest.destroy());
    guest.on("close", () => guests.delete(guest));
    // It went away: nobody waits for an answer.
    guest.on("error", () => {});
    guest.end(`${JSON.stringify(status())}\n`);
  });
  server.listen(path);
  await once(server, "listening");
  chmodSync(path, 0o660);
  return () => {
    server.close();
    for (const guest of guests) guest.destroy();
  };
}

/**
 * Holds whoever connects for as long as the process lives: a spare finds out by the end of the connection, at once and
 * however the process ends. Gives the function that ends it.
 */
export async function openLife(path: string): Promise<() => void> {
  rmSync(path, { force: true });
  const guests = new Set<Socket>();
  const server = createServer((guest) => {
    if (guests.size >= MOST_SPARES) return void guest.destroy();
    guests.add(guest);
    guest.on("close", () => guests.delete(guest));
    guest.on("error", () => {});
    // Nothing is said, and nothing is heard.
    guest.resume();
  });
  server.listen(path);
  await once(server, "listening");
  chmodSync(path, 0o600);
  return () => {
    server.close();
    for (const guest of guests) guest.destroy();
  };
}

/** Waits until the process that holds a life ends, or the wait is given up. Resolves at once where there is none. */
export async function untilGone(path: string, stop: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(path);
  socket.on("close", () => resolve());
  socket.on("error", () => {});
  socket.resume();
  const abandon = (): void => void socket.destroy();
  stop.addEventListener("abort", abandon);
  await promise;
  stop.removeEventListener("abort", abandon);
}

/** What the process says; undefined when none answers. */
export async function askDoor(path: string): Promise<BridgeStatus[] | undefined> {
  const socket = connect(path);
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("it does not answer")));
  try {
    let text = "";
    for await (const piece of socket.setEncoding("utf8")) {
      text += String(piece);
      if (text.length > MOST_BYTES) return undefined;
    }
    return JSON.parse(text) as BridgeStatus[];
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["ENOENT", "ECONNREFUSED", "ECONNRESET"].includes(code) || error instanceof SyntaxError) return undefined;
    throw error;
  } finally {
    socket.destroy();
  }
}
