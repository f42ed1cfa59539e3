// Owns finding out who is in the groups on InfiniBand. The administrator tells those who know its key, when they ask: one
// group after the other, slowly, as it has better things to do.
import { formatAddress } from "../../model/ip.ts";
import type { BridgedGroup } from "../bridge/group.ts";
import { MOST_LISTENERS } from "../bridge/listeners.ts";
import { FabricError } from "../sa/management-port.ts";
import type { Members, SaClient } from "../sa/sa-client.ts";
import type { SubnetNews } from "./subnet.ts";

/** A round begins so long after the one before; a group is asked for so long after another; and nothing, after no answer. */
const EVERY_MS = { round: 10_000, group: 50, silence: 30_000 } as const;

/** Bits of a membership's state (IBA vol 1, 15.2.5.17; the last one: release 1.3). */
const JOIN_STATES = [
  [1, "full"],
  [2, "non-member"],
  [4, "send-only"],
  [8, "send-only-full"],
] as const;
/** Those who hear a group: full members and non-members. */
const LISTENS = 1 | 2;

export type JoinState = (typeof JOIN_STATES)[number][1];

/** One port in a group. */
export interface GroupPort {
  gid: string;
  states: JoinState[];
  listens: boolean;
  /** The bridge's own. */
  self?: true;
}

/** The ports in a group: the first of them, and how many there are, or are at least. */
export interface GroupPorts {
  ports: GroupPort[];
  count: number;
  /** How many of all of them listen, without the bridge's own. */
  listening: number;
  more: boolean;
  /** When the administrator told. */
  askedMs: number;
}

/** Gives the administrator's key, or why there is none. It is asked anew for every round: the key may change. */
export type KeySource = () => bigint | { why: string };

/**
 * `no-key`: there is none, and nobody is asked; `asking`: no answer yet; `told`; `unanswered`: to this key no answer comes,
 * though the manager is there; `refused`.
 */
export type MembersTold = "no-key" | "asking" | "told" | "unanswered" | "refused";

export class MemberWatch {
  readonly #client: Pick<SaClient, "members">;
  readonly #groups: readonly BridgedGroup[];
  /** The port's own GID. */
  readonly #own: Uint8Array;
  readonly #keySource: KeySource | undefined;
  #smKey = 0n;
  readonly #tell: SubnetNews;
  /** By the index of the group. */
  readonly #ports = new Map<number, GroupPorts>();
  #kept = 0;
  #told: MembersTold;
  /** Why nothing is told; empty where nobody is to ask. */
  why = "";
  #next = 0;
  #roundMs = -Infinity;
  #notBeforeMs = -Infinity;
  #asking: Promise<void> | undefined;

  constructor(
    client: Pick<SaClient, "members">,
    groups: readonly BridgedGroup[],
    own: Uint8Array,
    keySource: KeySource | undefined,
    tell: SubnetNews,
  ) {
    this.#client = client;
    this.#groups = groups;
    this.#own = own;
    this.#keySource = keySource;
    this.#tell = tell;
    this.#told = keySource === undefined ? "no-key" : "asking";
  }

  get told(): MembersTold {
    return this.#told;
  }

  /** Who is in a group; undefined while that is not told. */
  of({ index }: BridgedGroup): GroupPorts | undefined {
    return this.#ports.get(index);
  }

  /** Asks for the next group when it is time for that; gives the question, which never rejects but for a bug. */
  look(nowMs: number): Promise<void> | undefined {
    if (this.#keySource === undefined || this.#asking !== undefined || nowMs < this.#notBeforeMs) return undefined;
    if (this.#next === 0) {
      if (nowMs - this.#roundMs < EVERY_MS.round) return undefined;
      this.#roundMs = nowMs;
      const key = this.#keySource();
      if (typeof key !== "bigint") {
        this.#giveUp("no-key", key.why);
        return undefined;
      }
      this.#smKey = key;
    }
    const group = this.#nextGroup();
    if (group === undefined) return undefined;
    this.#notBeforeMs = nowMs + EVERY_MS.group;
    this.#asking = this.#ask(group, nowMs).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  /** The next one that is there; undefined, and the round is over, when there is none any more. */
  #nextGroup(): BridgedGroup | undefined {
    while (this.#next < this.#groups.length) {
      const group = this.#groups[this.#next++] as BridgedGroup;
      const isThere = group.infiniband !== undefined || (group.trouble?.differs.length ?? 0) > 0;
      if (isThere) return group;
      this.#forget(group);
    }
    this.#next = 0;
    return undefined;
  }

  async #ask(group: BridgedGroup, nowMs: number): Promise<void> {
    try {
      this.#take(group, await this.#client.members(this.#smKey, group.mgid), nowMs);
      this.#say("told", "");
    } catch (error) {
      if (!(error instanceof FabricError)) throw error;
      this.#giveUp(error.status === undefined ? "unanswered" : "refused", error.message);
      this.#notBeforeMs = nowMs + EVERY_MS.silence;
    }
  }

  /** Who is not answered knows nothing, and for the other groups it would be the same. The next round begins anew. */
  #giveUp(told: MembersTold, why: string): void {
    for (const one of this.#groups) this.#forget(one);
    this.#next = 0;
    this.#say(told, why);
  }

  #take(group: BridgedGroup, { records, more }: Members, askedMs: number): void {
    this.#forget(group);
    const room = Math.min(MOST_LISTENERS.group, MOST_LISTENERS.all - this.#kept);
    const own = formatAddress(this.#own);
    const all = records.map(({ portGid, joinState }): GroupPort => {
      const gid = formatAddress(portGid);
      const states = JOIN_STATES.filter(([bit]) => (joinState & bit) !== 0).map(([, name]) => name);
      return { gid, states, listens: (joinState & LISTENS) !== 0, ...(gid === own ? { self: true } : {}) };
    });
    const listening = all.filter(({ listens, self }) => listens && self === undefined).length;
    const ports = all.slice(0, room);
    this.#kept += ports.length;
    this.#ports.set(group.index, { ports, count: all.length, listening, more, askedMs });
  }

  #forget({ index }: BridgedGroup): void {
    this.#kept -= this.#ports.get(index)?.ports.length ?? 0;
    this.#ports.delete(index);
  }

  #say(told: MembersTold, why: string): void {
    const same = told === this.#told && why === this.why;
    this.#told = told;
    this.why = why;
    if (!same) this.#tell(`members-${told}`, why === "" ? {} : { why });
  }
}
