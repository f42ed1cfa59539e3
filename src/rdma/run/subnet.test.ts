// Proves what a bridge asks the subnet manager for, and when it asks again: of a manager that moves, gives the port another
// LID, forgets, or has another place for a group. The real OpenSM is asked in bridge.net.test.ts.
import { beforeEach, describe, expect, test } from "vitest";
import type { FrameQueue } from "../../host/frames.ts";
import { formatAddress, parseAddress } from "../../model/ip.ts";
import { MAD_BYTES, MadHeader, METHOD, readMadHeader, writeMadHeader } from "../codec/mad.ts";
import { rateOf } from "../codec/rates.ts";
import { readRecord } from "../codec/record.ts";
import { SA_ATTRIBUTE, SA_DATA, writeSaBody } from "../codec/sa.ts";
import { INFORM_INFO, MC_MEMBER_RECORD, NOTICE, TRAP } from "../codec/sa-records.ts";
import type { McMemberRecord } from "../codec/sa-records.ts";
import type { Attachment } from "../fabric/adapter.ts";
import type { InfinibandPort } from "../port/infiniband-port.ts";
import type { ManagementPort } from "../sa/management-port.ts";
import { Subnet } from "./subnet.ts";
import type { SubnetGroup } from "./subnet.ts";
import { bridged } from "./testing/stand.ts";

/** What a join says of a group that is not there (IBA vol 1, 15.4.3.1, "no records" and "request invalid"). */
const NO_RECORDS = 0x0300;
const INVALID = 0x0200;

/** A manager with its groups, and the port that asks it. */
class Manager implements ManagementPort {
  onMad: (mad: Uint8Array, slid: number) => void = () => {};
  readonly gid = parseAddress("fe80::1") as Uint8Array;
  lid = 3;
  smLid = 1;
  /** By MGID. */
  readonly groups = new Map<string, Partial<McMemberRecord>>();
  /** Every join, as it was asked for. */
  joins: McMemberRecord[] = [];
  traps: number[] = [];
  nextMlid = 0xc001;
  /** What the port can carry; a group of more is refused (IBA vol 1, 15.2.5.17). Codes of records. */
  can = { rate: 3, mtu: 4 };

  place() {
    return Promise.resolve({
      lid: this.lid,
      smLid: this.smLid,
      rate: rateOf(this.can.rate) ?? 0,
      mtu: 128 << this.can.mtu,
    });
  }

  send(mad: Uint8Array, dlid: number): void {
    if (dlid !== this.smLid) return;
    const header = new MadHeader();
    readMadHeader(mad, 0, header);
    if (header.answer) return;
    if (header.attribute === SA_ATTRIBUTE.informInfo) {
      this.traps.push(readRecord(INFORM_INFO, mad, SA_DATA).trap);
      this.#answer(header, 0, {});
      return;
    }
    const asked = readRecord(MC_MEMBER_RECORD, mad, SA_DATA);
    const name = formatAddress(asked.mgid);
    if (header.method === METHOD.set) {
      this.joins.push(asked);
      // A group is made of what only full members may state.
      if (!this.groups.has(name) && asked.joinState === 1 && asked.qKey !== 0) {
        this.groups.set(name, { ...asked, mlid: this.nextMlid++, mtu: 4 });
      }
    }
    const group = this.groups.get(name);
    const { rate = 0, mtu = 0 } = group ?? {};
    const isBeyond = (rateOf(rate) ?? 0) > (rateOf(this.can.rate) ?? 0) || mtu > this.can.mtu;
    if (group !== undefined && isBeyond && header.method === METHOD.set) this.#answer(header, INVALID, {});
    else if (group === undefined) this.#answer(header, header.method === METHOD.set ? INVALID : NO_RECORDS, {});
    else this.#answer(header, 0, group);
  }

  /** Tells of a group that came or went. */
  report(trap: number, mgid: Uint8Array): void {
    const mad = new Uint8Array(MAD_BYTES);
    const more = { managementClass: 3, classVersion: 2, method: METHOD.report, attribute: SA_ATTRIBUTE.notice };
    writeMadHeader(mad, 0, Object.assign(new MadHeader(), more));
    writeSaBody(NOTICE, mad, 0, { isGeneric: 1, trap, gid: mgid });
    this.onMad(mad, this.smLid);
  }

  close() {
    return Promise.resolve();
  }

  #answer(header: MadHeader, status: number, record: Partial<McMemberRecord>): void {
    const answer = new Uint8Array(MAD_BYTES);
    writeMadHeader(answer, 0, Object.assign(header, { answer: true, method: METHOD.get, status }));
    writeSaBody(MC_MEMBER_RECORD, answer, 0, record);
    queueMicrotask(() => this.onMad(answer, this.smLid));
  }
}

class Port implements InfinibandPort {
  readonly management: Manager;
  readonly qpn = 5;
  lid = 0;
  readonly drops = {};
  onReadable = (): void => {};
  readonly attached = new Map<string, Attachment>();

  constructor(management: Manager) {
    this.management = management;
  }

  get gid(): Uint8Array {
    return this.management.gid;
  }

  attach(attachment: Attachment): void {
    this.attached.set(formatAddress(attachment.mgid), attachment);
  }

  detach(mgid: Uint8Array): void {
    this.attached.delete(formatAddress(mgid));
  }

  receive(): number {
    return 0;
  }

  send(_bytes: Uint8Array, { count }: FrameQueue): number {
    return count;
  }

  close() {
    return Promise.resolve();
  }
}

const BROADCAST = "ff12:401b:ffff::ffff:ffff";
let manager: Manager;
let port: Port;
let groups: [SubnetGroup, SubnetGroup, SubnetGroup];
let subnet: Subnet;
let told: string[];
let now: number;

beforeEach(async () => {
  manager = new Manager();
  manager.groups.set(BROADCAST, { mlid: 0xc000, qKey: 0xb1b, sl: 6, flowLabel: 9, trafficClass: 8, mtu: 4, rate: 3 });
  port = new Port(manager);
  groups = [
    bridged(0, "239.37.0.1"),
    bridged(1, "239.37.0.2", { way: "to-infiniband" }),
    bridged(2, "239.37.0.3", { mgid: "ff12:401b:ffff::f25:3", ipoib: true }),
  ];
  told = [];
  subnet = new Subnet(port, 0xffff, groups, (what) => told.push(what));
  await subnet.join();
  now = performance.now();
});

/** Lets so many milliseconds pass, and has it look. */
async function look(ms: number): Promise<void> {
  now += ms;
  await subnet.look(now);
}

function mlids(): (number | undefined)[] {
  return groups.map(({ group }) => group.infiniband?.mlid);
}

describe("joining", () => {
  test("makes groups as RDMA-CM does, and those of IPoIB like the broadcast group", () => {
    expect(subnet.ready).toBe(true);
    expect(port.lid).toBe(3);
    const common = { sl: 6, flowLabel: 9, trafficClass: 8, pKey: 0xffff, joinState: 1 };
    const made = (name: string): object | undefined => manager.groups.get(name);
    expect(made("ff12:4001:ffff::f25:1")).toMatchObject({ ...common, qKey: 0x01234567, mtuSelector: 0 });
    expect(made("ff12:401b:ffff::f25:3")).toMatchObject({ ...common, qKey: 0xb1b, mtuSelector: 2, rateSelector: 2 });
  });

  test("asks to send only where the group goes one way, makes no such group, and attaches nothing", async () => {
    expect(mlids()).toEqual([0xc001, undefined, 0xc002]);
    expect(manager.joins.filter(({ joinState }) => joinState === 4)).toHaveLength(1);
    const { group } = groups[1];
    manager.groups.set(formatAddress(group.mgid), { mlid: 0xc010, qKey: 7, mtu: 3 });
    manager.report(TRAP.groupCreated, group.mgid);
    await look(0);
    expect(group.infiniband).toMatchObject({ mlid: 0xc010, qKey: 7, mtu: 1024 });
    expect([...port.attached.keys()]).toEqual(["ff12:4001:ffff::f25:1", "ff12:401b:ffff::f25:3"]);
  });

  test("asks for reports of groups that come and go", () => {
    expect(manager.traps).toEqual([TRAP.groupCreated, TRAP.groupDeleted]);
  });
});

describe("joins again", () => {
  beforeEach(async () => {
    // The first look tries the lost one again.
    await look(0);
    manager.joins = [];
    manager.traps = [];
  });

  test("nothing while nothing has happened", async () => {
    await look(2000);
    expect(manager.joins).toEqual([]);
  });

  test("everything when the port has another LID, which it takes", async () => {
    manager.lid = 12;
    await look(2000);
    expect(port.lid).toBe(12);
    expect(manager.joins.length).toBeGreaterThanOrEqual(3);
    expect(manager.traps).toHaveLength(2);
  });

  test("everything with another manager, which knows nothing", async () => {
    manager.smLid = 8;
    manager.groups.clear();
    manager.nextMlid = 0xc100;
    await look(2000);
    expect(mlids()).toEqual([0xc100, undefined, 0xc101]);
    expect(port.attached.get("ff12:4001:ffff::f25:1")?.mlid).toBe(0xc100);
    expect(manager.traps).toHaveLength(2);
  });

  test("everything when the manager at the same place has forgotten", async () => {
    manager.groups.clear();
    manager.nextMlid = 0xc200;
    await look(2000);
    expect(told).toContain("manager-forgot");
    expect(mlids()).toEqual([0xc200, undefined, 0xc201]);
  });

  test("a group of its own that is reported, and no other", async () => {
    manager.report(TRAP.groupDeleted, groups[0].group.mgid);
    manager.report(TRAP.groupDeleted, parseAddress("ff12:4001:ffff::1") as Uint8Array);
    await look(0);
    expect(manager.joins.map(({ mgid }) => formatAddress(mgid))).toEqual(["ff12:4001:ffff::f25:1"]);
  });

  test("everything once a minute, whatever is heard", async () => {
    await look(61_000);
    expect(manager.joins.length).toBeGreaterThanOrEqual(3);
  });

  test("and is not ready while it has no LID", async () => {
    manager.lid = 0;
    await look(2000);
    expect(subnet.ready).toBe(false);
    manager.lid = 4;
    await look(2000);
    expect(subnet.ready).toBe(true);
    expect(port.lid).toBe(4);
  });
});

describe("a group that is otherwise than the file says", () => {
  /** Joins anew, with a group of the first address that somebody has made. */
  async function joinWith(record: Partial<McMemberRecord>): Promise<void> {
    groups = [bridged(0, "239.37.0.1"), bridged(1, "239.37.0.2"), bridged(2, "239.37.0.3", { ipoib: true })];
    const made = { mlid: 0xc050, qKey: 0x01234567, pKey: 0xffff, rate: 3, mtu: 4 };
    for (const { group } of [groups[0], groups[2]])
      manager.groups.set(formatAddress(group.mgid), { ...made, ...record });
    subnet = new Subnet(port, 0xffff, groups, (what) => told.push(what));
    await subnet.join();
    // Why one was refused is asked for beside.
    await new Promise((resolve) => setImmediate(resolve));
  }

  test("in its key is taken as it is, and that is told; of IPoIB's nobody has stated one", async () => {
    await joinWith({ qKey: 7 });
    expect(groups.map(({ group }) => group.differs)).toEqual([[{ what: "Q_Key", wanted: 0x01234567, has: 7 }], [], []]);
    expect(groups[0].group.infiniband).toMatchObject({ mlid: 0xc050, qKey: 7, rate: 10 });
    expect(groups[0].group.trouble).toBeUndefined();
  });

  test("in how a port is a member of the partition is the same", async () => {
    await joinWith({ pKey: 0x7fff });
    expect(groups[0].group.differs).toEqual([]);
  });

  test.each([
    ["rate", { rate: 7 }, { what: "rate", wanted: 10, has: 40 }],
    ["MTU", { mtu: 5 }, { what: "MTU", wanted: 2048, has: 4096 }],
  ])("in a larger %s does not let the port in", async (_, record, difference) => {
    await joinWith(record);
    expect(groups[0].group.infiniband).toBeUndefined();
    expect(groups[0].group.trouble).toEqual({ why: expect.stringContaining("not valid"), differs: [difference] });
  });
});

test("when the manager was heard last is told by its answers", async () => {
  const { heardMs = 0 } = subnet.client;
  expect(heardMs).toBeGreaterThan(0);
  await look(2000);
  expect(subnet.client.heardMs).toBeGreaterThan(heardMs);
  expect(subnet.portRate).toBe(10);
});
