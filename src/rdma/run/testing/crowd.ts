// Owns many hosts on both fabrics that send numbered messages to many groups, and what each of them misses, or hears
// twice, or in another order than it was sent.
import { setTimeout as sleep } from "node:timers/promises";
import { u32 } from "../../codec/bytes.ts";
import { icrcIsRight } from "../../codec/icrc.ts";
import type { PacketParts } from "../../codec/packet-parts.ts";
import { until } from "../../fabric/until.ts";
import type { InfinibandHost, RoceHost } from "../../hosts/hosts.ts";
import { countMessage, newAccount } from "../../hosts/account.ts";
import type { Account } from "../../hosts/account.ts";
import { numbered } from "../../hosts/messages.ts";

/** One group, as hosts know it on either side. */
export interface CrowdGroup {
  address: Uint8Array;
  mgid: Uint8Array;
}

/** Numbers of one sender and one group are counted in the lower half of a message's number. */
const NUMBERS = 0x10000;

/** Messages sent at once by a host: below a batch, so that none waits. */
const BURST = 4;
/** A message that was not heard by then is lost. */
const LOST_MS = 2000;
/** The same where much may be lost. */
const SOON_MS = 50;

export class Crowd {
  readonly #hosts: readonly (RoceHost | InfinibandHost)[];
  readonly #groups: readonly CrowdGroup[];
  /** By sender and group: the last number that was sent. */
  readonly #sent: Uint16Array[];
  /** By listener, sender and group: the last number that was heard. */
  readonly #last: Uint16Array[][];
  readonly #accounts: Account[];
  #turn = 0;
  /** Over all listeners. */
  #heard = 0;

  constructor(hosts: readonly (RoceHost | InfinibandHost)[], groups: readonly CrowdGroup[]) {
    this.#hosts = hosts;
    this.#groups = groups;
    const empty = (): Uint16Array => new Uint16Array(groups.length);
    this.#sent = hosts.map(empty);
    this.#last = hosts.map(() => hosts.map(empty));
    this.#accounts = hosts.map(newAccount);
    for (const [listener, host] of hosts.entries()) {
      host.onHeard = (bytes, parts) => this.#hear(listener, bytes, parts);
    }
  }

  /** Everybody sends a burst to groups in turn. */
  burst(): void {
    for (const [sender, host] of this.#hosts.entries()) {
      const packets: Uint8Array[] = [];
      for (let i = 0; i < BURST; i++) {
        const group = (this.#turn * BURST + i + sender * 7) % this.#groups.length;
        packets.push(this.#message(sender, host, group));
      }
      if ("sendFrames" in host) host.sendFrames(packets);
      else host.sendPackets(packets);
    }
    this.#turn++;
  }

  /** So many bursts of everybody, at so many a second, or fewer where the machine is slow. */
  async talk(bursts: number, perSecond: number): Promise<void> {
    const start = performance.now();
    for (let i = 0; i < bursts; i++) {
      this.burst();
      const early = start + ((i + 1) * 1000) / perSecond - performance.now();
      await sleep(Math.max(early, 0));
    }
  }

  /** So many bursts, each when the one before was heard, or is taken for lost. Gives milliseconds. */
  async converse(bursts: number, patienceMs = LOST_MS): Promise<number> {
    const start = performance.now();
    for (let i = 0; i < bursts; i++) {
      const expected = this.#heard + this.#hosts.length * (this.#hosts.length - 1) * BURST;
      this.burst();
      const patience = performance.now() + patienceMs;
      while (this.#heard < expected && performance.now() < patience) await sleep(0);
    }
    return performance.now() - start;
  }

  /**
   * Everybody sends to every group, again and again, until everybody else has heard of everybody in every group since it
   * began: of what was sent before, nothing comes any more.
   */
  async settle(): Promise<void> {
    const before = this.#sent.map((numbers) => numbers.slice());
    const what = (): string => `everybody has heard everybody; ${this.#unheard(before)}`;
    await until(what, async () => {
      await this.converse(Math.ceil(this.#groups.length / BURST), SOON_MS);
      const end = performance.now() + 1000;
      while (this.#silences(before).length > 0 && performance.now() < end) await sleep(20);
      return this.#silences(before).length === 0;
    });
  }

  /** Who has heard nothing of whom in which group that came after those numbers. */
  #silences(numbers: readonly Uint16Array[]): [listener: number, sender: number, group: number][] {
    const silences: [number, number, number][] = [];
    for (const [listener, senders] of this.#last.entries()) {
      for (const [sender, last] of senders.entries()) {
        if (listener === sender) continue;
        const sent = numbers[sender] as Uint16Array;
        for (const [group, number] of last.entries()) {
          if (number <= (sent[group] as number)) silences.push([listener, sender, group]);
        }
      }
    }
    return silences;
  }

  #unheard(numbers: readonly Uint16Array[]): string {
    const silences = this.#silences(numbers);
    const some = silences.slice(0, 20).map(([listener, sender, group]) => `${sender}→${listener} in group ${group}`);
    return `not heard ${silences.length}: ${some.join(", ")}`;
  }

  /** What became of messages since this was asked last, over all listeners. */
  account(): Account {
    const sum = newAccount();
    for (const one of this.#accounts) {
      for (const key of Object.keys(sum) as (keyof Account)[]) {
        sum[key] += one[key];
        one[key] = 0;
      }
    }
    return sum;
  }

  #message(sender: number, host: RoceHost | InfinibandHost, group: number): Uint8Array {
    const sent = this.#sent[sender] as Uint16Array;
    const number = (sent[group] as number) + 1;
    sent[group] = number;
    const { address, mgid } = this.#groups[group] as CrowdGroup;
    const payload = numbered(sender, group * NUMBERS + number, 256);
    return "sendFrames" in host ? host.frame(address, payload) : host.packet(mgid, payload);
  }

  #hear(listener: number, bytes: Uint8Array, parts: PacketParts): void {
    const account = this.#accounts[listener] as Account;
    if (!icrcIsRight(parts, bytes)) return void account.damaged++;
    const sender = u32(bytes, parts.payload);
    const last = this.#last[listener]?.[sender];
    // A host may hear itself.
    if (last === undefined || sender === listener) return;
    const word = u32(bytes, parts.payload + 4);
    const [group, number] = [Math.floor(word / NUMBERS), word % NUMBERS];
    this.#heard++;
    last[group] = countMessage(account, last[group] as number, number);
  }
}
