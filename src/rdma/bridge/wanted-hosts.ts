// Owns who waits for a host to be found, whatever it is asked for by: those who want to reach it from the other side, and
// those who are about to take its address.
//
// A bridge answers for a host that it has found on the other side, and for no other. Who asks for one that is not found
// makes the bridge ask on the other side, and is answered when that has answered.
import type { Host, Hosts, Side } from "./hosts.ts";

/** Answers that wait for a host to be found; the oldest goes. */
const MOST_WAITING = 256;
/** Hosts that are asked for on behalf of others, a second. */
const ASKED_PER_SECOND = 256;
/** How long somebody waits, in milliseconds; hosts ask again after a second. */
const WAIT_MS = 1000;

interface Waiting {
  host: Host;
  /** Where the host has to be. */
  side: Side;
  sinceMs: number;
  answer: (host: Host) => void;
  /** What is known does not count: the host itself has to answer, now. */
  claim: boolean;
}

export class WantedHosts {
  /** This bridge answers for hosts: of several bridges one does. */
  answers = true;
  /** Counts. */
  readonly counts = { asked: 0, answered: 0, heard: 0, tooMany: 0 };
  readonly #hosts: Hosts;
  #waiting: Waiting[] = [];
  #askedMs = 0;
  #asked = 0;

  constructor(hosts: Hosts) {
    this.#hosts = hosts;
  }

  /** A host tells where it is. Only who was asked for is believed; anybody else is asked. */
  heard(address: Uint8Array, side: Side, place: Uint8Array, nowMs: number): void {
    const host = this.#hosts.find(address, 0, address.length);
    if (host === undefined) return;
    if (nowMs - host.soughtMs >= WAIT_MS) return this.#hosts.seek(host, nowMs);
    this.counts.heard++;
    this.#hosts.heard(host, side, place, nowMs);
    this.#answer(host, nowMs, (one) => one.claim && one.side === side);
  }

  /** Makes sure of a host that says that it is there. */
  announced(address: Uint8Array, nowMs: number): void {
    const host = this.#hosts.find(address, 0, address.length);
    if (host !== undefined) this.#hosts.seek(host, nowMs);
  }

  /** Somebody wants a host of a side: it is answered once the host is found there. */
  wanted(address: Uint8Array, side: Side, nowMs: number, answer: (host: Host) => void): void {
    const host = this.answers ? this.#hosts.take(address, side, nowMs) : undefined;
    if (host === undefined) return;
    host.usedMs = nowMs;
    if (!host.ready) this.#wait({ host, side, sinceMs: nowMs, answer, claim: false });
    else if (host.side === side) answer(host);
  }

  /** Somebody is about to take an address: it is told so when a host on a side says that it has it. */
  claimed(address: Uint8Array, side: Side, nowMs: number, object: (host: Host) => void): void {
    const host = this.answers ? this.#hosts.take(address, side, nowMs) : undefined;
    if (host !== undefined) this.#wait({ host, side, sinceMs: nowMs, answer: object, claim: true });
  }

  /** A host was found: who waited for it is answered. */
  found(host: Host, nowMs: number): void {
    this.#answer(host, nowMs, ({ side, claim }) => !claim && host.ready && host.side === side);
  }

  #answer(host: Host, nowMs: number, fits: (one: Waiting) => boolean): void {
    if (this.#waiting.length === 0) return;
    const open = this.#waiting.filter(({ sinceMs }) => nowMs - sinceMs < WAIT_MS);
    const mine = open.filter((one) => one.host === host && fits(one));
    this.#waiting = open.filter((one) => !mine.includes(one));
    for (const { answer } of mine) answer(host);
  }

  #wait(one: Waiting): void {
    const { host, sinceMs } = one;
    if (!this.#mayAsk(sinceMs)) return void this.counts.tooMany++;
    if (this.#waiting.length === MOST_WAITING) this.#waiting.shift();
    this.#waiting.push(one);
    this.#hosts.seek(host, sinceMs);
  }

  #mayAsk(nowMs: number): boolean {
    if (nowMs - this.#askedMs >= 1000) {
      this.#askedMs = nowMs;
      this.#asked = 0;
    }
    return this.#asked++ < ASKED_PER_SECOND;
  }
}
