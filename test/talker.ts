// Owns the conversation with a program that answers each line with a line.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";

/** A running program that can be asked. */
export class Talker implements Disposable {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #waiting: ((line: string) => void) | undefined;
  readonly #over: Promise<never>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#over = once(child, "exit").then(([code, signal]) => {
      throw new Error(`the program that was asked has ended: ${String(signal ?? code)}`);
    });
    this.#over.catch(() => {});
    child.stdin?.on("error", () => {});
    let rest = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (this.#waiting) this.#waiting(line);
        else this.#lines.push(line);
        this.#waiting = undefined;
      }
    });
  }

  /** Says a line, and gives the line that comes back. One question at a time. Rejects where the program ends. */
  async ask(word: string): Promise<string> {
    this.#child.stdin?.write(`${word}\n`);
    return (
      this.#lines.shift() ?? Promise.race([new Promise<string>((resolve) => (this.#waiting = resolve)), this.#over])
    );
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}
