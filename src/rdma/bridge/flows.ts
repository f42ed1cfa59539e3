// Owns which messages are passed on without being looked at again: what became of one message is what becomes of all that
// have its headers, until something that it depended on changes (docs/adr/0100).
//
// Flows are learnt from messages that were passed on, are given up with whatever they depend on, and are counted for it.
import { DROP } from "./drops.ts";
import type { Tally } from "./drops.ts";
import { FlowSpec, HEAD_BYTES } from "./flow-spec.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Host } from "./hosts.ts";
import type { Passage } from "./passage.ts";
import type { Senders } from "./senders.ts";
import type { Session } from "./sessions.ts";

/** Most flows of one direction. */
export const MOST_FLOWS = 32_768;
/** Most flows of one session, or group; more come when others of it are not used any more. */
const MOST_OF_ONE = { session: 64, group: 1024 } as const;
/** A flow that was not used for so long is given up. */
const IDLE_MS = 60_000;
const TOLD_AT_ONCE = 1024;

/** A table that flows are written into. Its only writer is here. */
export interface WrittenTable {
  add(spec: Uint8Array): number;
  remove(index: number, told: Float64Array): void;
  used(told: Float64Array): number;
  lease(untilMs: number): void;
}

interface Flow {
  owners: readonly object[];
  /** What its packets are counted for. */
  tally: Tally;
  /** What is in use as long as packets come. */
  used: readonly (Host | Endpoint | Session)[];
  /** Of one to a group: who sends. */
  senders: Senders | undefined;
  sender: Uint8Array;
  usedMs: number;
}

/** The flows of one direction. */
export class Flows {
  readonly table: WrittenTable;
  readonly #native: boolean;
  readonly #total: Tally;
  readonly #spec = new FlowSpec();
  readonly #flows = new Map<number, Flow>();
  readonly #byOwner = new Map<object, Set<number>>();
  readonly #told = new Float64Array(4 * TOLD_AT_ONCE);
  #nowMs = 0;

  /** `way`: of the packets; `total`: what all of them are counted in. */
  constructor(table: WrittenTable, way: "toInfiniband" | "toEthernet", total: Tally) {
    this.table = table;
    this.#native = way === "toEthernet";
    this.#total = total;
  }

  get count(): number {
    return this.#flows.size;
  }

  /** Takes note of the headers of a packet before they are changed. */
  note(bytes: Uint8Array, at: number, to: number): void {
    const { head } = this.#spec;
    const end = Math.min(to - at, HEAD_BYTES);
    for (let i = 0; i < end; i++) head[i] = bytes[at + i] as number;
  }

  /** Learns from the packet that was noted, and now stands at `at`. */
  learn(bytes: Uint8Array, at: number, passage: Passage): void {
    const counted = passage.group ?? passage.session;
    if (!passage.alike || counted === undefined) return;
    const leased = passage.group !== undefined;
    if ((this.#byOwner.get(counted)?.size ?? 0) >= (leased ? MOST_OF_ONE.group : MOST_OF_ONE.session)) return;
    const { mostPayload, mostTransport } = passage;
    const limits = { mostPayload, mostTransport, leased, numbered: leased };
    if (!this.#spec.write(this.#native, bytes, at, limits)) return;
    const index = this.table.add(this.#spec.bytes);
    if (index < 0) return;
    const { session, source, destination, from, to, senders, senderAt, senderBytes } = passage;
    const used = leased ? [] : [session, source, destination, from, to].filter((one) => one !== undefined);
    const owners = leased ? [counted] : used;
    const tally = this.#native ? counted.toEthernet : counted.toInfiniband;
    const sender = this.#spec.head.slice(senderAt, senderAt + senderBytes);
    this.#flows.set(index, { owners, tally, used, senders, sender, usedMs: this.#nowMs });
    for (const owner of owners) {
      const indexes = this.#byOwner.get(owner);
      if (indexes === undefined) this.#byOwner.set(owner, new Set([index]));
      else indexes.add(index);
    }
  }

  /** Gives up what depends on a host, queue pair, session or group. */
  drop(owner: object): void {
    for (const index of this.#byOwner.get(owner) ?? []) this.#remove(index);
  }

  /** Gives up what depends on both. */
  dropBetween(one: object, other: object): void {
    const others = this.#byOwner.get(other);
    if (others === undefined) return;
    for (const index of this.#byOwner.get(one) ?? []) if (others.has(index)) this.#remove(index);
  }

  clear(): void {
    for (const index of this.#flows.keys()) this.#remove(index);
  }

  /** Gives up what holds only while this bridge has its groups. */
  clearLeased(): void {
    for (const [index, { senders }] of this.#flows) if (senders !== undefined) this.#remove(index);
  }

  /** Counts what was passed on, and gives up what is not used any more. To be called every second or so. */
  fold(nowMs: number): void {
    this.#nowMs = nowMs;
    let count = 0;
    let unsent = 0;
    do {
      count = this.table.used(this.#told);
      for (let i = 0; i < count; i++) unsent += this.#take(4 * i);
    } while (count === TOLD_AT_ONCE);
    // Whoever is to take the packets may be another by now: what knows of that looks at the next ones.
    if (unsent > 0) this.clear();
    for (const [index, { usedMs }] of this.#flows) if (nowMs - usedMs >= IDLE_MS) this.#remove(index);
  }

  #remove(index: number): void {
    this.table.remove(index, this.#told);
    this.#take(0);
    const flow = this.#flows.get(index) as Flow;
    this.#flows.delete(index);
    for (const owner of flow.owners) {
      const indexes = this.#byOwner.get(owner);
      indexes?.delete(index);
      if (indexes?.size === 0) this.#byOwner.delete(owner);
    }
  }

  /** Counts what is told at a place; gives the packets that could not be sent. */
  #take(at: number): number {
    const told = this.#told;
    const [index, packets] = [told[at] as number, told[at + 1] as number];
    const [bytes, unsent] = [told[at + 2] as number, told[at + 3] as number];
    const flow = this.#flows.get(index);
    if (flow === undefined || packets + unsent === 0) return 0;
    flow.usedMs = this.#nowMs;
    for (const tally of [this.#total, flow.tally]) {
      tally.pass(bytes, packets);
      tally.drop(DROP.unsent, unsent);
    }
    for (const one of flow.used) one.usedMs = this.#nowMs;
    flow.senders?.count(flow.sender, 0, flow.sender.length, packets + unsent);
    return unsent;
  }
}
