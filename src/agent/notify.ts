// Owns what the agent tells the program that started it: sd_notify(3), without systemd's library.
import { sendToPath } from "../host/native.ts";

/** Says how the agent is. Without NOTIFY_SOCKET nobody listens. */
export class Notifier implements Disposable {
  readonly #socket: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #status = "";

  /** `alive` is asked before each sign of life that a watchdog wants (WATCHDOG_USEC, in microseconds). */
  constructor(environment: Readonly<Record<string, string | undefined>>, alive: () => boolean) {
    this.#socket = environment["NOTIFY_SOCKET"];
    const { WATCHDOG_USEC: period, WATCHDOG_PID: pid } = environment;
    const mine = pid === undefined || pid === String(process.pid);
    const everyMs = Number(period) / 2000;
    if (this.#socket === undefined || !mine || !(everyMs >= 1) || everyMs > 0x7fffffff) return;
    this.#timer = setInterval(() => {
      if (alive()) this.#say("WATCHDOG=1");
    }, everyMs);
    this.#timer.unref();
  }

  /** Everything that the confirmed file asks for has been tried once, and requests are served. */
  ready(): void {
    this.#say("READY=1");
  }

  /** A line for `systemctl status`. */
  status(text: string): void {
    if (text === this.#status) return;
    this.#status = text;
    this.#say(`STATUS=${text.replaceAll("\n", " ").slice(0, 400)}`);
  }

  stopping(): void {
    this.#say("STOPPING=1");
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #say(text: string): void {
    if (this.#socket === undefined) return;
    try {
      sendToPath(this.#socket, text);
    } catch {
      // Nobody listens any more; routing does not depend on it.
    }
  }
}
