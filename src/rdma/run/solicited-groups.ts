// Owns the groups of IPoIB by which IPv6 neighbours are asked for (RFC 4391, 4): the bridge is a member of those of the hosts
// that it answers for, and sends to those of the hosts that it asks for.
import { makeMgid } from "../bridge/mgid.ts";
import type { McMemberRecord } from "../codec/sa-records.ts";
import type { InfinibandPort } from "../port/infiniband-port.ts";
import { GroupKeeper } from "../sa/group-keeper.ts";
import { FabricError } from "../sa/management-port.ts";
import type { SaClient } from "../sa/sa-client.ts";

/** Full member, and non-member that only sends (IBA vol 1, 15.2.5.17). */
const JOIN = { full: 1, sendOnly: 4 } as const;
/** Of groups that are sent to, in milliseconds: how long a record, or that there is none, is believed; how long an unused one is kept. */
const SENT_MS = { sure: 2000, kept: 30_000 } as const;
/** How many at once. */
const MOST_SENT = 256;
/** How often memberships are looked at. */
const CHECK_MS = 5000;

/** What is wanted of the subnet. */
export interface SolicitedOptions {
  client: SaClient;
  infiniband: InfinibandPort;
  pKey: number;
}

export class SolicitedGroups {
  readonly #options: SolicitedOptions;
  readonly #keeper: GroupKeeper;
  /** By MGID, those that the bridge is a member of. */
  readonly #heard = new Map<string, Uint8Array>();
  /** By MGID, those that it sends to: the record is undefined where there is no such group. */
  readonly #sent = new Map<
    string,
    { mgid: Uint8Array; sinceMs: number; record: Promise<McMemberRecord | undefined> }
  >();
  #checkedMs = -Infinity;

  constructor(options: SolicitedOptions) {
    this.#options = options;
    const { infiniband } = options;
    this.#keeper = new GroupKeeper(options.client, ({ mgid, record }) => {
      if (record === undefined) infiniband.detach(mgid);
      else infiniband.attach({ mgid, mlid: record.mlid, qKey: record.qKey });
    });
  }

  /** Whether the MGID at `at` is one that the bridge is a member of. */
  hears(bytes: Uint8Array, at: number): boolean {
    return this.#heard.size > 0 && this.#heard.has(bytes.subarray(at, at + 16).join());
  }

  /** Is a member of these groups of IPv6, and of no others. `like`: the record of IPoIB's broadcast group, which they share. */
  async hear(groups: readonly Uint8Array[], like: McMemberRecord, nowMs: number): Promise<void> {
    const wanted = new Map(groups.map((group) => this.#mgidOf(group)).map((mgid) => [mgid.join(), mgid]));
    for (const [key, mgid] of this.#heard) {
      if (wanted.has(key)) continue;
      this.#heard.delete(key);
      this.#options.infiniband.detach(mgid);
      await this.#keeper.release(mgid).catch(ignoreFabric);
    }
    const { qKey, pKey, sl, flowLabel, trafficClass, mtu, rate } = like;
    // "Exactly" this MTU and rate (IBA vol 1, 15.2.5.17).
    const more = { qKey, pKey, sl, flowLabel, trafficClass, mtuSelector: 2, mtu, rateSelector: 2, rate };
    for (const [key, mgid] of wanted) {
      if (this.#heard.has(key)) continue;
      this.#heard.set(key, mgid);
      await this.#keeper.hold({ mgid, joinState: JOIN.full, more });
    }
    if (nowMs - this.#checkedMs < CHECK_MS) return;
    this.#checkedMs = nowMs;
    await this.#keeper.check();
    for (const [key, { mgid, sinceMs, record }] of this.#sent) {
      if (nowMs - sinceMs < SENT_MS.kept) continue;
      this.#sent.delete(key);
      if (await record) await this.#options.client.leave(mgid, JOIN.sendOnly).catch(ignoreFabric);
    }
  }

  /** The record of a group of IPv6, to send to it; undefined where it has no member, so that nobody is there. */
  async recordOf(group: Uint8Array, nowMs: number): Promise<McMemberRecord | undefined> {
    const mgid = this.#mgidOf(group);
    const known = this.#sent.get(mgid.join());
    if (known !== undefined && nowMs - known.sinceMs < SENT_MS.sure) return await known.record;
    if (known === undefined && this.#sent.size >= MOST_SENT) return undefined;
    const joining = this.#options.client.join(mgid, JOIN.sendOnly).catch(ignoreFabric);
    this.#sent.set(mgid.join(), { mgid, sinceMs: nowMs, record: joining });
    return await joining;
  }

  /** Gives all up, as far as somebody answers. */
  async leave(): Promise<void> {
    try {
      for (const mgid of this.#heard.values()) await this.#keeper.release(mgid);
      for (const { mgid, record } of this.#sent.values()) {
        if (await record) await this.#options.client.leave(mgid, JOIN.sendOnly);
      }
    } catch (error) {
      ignoreFabric(error);
    }
  }

  /** The MGID of a group, with IPoIB's signature. */
  #mgidOf(group: Uint8Array): Uint8Array {
    return makeMgid({ format: "ipoib", group, pKey: this.#options.pKey, scope: 2 });
  }
}

function ignoreFabric(error: unknown): undefined {
  if (!(error instanceof FabricError)) throw error;
  return undefined;
}
