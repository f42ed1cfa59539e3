// Owns the lines that keepalived writes about changes of state (keepalived.conf(5), vrrp_notify_fifo).
import type { Vrrp } from "./machine.ts";

/** The longest line that can mean something; what is longer is dropped. */
const LONGEST = 256;

const STATES: Readonly<Record<string, Vrrp>> = { MASTER: "active", BACKUP: "standby", FAULT: "fault", STOP: "unknown" };

/** Puts pieces of text together to whole notices of groups. Lines that are none of them mean nothing here. */
export class NoticeReader {
  #rest = "";

  take(piece: string): { share: string; state: Vrrp }[] {
    const lines = (this.#rest + piece).split("\n");
    this.#rest = (lines.pop() ?? "").slice(0, LONGEST);
    return lines.flatMap((line) => {
      const [, share, word = ""] = /^GROUP "([^"]{1,64})" ([A-Z]{1,16})(?: |$)/.exec(line) ?? [];
      const state = Object.hasOwn(STATES, word) ? STATES[word] : undefined;
      return share === undefined || state === undefined ? [] : [{ share, state }];
    });
  }
}
