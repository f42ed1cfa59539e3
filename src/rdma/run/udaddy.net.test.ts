// Proves messages between hosts with a real program: udaddy of RDMA-CM on a stock kernel with a soft RDMA device, as client
// and as server, and a host of the model on the other side.
import { beforeAll, describe, expect, test } from "vitest";
import { findEthernetLink } from "../port/ethernet-port.ts";
import { until } from "../fabric/until.ts";
import type { BridgeProcess } from "./testing/bridge-process.ts";
import { InfinibandEnd } from "./testing/ends.ts";
import type { Message } from "./testing/ends.ts";
import { Guest } from "./testing/guest.ts";
import { ip, Stand } from "./testing/stand.ts";

const ADDRESS = "192.0.2.98";
const IB = "192.0.2.178";
const [ADDRESS6, IB6] = ["fd00:2::d98", "fd00:2::d78"];
/** udaddy's service. */
const PORT = 7174;
const MESSAGES = 5;
/** Not a multiple of 4, so that it is padded. */
const BYTES = 101;

let stand: Stand;
let guest: Guest;
let bridge: BridgeProcess;
let ib: InfinibandEnd;
let ib6: InfinibandEnd;

// The guest is made for this architecture only.
describe.runIf(process.arch === "x64")("udaddy", () => {
  beforeAll(async () => {
    stand = await Stand.build(6, 4);
    // Hosts of the model do not tell the switch whom they may be asked for as.
    ip("link set sw6 type bridge mcast_snooping 0");
    stand.addLink("ug1");
    const link = await findEthernetLink("ug1");
    guest = new Guest(link?.index ?? 0);
    ib = await InfinibandEnd.at(stand.place("H3"), IB);
    ib6 = await InfinibandEnd.at(stand.place("H4"), IB6);
    bridge = stand.bridgeProcess("ub1", "H2", "messages: { immediate: qpn }");
    bridge.start();
    await bridge.active();
    await guest.up(`${ADDRESS}/24`);
    return async () => {
      await guest[Symbol.asyncDispose]();
      await ib[Symbol.asyncDispose]();
      await ib6[Symbol.asyncDispose]();
      await stand[Symbol.asyncDispose]();
    };
  }, 120_000);

  test("asks a host on InfiniBand, sends to it and is answered", async () => {
    ib.services.set(PORT, () => ({ qpn: 0x51, qKey: 0x01234567 }));
    const heard: Message[] = [];
    ib.onMessage = (message) => {
      heard.push(message);
      // As udaddy's server: when all have come, as many go back, to the queue pair that the immediate data tells.
      if (heard.length !== MESSAGES) return;
      for (let i = 0; i < MESSAGES; i++) {
        ib.sendImmediate({ ...message.from, qpn: message.immediate }, 0x51, new Uint8Array(BYTES).fill(i), 0x51);
      }
    };
    const { code, out } = await guest.run(`timeout 50 udaddy -s ${IB} -b ${ADDRESS} -C ${MESSAGES} -S ${BYTES}`);
    expect(out).toContain("test complete");
    expect([code, out.includes("error")]).toEqual([0, false]);
    expect(heard).toHaveLength(MESSAGES);
    expect(heard.every(({ icrc, payload, qpn }) => icrc && payload.length === BYTES && qpn === 0x51)).toBe(true);
    expect(new Set(heard.map(({ immediate, from }) => immediate === from.qpn))).toEqual(new Set([true]));
  }, 120_000);

  test("asks by IPv6, found by neighbour discovery of its own kernel, and is answered", async () => {
    await guest.run(`ip -6 addr add ${ADDRESS6}/64 dev eth0`);
    // Until its claim is over nobody can be bound to it.
    const claim = "ip -6 addr show dev eth0 | grep -q tentative";
    await until("it has its address", async () => (await guest.run(claim)).code !== 0);
    ib6.services.set(PORT, () => ({ qpn: 0x53, qKey: 0x01234567 }));
    const heard: Message[] = [];
    ib6.onMessage = (message) => {
      heard.push(message);
      if (heard.length !== MESSAGES) return;
      for (let i = 0; i < MESSAGES; i++) {
        ib6.sendImmediate({ ...message.from, qpn: message.immediate }, 0x53, new Uint8Array(BYTES).fill(i), 0x53);
      }
    };
    const { code, out } = await guest.run(`timeout 50 udaddy -s ${IB6} -b ${ADDRESS6} -C ${MESSAGES} -S ${BYTES}`);
    expect(out).toContain("test complete");
    expect(code).toBe(0);
    expect(heard).toHaveLength(MESSAGES);
    expect(heard.every(({ icrc, qpn }) => icrc && qpn === 0x53)).toBe(true);
  }, 120_000);

  test("is refused where nobody listens", async () => {
    ib.services.clear();
    const { code, out } = await guest.run(`timeout 50 udaddy -s ${IB} -b ${ADDRESS} -C 1`);
    // RDMA_CM_EVENT_UNREACHABLE with the status of the answer.
    expect(out).toMatch(/event: RDMA_CM_EVENT_UNREACHABLE, error: 1\b/);
    expect(code).not.toBe(0);
  }, 120_000);

  test("answers a host on InfiniBand", async () => {
    const ended = guest.run(`timeout 50 udaddy -b ${ADDRESS} -C ${MESSAGES} -S ${BYTES}`);
    let service: Awaited<ReturnType<InfinibandEnd["ask"]>>;
    await until("it listens", async () => {
      service = await ib.ask(ADDRESS, PORT, 4);
      return service?.status === 0;
    });
    expect(service?.qpn).toBeGreaterThanOrEqual(0x400000);
    ib.messages.length = 0;
    ib.onMessage = undefined;
    for (let i = 0; i < MESSAGES; i++) {
      ib.sendImmediate(service as never, 0x71, new Uint8Array(BYTES).fill(i), 0x71);
    }
    const { code, out } = await ended;
    expect(out).toContain("test complete");
    expect(code).toBe(0);
    await until("its messages have come", () => ib.messages.length >= MESSAGES);
    expect(ib.messages).toHaveLength(MESSAGES);
    for (const { icrc, payload, qpn, from } of ib.messages) {
      expect([icrc, payload.length, qpn, from.qpn]).toEqual([true, BYTES, 0x71, service?.qpn]);
    }
  }, 120_000);
});
