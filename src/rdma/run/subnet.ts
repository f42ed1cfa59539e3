// Owns what a bridge has to do with the subnet manager: its place, the memberships of its groups, and looking whether the
// manager still knows of them.
import { formatAddress } from "../../model/ip.ts";
import type { BridgedGroup, GroupTrouble } from "../bridge/group.ts";
import { makeMgid } from "../bridge/mgid.ts";
import { rateOf } from "../codec/rates.ts";
import type { McMemberRecord } from "../codec/sa-records.ts";
import { TRAP } from "../codec/sa-records.ts";
import type { InfinibandPort } from "../port/infiniband-port.ts";
import { GroupKeeper } from "../sa/group-keeper.ts";
import type { GroupNews } from "../sa/group-keeper.ts";
import { FabricError } from "../sa/management-port.ts";
import type { PortPlace } from "../sa/management-port.ts";
import { SaClient } from "../sa/sa-client.ts";

/** Full member, and non-member that only sends (IBA vol 1, 15.2.5.17). */
const JOIN = { full: 1, sendOnly: 4 } as const;
/** The key of the groups of RDMA-CM (Linux rdma_cma.h, RDMA_UDP_QKEY), and that of IPoIB (RFC 4391, 4). */
export const RDMA_CM_QKEY = 0x01234567;
export const IPOIB_QKEY = 0x0b1b;
/** Bits of a P_Key that name the partition; the other one is whether a port is a full member of it (IBA vol 1, 10.9.1.1). */
const PARTITION = 0x7fff;
/** How often the manager is asked whether it still knows us, whether a lost group is there, and all groups. */
const EVERY_MS = { look: 1000, lost: 5000, all: 60_000 } as const;

/** A group with what it is made with where there is none. */
export interface SubnetGroup {
  group: BridgedGroup;
  /** The MGID is one of IPoIB's, whose groups are like the broadcast group (OpenSM asks for it). */
  ipoib: boolean;
  /** Stated in the file. */
  more: Partial<Pick<McMemberRecord, "qKey" | "sl" | "trafficClass" | "hopLimit">>;
}

/** What is told of it. */
export type SubnetNews = (what: string, fields: Readonly<Record<string, string | number>>) => void;

/** The memberships of one port. */
export class Subnet {
  readonly #port: InfinibandPort;
  readonly client: SaClient;
  readonly #keeper: GroupKeeper;
  readonly #groups: readonly SubnetGroup[];
  readonly #byMgid: ReadonlyMap<string, BridgedGroup>;
  readonly #pKey: number;
  readonly #tell: SubnetNews;
  /** What a group is on InfiniBand has changed. */
  onChange: (group: BridgedGroup) => void = () => {};
  #smLid = 0;
  /** What the port can carry, as far as it tells. */
  #can: Pick<PortPlace, "rate" | "mtu"> = {};
  #answered = false;
  #lookedMs = -Infinity;
  #lostMs = -Infinity;
  #allMs = -Infinity;
  /** Groups of ours that came or went, as the manager reports. */
  readonly #noticed = new Set<BridgedGroup>();

  constructor(port: InfinibandPort, pKey: number, groups: readonly SubnetGroup[], tell: SubnetNews) {
    this.#port = port;
    this.#pKey = pKey;
    this.#groups = groups;
    this.#tell = tell;
    this.#byMgid = new Map(groups.map(({ group }) => [group.mgid.join(), group]));
    this.client = new SaClient(port.management);
    this.client.onNotice = ({ gid }) => {
      const group = this.#byMgid.get(gid.join());
      if (group) this.#noticed.add(group);
    };
    this.#keeper = new GroupKeeper(this.client, (news) => this.#take(news));
  }

  /** LID of the subnet manager, 0 while there is none. */
  get smLid(): number {
    return this.#smLid;
  }

  /** Gigabits per second that the port can carry; undefined where it does not tell. */
  get portRate(): number | undefined {
    return this.#can.rate;
  }

  /** The port has a LID, and the manager has answered for all groups since it last was away. */
  get ready(): boolean {
    return this.#port.lid !== 0 && this.#answered;
  }

  /** Joins all groups. To be called once; those that cannot be had are tried again by `look`. */
  async join(): Promise<void> {
    await this.place();
    const common = await this.#broadcast();
    for (const { group, ipoib, more } of this.#groups) {
      const joinState = group.way === "to-infiniband" ? JOIN.sendOnly : JOIN.full;
      const qKey = ipoib ? (common.qKey ?? IPOIB_QKEY) : RDMA_CM_QKEY;
      const made = { qKey, ...pick(common, ipoib), ...more, pKey: this.#pKey };
      // Who only sends cannot make a group.
      await this.#keeper.hold({ mgid: group.mgid, joinState, ...(joinState === JOIN.full ? { more: made } : {}) });
    }
    await this.#subscribe();
    this.#answered = this.#keeper.records.length > 0 || this.#smLid !== 0;
    this.#allMs = performance.now();
  }

  /** Looks whether all is as it was, when it is time for that, and at what was reported. */
  async look(nowMs: number): Promise<void> {
    // Who only sends loses the group with its last full member, and has another when one comes again.
    for (const group of this.#noticed) {
      this.#noticed.delete(group);
      await this.#keeper.checkGroup(group.mgid);
    }
    if (nowMs - this.#lookedMs < EVERY_MS.look) return;
    this.#lookedMs = nowMs;
    const moved = await this.place();
    const forgotten = !moved && (await this.#isForgotten());
    if (moved || forgotten || nowMs - this.#allMs >= EVERY_MS.all) {
      if (forgotten) this.#tell("manager-forgot", { lid: this.#smLid });
      this.#allMs = nowMs;
      await this.#keeper.check();
      await this.#subscribe();
    } else if (nowMs - this.#lostMs >= EVERY_MS.lost) {
      this.#lostMs = nowMs;
      await this.#keeper.checkLost();
    }
  }

  /** Gives all groups up, as far as somebody answers. */
  async leave(): Promise<void> {
    for (const { group } of this.#groups) {
      if (group.infiniband === undefined) continue;
      try {
        await this.#keeper.release(group.mgid);
      } catch (error) {
        if (!(error instanceof FabricError)) throw error;
        return;
      }
    }
  }

  /** Asks where the port and the manager are; true when one of them has moved. */
  async place(): Promise<boolean> {
    const { lid, smLid, ...can } = await this.#port.management.place().catch(absent);
    this.#can = can;
    const moved = lid !== this.#port.lid || smLid !== this.#smLid;
    if (moved) this.#tell("place", { lid, "sm-lid": smLid });
    this.#port.lid = lid;
    this.#smLid = smLid;
    return moved && lid !== 0;
  }

  /** Whether the manager does not know a group that this port is in: it has been started anew. */
  async #isForgotten(): Promise<boolean> {
    const [first] = this.#keeper.records;
    // Without a group of its own it is asked for one that every fabric has, to hear whether it is there.
    return (await this.#find(first?.mgid ?? this.#broadcastMgid())) === undefined && first !== undefined;
  }

  /** The record of IPoIB's broadcast group, of which RDMA-CM takes its values (Linux cma_join_ib_multicast). */
  async #broadcast(): Promise<Partial<McMemberRecord>> {
    return (await this.#find(this.#broadcastMgid())) || {};
  }

  #broadcastMgid(): Uint8Array {
    const group = Uint8Array.of(0xff, 0xff, 0xff, 0xff);
    const mgid = makeMgid({ format: "ipoib", group, pKey: this.#pKey, scope: 2 });
    mgid[12] = 0xff;
    return mgid;
  }

  /** A group's record; undefined where there is none, and false where nobody answers. */
  async #find(mgid: Uint8Array): Promise<McMemberRecord | false | undefined> {
    try {
      return await this.client.group(mgid);
    } catch (error) {
      if (!(error instanceof FabricError)) throw error;
      return error.status === undefined ? false : undefined;
    }
  }

  /** Reports of groups that come and go. Without them it takes a minute until it is known. */
  async #subscribe(): Promise<void> {
    if (this.#smLid === 0) return;
    for (const trap of [TRAP.groupCreated, TRAP.groupDeleted]) {
      await this.client.subscribe(trap).catch((error: unknown) => {
        if (!(error instanceof FabricError)) throw error;
      });
    }
  }

  /** Finds out how a group that is there, and does not let the port in, differs from the one that was asked for. */
  async #compare(group: BridgedGroup): Promise<void> {
    const has = await this.#find(group.mgid);
    // There is none, or nobody answers; or it was had meanwhile.
    if (!has || group.trouble === undefined) return;
    group.trouble.differs.push(...this.#differences(group, has));
    // A port that cannot carry as much as the group is not let in (IBA vol 1, 15.2.5.17).
    const most = [
      { what: "MTU", wanted: this.#can.mtu, has: 128 << has.mtu },
      { what: "rate", wanted: this.#can.rate, has: rateOf(has.rate) },
    ] as const;
    for (const { what, wanted: can, has: needs } of most) {
      if (can !== undefined && needs !== undefined && needs > can) {
        group.trouble.differs.push({ what, wanted: can, has: needs });
      }
    }
  }

  /** What a group has otherwise than the file says; of a group of IPoIB's the fabric says which key it has. */
  #differences(group: BridgedGroup, has: McMemberRecord): GroupTrouble["differs"] {
    const { ipoib = false, more = {} } = this.#groups.find((one) => one.group === group) ?? {};
    const qKey = more.qKey ?? (ipoib ? undefined : RDMA_CM_QKEY);
    const compared = [
      { what: "Q_Key", wanted: qKey, has: has.qKey },
      { what: "P_Key", wanted: this.#pKey & PARTITION, has: has.pKey & PARTITION },
      { what: "SL", wanted: more.sl, has: has.sl },
    ] as const;
    return compared.flatMap(({ what, wanted, has: found }) =>
      wanted === undefined || wanted === found ? [] : [{ what, wanted, has: found }],
    );
  }

  #take({ mgid, what, record, error }: GroupNews): void {
    const group = this.#byMgid.get(mgid.join());
    if (group === undefined) return;
    this.onChange(group);
    if (record === undefined) {
      group.infiniband = undefined;
      group.differs = [];
      group.trouble = { why: error?.message ?? "", differs: [] };
      void this.#compare(group);
      this.#port.detach(mgid);
      this.#tell("group-lost", { group: group.name, why: error?.message ?? "" });
      return;
    }
    group.trouble = undefined;
    group.differs = this.#differences(group, record);
    const { mlid, qKey, pKey, sl, hopLimit } = record;
    const rate = rateOf(record.rate);
    const more = rate === undefined ? {} : { rate };
    group.infiniband = { mlid, qKey, pKey, sl, hopLimit, mtu: 128 << record.mtu, ...more };
    if (group.way !== "to-infiniband") this.#port.attach({ mgid, mlid, qKey });
    this.#tell(`group-${what}`, { group: group.name, mgid: formatAddress(mgid), mlid });
  }
}

/** What a new group takes of the broadcast group's record. */
function pick(common: Partial<McMemberRecord>, ipoib: boolean): Partial<McMemberRecord> {
  const { sl = 0, flowLabel = 0, trafficClass = 0 } = common;
  if (!ipoib || common.mtu === undefined || common.rate === undefined) return { sl, flowLabel, trafficClass };
  // "Exactly" this MTU and rate (IBA vol 1, 15.2.5.17).
  return { sl, flowLabel, trafficClass, mtuSelector: 2, mtu: common.mtu, rateSelector: 2, rate: common.rate };
}

function absent(error: unknown): PortPlace {
  if (!(error instanceof FabricError)) throw error;
  return { lid: 0, smLid: 0 };
}
