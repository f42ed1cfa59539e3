// Proves when services are registered, renewed, tried again and given up, by a subnet administrator that is a list.
import { beforeEach, expect, test } from "vitest";
import { addressRecord } from "../bridge/address-record.ts";
import { MAD_BYTES, MadHeader, METHOD, readMadHeader, writeMadHeader } from "../codec/mad.ts";
import { readRecord } from "../codec/record.ts";
import { SA_DATA, writeSaBody } from "../codec/sa.ts";
import { SERVICE_RECORD } from "../codec/sa-records.ts";
import type { ManagementPort } from "./management-port.ts";
import { SaClient } from "./sa-client.ts";
import { ServiceKeeper } from "./service-keeper.ts";

const NAMES: Readonly<Record<number, string>> = { [METHOD.get]: "get", [METHOD.set]: "set", [METHOD.delete]: "delete" };
const LEASE_S = 120;
const NO_RECORD = 0x0300;
const DENIED = 0x0700;

/** An administrator that knows services by their ids, and what it was asked. */
class ListedServices implements ManagementPort {
  onMad: (mad: Uint8Array, slid: number) => void = () => {};
  readonly gid = new Uint8Array(16).fill(9);
  readonly known = new Set<bigint>();
  readonly asked: string[] = [];
  answers = true;
  denies = false;

  place() {
    return Promise.resolve({ lid: 5, smLid: 1 });
  }

  send(mad: Uint8Array): void {
    const header = new MadHeader();
    readMadHeader(mad, 0, header);
    const { serviceId } = readRecord(SERVICE_RECORD, mad, SA_DATA);
    this.asked.push(`${NAMES[header.method]} ${Number((serviceId >> 24n) & 0xffn)}`);
    if (!this.answers) return;
    const status = this.#take(header.method, serviceId);
    const answer = new Uint8Array(MAD_BYTES);
    writeMadHeader(answer, 0, Object.assign(header, { answer: true, status }));
    writeSaBody(SERVICE_RECORD, answer, 0, { serviceId });
    queueMicrotask(() => this.onMad(answer, 1));
  }

  close() {
    return Promise.resolve();
  }

  #take(method: number, id: bigint): number {
    if (method === METHOD.set && this.denies) return DENIED;
    if (method === METHOD.set) this.known.add(id);
    else if (!this.known.has(id)) return NO_RECORD;
    if (method === METHOD.delete) this.known.delete(id);
    return 0;
  }
}

const service = (number: number) =>
  addressRecord({
    number,
    address: Uint8Array.of(192, 0, 2, number),
    gid: new Uint8Array(16),
    pKey: 1,
    lease: LEASE_S,
  });

let port: ListedServices;
let keeper: ServiceKeeper;

beforeEach(() => {
  port = new ListedServices();
  keeper = new ServiceKeeper(new SaClient(port, { timeoutMs: 20, attempts: 1 }));
});

/** What was asked since this was called last. */
const asked = (): string[] => port.asked.splice(0);

test("a service is registered once, and again when a third of its lease is over", async () => {
  keeper.hold(service(0));
  await keeper.check(0);
  keeper.hold(service(0));
  await keeper.check(100);
  expect(asked()).toEqual(["set 0"]);
  await keeper.check((LEASE_S * 1000) / 3 - 1);
  expect(asked()).toEqual(["get 0"]);
  await keeper.check((LEASE_S * 1000) / 3);
  expect(asked()).toEqual(["set 0"]);
});

test("an administrator that has forgotten one is told of all", async () => {
  for (const number of [0, 1]) keeper.hold(service(number));
  await keeper.check(0);
  asked();
  await keeper.check(2000);
  expect(asked()).toEqual(["get 0"]);
  port.known.clear();
  await keeper.check(4000);
  expect(asked()).toEqual(["get 0", "set 0", "set 1"]);
});

test("what is given up is taken back, and what is wanted again meanwhile comes back", async () => {
  keeper.hold(service(0));
  await keeper.check(0);
  keeper.release(service(0));
  expect(keeper.stateOf(service(0))).toBeUndefined();
  const checked = keeper.check(100);
  keeper.hold(service(0));
  await checked;
  await keeper.check(200);
  expect(asked()).toEqual(["set 0", "delete 0", "set 0"]);
  expect(keeper.stateOf(service(0))).toEqual({ state: "registered" });
});

test("a refusal is told, and the service tried again after a while", async () => {
  port.denies = true;
  keeper.hold(service(0));
  await keeper.check(0);
  await keeper.check(9000);
  expect([asked(), keeper.stateOf(service(0))?.state]).toEqual([["set 0"], "refused"]);
  expect(keeper.stateOf(service(0))?.why).toContain("denied");
  port.denies = false;
  await keeper.check(10_000);
  expect(keeper.stateOf(service(0))).toEqual({ state: "registered" });
});

test("where nobody answers, the rest is not tried, and nothing is lost", async () => {
  port.answers = false;
  for (const number of [0, 1]) keeper.hold(service(number));
  await keeper.check(0);
  expect([asked(), keeper.stateOf(service(0))]).toEqual([["set 0"], { state: "wanted" }]);
  port.answers = true;
  await keeper.check(100);
  expect(asked()).toEqual(["set 0", "set 1"]);
});

test("at the end all are given up", async () => {
  for (const number of [0, 1]) keeper.hold(service(number));
  await keeper.check(0);
  await keeper.close(5000);
  expect([asked(), port.known.size]).toEqual([["set 0", "set 1", "delete 0", "delete 1"], 0]);
});
