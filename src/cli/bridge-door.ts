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

/** Where the socket of a namespace's bridges is. */
export function bridgeSocket(runFolder: string, cookie: string): string {
  return join(runFolder, `bridge-${cookie}.sock`);
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
