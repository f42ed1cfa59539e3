// Owns an ear in systemd's place: what a service says of itself by sd_notify(3).
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../src/lab/child.ts";

/** Writes each datagram as lines of its own, which socat would not. */
const LISTEN = `
import socket, sys
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind(sys.argv[1])
while True:
    print(ear.recv(65536).decode(), flush=True)
`;

/** Listens at a socket in a folder until it is disposed of. */
export class NotifyListener implements Disposable {
  /** What NOTIFY_SOCKET has to be. */
  readonly place: string;
  readonly #child: ChildProcess;
  /** Everything so far, each datagram in lines of its own. */
  heard = "";

  private constructor(place: string) {
    this.place = place;
    this.#child = spawn("python3", ["-c", LISTEN, place], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.heard += text));
  }

  /** Resolves when it listens. */
  static async start(folder: string): Promise<NotifyListener> {
    const listener = new NotifyListener(join(folder, "notify"));
    await waitFor("the socket", async () => (existsSync(listener.place) ? true : undefined));
    return listener;
  }

  /** The texts of the states that were told. */
  get states(): string[] {
    return [...this.heard.matchAll(/^STATUS=(.*)$/gm)].map(([, text = ""]) => text);
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}
