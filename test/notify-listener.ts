// Owns an ear in systemd's place: what a service says of itself by sd_notify(3).
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../src/lab/child.ts";

/** Listens at a socket in a folder until it is disposed of. */
export class NotifyListener implements Disposable {
  /** What NOTIFY_SOCKET has to be. */
  readonly place: string;
  readonly #child: ChildProcess;
  /** Everything so far, a datagram after the other. */
  heard = "";

  private constructor(place: string) {
    this.place = place;
    this.#child = spawn("socat", ["-u", `UNIX-RECV:${place}`, "STDOUT"], { stdio: ["ignore", "pipe", "inherit"] });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.heard += `${text}\n`));
  }

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
