// Proves that those who ask the subnet administrator find hosts on Ethernet, with the real OpenSM and its real saquery: how
// records come, last, and go.
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { formatAddress } from "../../model/ip.ts";
import { addressQuestion, addressRecord } from "../bridge/address-record.ts";
import { until } from "../fabric/until.ts";
import { numbered } from "../hosts/messages.ts";
import { FabricError } from "../sa/management-port.ts";
import { IbsimPort } from "../sa/ibsim-port.ts";
import { SaClient } from "../sa/sa-client.ts";
import type { Bridge } from "./bridge.ts";
import type { MessagePlan } from "./messenger.ts";
import type { RegistrationState } from "./registrations.ts";
import { converse, InfinibandEnd, RoceEnd } from "./testing/ends.ts";
import type { Peer } from "./testing/ends.ts";
import { bytesOf, Stand } from "./testing/stand.ts";

const run = promisify(execFile);
const [ROCE, ABSENT, IB, SECOND] = ["192.0.2.130", "192.0.2.131", "192.0.2.199", "192.0.2.132"];
const ATS_NAME = "DAPL Address Translation Service";
const NO_RECORD = 0x0300;

const PLAN: MessagePlan = {
  immediateQpn: false,
  bounds: {},
  endpoints: [],
  registered: [ROCE, ABSENT, IB, SECOND].map(bytesOf),
};

let stand: Stand;
let bridge: Bridge;
let roce: RoceEnd;
let second: RoceEnd;
let ib: InfinibandEnd;
let port: IbsimPort;
let asker: SaClient;

beforeAll(async () => {
  stand = await Stand.build(8, 6);
  stand.addLink("rg1");
  roce = await RoceEnd.on("rg1", ROCE);
  second = await RoceEnd.on("rg1", SECOND);
  ib = await InfinibandEnd.at(stand.place("H3"), IB);
  port = await IbsimPort.open({ node: "H4", port: stand.fabric.port });
  asker = new SaClient(port, { timeoutMs: 500 });
  bridge = await stand.bridge("rg2", "H2", [], { messages: PLAN });
});

afterAll(async () => {
  await port.close();
  roce[Symbol.dispose]();
  second[Symbol.dispose]();
  await ib[Symbol.asyncDispose]();
  await stand[Symbol.asyncDispose]();
});

/** The states of the stated hosts, in their order. */
function states(): RegistrationState[] {
  return bridge.messenger?.registrations.status.map(({ state }) => state) ?? [];
}

/** The GID of the port where an address is; undefined when the administrator knows of none. */
async function portOf(address: string): Promise<string | undefined> {
  try {
    return formatAddress((await asker.service(addressQuestion(bytesOf(address)))).serviceGid);
  } catch (error) {
    if (error instanceof FabricError && error.status === NO_RECORD) return undefined;
    throw error;
  }
}

/** What the real saquery tells of service records, as the host H5. */
async function saquery(): Promise<string> {
  const [library] = globSync("/usr/lib/*/umad2sim/libumad2sim.so");
  const env = {
    ...process.env,
    PATH: `${process.env["PATH"]}:/usr/sbin`,
    LD_PRELOAD: library,
    SIM_HOST: "H5",
    IBSIM_SERVER_NAME: "127.0.0.1",
    IBSIM_SERVER_PORT: String(stand.fabric.port),
  };
  return (await run("saquery", ["SR"], { env, cwd: stand.folder })).stdout;
}

test("who is found on Ethernet is registered without being asked for, nobody else is", async () => {
  await until("what can be is registered", () => states().join() === "registered,not-found,elsewhere,registered");
  expect(await portOf(ROCE)).toBe(formatAddress(bridge.infiniband.gid));
  // Two hosts at one port are two records.
  expect(await portOf(SECOND)).toBe(formatAddress(bridge.infiniband.gid));
  expect([await portOf(ABSENT), await portOf(IB)]).toEqual([undefined, undefined]);
});

test("the record is that of the convention, as saquery shows it", async () => {
  const said = await saquery();
  expect(said).toContain(ATS_NAME);
  // The simulator lets the first datagram of an answer through, which has room for one record.
  expect(said).toMatch(/0x10000ce10[03]415453/i);
  expect(said).toContain(formatAddress(bridge.infiniband.gid));
});

test("who knows nothing but the address reaches the host by what it is told", async () => {
  roce.services.set(4711, () => ({ qpn: 0x52, qKey: 0x4321 }));
  roce.echo();
  const { serviceGid } = await asker.service(addressQuestion(bytesOf(ROCE)));
  const { dlid } = await asker.path(serviceGid);
  expect(dlid).toBe(bridge.infiniband.lid);
  // The host's own question for the address is left out: no ARP.
  ib.resolve = () => Promise.resolve({ lid: dlid, qpn: 1, qKey: 0x80010000 });
  const service = (await ib.ask(ROCE, 4711)) as Peer & { status: number };
  expect(service).toMatchObject({ status: 0, qKey: 0x4321 });
  const answer = await converse(ib, service, 0x71, numbered(1, 1));
  expect(answer.payload).toEqual(numbered(1, 1));
});

test("a manager that was started anew is told again", async () => {
  await stand.fabric.stopManager();
  await stand.fabric.startManager();
  await until("it is registered again", async () => (await portOf(ROCE).catch(() => undefined)) !== undefined);
});

test("a host that is given up is taken back, and told of when it comes again", async () => {
  roce[Symbol.dispose]();
  // As if it had been silent for two minutes.
  const host = bridge.messenger?.hosts.find(bytesOf(ROCE), 0, 4);
  if (host !== undefined) host.heardMs = -Infinity;
  await until("it is taken back", async () => (await portOf(ROCE)) === undefined);
  expect(states()).toEqual(["not-found", "not-found", "elsewhere", "registered"]);
  roce = await RoceEnd.on("rg1", ROCE);
  await until("it is registered again", async () => (await portOf(ROCE)) !== undefined);
});

test("of two bridges the one that answers for hosts registers them, and the other one when that has ended", async () => {
  const peer = await stand.bridge("rg3", "H6", [], { messages: PLAN });
  const stateAt = (one: Bridge): string | undefined => one.messenger?.registrations.status[0]?.state;
  const both = [bridge, peer];
  // Several records are refused by the administrator where one is asked for.
  const placed = (one: Bridge): Promise<boolean> =>
    portOf(ROCE).then(
      (gid) => gid === formatAddress(one.infiniband.gid),
      () => false,
    );
  await until("one has it, and the other leaves it", async () => {
    const [first] = both.filter((one) => stateAt(one) === "registered");
    const left = both.filter((one) => stateAt(one) === "standby");
    return first !== undefined && left.length === 1 && (await placed(first));
  });
  const [first, other] = both.toSorted((a) => (stateAt(a) === "registered" ? -1 : 1)) as [Bridge, Bridge];
  await first[Symbol.asyncDispose]();
  await until("the other has it", () => placed(other));
  bridge = other;
});

test("nothing is left of a bridge that ends", async () => {
  await bridge[Symbol.asyncDispose]();
  expect(await portOf(ROCE)).toBeUndefined();
  expect(await saquery()).not.toContain(ATS_NAME);
  // The administrator would tell of one: the absence is no silence.
  const own = addressRecord({ number: 0, address: bytesOf(ROCE), gid: port.gid, pKey: 0xffff, lease: 60 });
  await asker.register(own);
  expect(await portOf(ROCE)).toBe(formatAddress(port.gid));
  expect(await saquery()).toContain(ATS_NAME);
});
