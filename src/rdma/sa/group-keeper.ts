// Owns memberships that last: a subnet manager that was restarted has forgotten them, and does not always say so.
import type { McMemberRecord } from "../codec/sa-records.ts";
import { FabricError } from "./management-port.ts";
import type { SaClient } from "./sa-client.ts";

/** What is to be a member of what. */
export interface WantedGroup {
  mgid: Uint8Array;
  /** As in MCMemberRecord: 1 full member, 4 send-only. */
  joinState: number;
  /** What a group that does not exist is made with. */
  more?: Partial<McMemberRecord>;
}

/** What became of a membership. */
export interface GroupNews {
  mgid: Uint8Array;
  /** `joined`, or joined again in another way than before (MLID, Q_Key …); `lost`: it cannot be had now, and is tried again. */
  what: "joined" | "lost";
  /** The group's record when it was joined. */
  record?: McMemberRecord;
  /** Why it cannot be had. */
  error?: FabricError;
}

interface Held {
  wanted: WantedGroup;
  /** Absent while the membership cannot be had. */
  record?: McMemberRecord;
  /** What was told of it last. */
  told?: GroupNews["what"];
}

/** Keeps a port in its groups. Nothing happens by itself: whoever has the clock calls `check`. */
export class GroupKeeper {
  readonly #client: SaClient;
  readonly #onNews: (news: GroupNews) => void;
  readonly #held = new Map<string, Held>();

  constructor(client: SaClient, onNews: (news: GroupNews) => void) {
    this.#client = client;
    this.#onNews = onNews;
  }

  /** The groups that the port is in, as far as is known. */
  get records(): McMemberRecord[] {
    return [...this.#held.values()].flatMap(({ record }) => record ?? []);
  }

  /** Joins a group and keeps it from now on, whether or not it can be had at once: news tells. */
  async hold(wanted: WantedGroup): Promise<void> {
    const held: Held = { wanted };
    this.#held.set(toKey(wanted.mgid), held);
    await this.#join(held);
  }

  /** Gives a group up; one that is gone already is no error. Rejects with FabricError when nobody answers. */
  async release(mgid: Uint8Array): Promise<void> {
    const held = this.#held.get(toKey(mgid));
    if (!held) return;
    this.#held.delete(toKey(mgid));
    try {
      await this.#client.leave(mgid, held.wanted.joinState);
    } catch (error) {
      if (!(error instanceof FabricError) || error.status === undefined) throw error;
    }
  }

  /**
   * Joins every group again. An administrator tells who is a member to those only who have its key (OpenSM answers others
   * without join state), and a group may be there though the port is not in it any more; what is there stays as it is.
   */
  async check(): Promise<void> {
    for (const held of this.#held.values()) await this.#join(held);
  }

  /** The same with one group, of which something was heard. */
  async checkGroup(mgid: Uint8Array): Promise<void> {
    const held = this.#held.get(toKey(mgid));
    if (held) await this.#join(held);
  }

  /** Tries again those that cannot be had. */
  async checkLost(): Promise<void> {
    for (const held of this.#held.values()) if (held.record === undefined) await this.#join(held);
  }

  async #join(held: Held): Promise<void> {
    const { mgid, joinState, more } = held.wanted;
    try {
      const record = await this.#client.join(mgid, joinState).catch((error: unknown) => {
        if (more === undefined || !(error instanceof FabricError) || error.status === undefined) throw error;
        return this.#client.join(mgid, joinState, more);
      });
      const asBefore = held.told === "joined" && held.record !== undefined && isSameGroup(held.record, record);
      held.record = record;
      if (!asBefore) this.#tell(held, { mgid, what: "joined", record });
    } catch (error) {
      if (!(error instanceof FabricError)) throw error;
      // No answer says nothing of the membership; it is asked for again.
      if (error.status === undefined && held.told !== undefined) return;
      delete held.record;
      if (held.told !== "lost") this.#tell(held, { mgid, what: "lost", error });
      return;
    }
    // Released while the answer was under way: what was joined then is not wanted any more.
    if (this.#held.get(toKey(mgid)) !== held) await this.#client.leave(mgid, joinState).catch(ignoreFabric);
  }

  #tell(held: Held, news: GroupNews): void {
    held.told = news.what;
    if (this.#held.get(toKey(news.mgid)) === held) this.#onNews(news);
  }
}

/** Whether packets to the group still go the same way: the fields that a sender takes from the record. */
function isSameGroup(a: McMemberRecord, b: McMemberRecord): boolean {
  return SENDERS_FIELDS.every((name) => a[name] === b[name]);
}

const SENDERS_FIELDS = ["mlid", "qKey", "pKey", "sl", "flowLabel", "trafficClass", "hopLimit", "mtu", "rate"] as const;

function toKey(mgid: Uint8Array): string {
  return mgid.join();
}

function ignoreFabric(error: unknown): void {
  if (!(error instanceof FabricError)) throw error;
}
