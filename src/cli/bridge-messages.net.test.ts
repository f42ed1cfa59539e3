// Proves `heddle bridge hosts` and `sessions` on a running process, and that its sessions outlive a kill.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { beforeAll, expect, test } from "vitest";
import type { HostStatus, SessionStatus } from "../rdma/run/message-status.ts";
import type { BridgeProcess } from "../rdma/run/testing/bridge-process.ts";
import { converse, InfinibandEnd, RoceEnd } from "../rdma/run/testing/ends.ts";
import type { Peer } from "../rdma/run/testing/ends.ts";
import type { RoceHost } from "../rdma/hosts/hosts.ts";
import { numbered } from "../rdma/hosts/messages.ts";
import { bytesOf, ip, Stand } from "../rdma/run/testing/stand.ts";
import { until } from "../rdma/fabric/until.ts";

const ROCE = "192.0.2.120";
const IB = "192.0.2.187";
const GROUP = "239.40.7.1";

let stand: Stand;
let bridge: BridgeProcess;
let roce: RoceEnd;
let ib: InfinibandEnd;
let sender: RoceHost;

beforeAll(async () => {
  stand = await Stand.build(5, 3);
  stand.addLink("cm1");
  roce = await RoceEnd.on("cm1", ROCE);
  ib = await InfinibandEnd.at(stand.place("H3"), IB);
  sender = await stand.roceHost("cm3");
  const groups = `multicast: [{ group: ${GROUP} }]`;
  bridge = stand.bridgeProcess(
    "cm2",
    "H2",
    `messages: { ports: [4711, 4712], register: [${ROCE}, 192.0.2.121] }\n    ${groups}`,
  );
  bridge.start();
  await bridge.active();
  return async () => {
    roce[Symbol.dispose]();
    await ib[Symbol.asyncDispose]();
    await stand[Symbol.asyncDispose]();
  };
});

function heddle(...words: string[]): string {
  const [program, ...rest] = bridge.words(...words) as [string, ...string[]];
  return execFileSync(program, rest, { encoding: "utf8" });
}

test("the doctor tells of messages with another key, and nothing of what is well", async () => {
  // A switch that begins to ask does so at once.
  for (const on of [0, 1]) ip(`link set sw5 type bridge mcast_querier ${on}`);
  await until("the switch has asked for members, and a message with another key has come", async () => {
    sender.send(bytesOf(GROUP), numbered(9, 1), ({ deth }) => (deth.qKey = 1));
    const status = await bridge.status();
    const drops = status?.groups[0]?.toInfiniband.drops["q-key"] ?? 0;
    return status?.ethernet.querierSeconds !== undefined && drops > 0;
  });
  const [program, ...rest] = bridge.words("doctor") as [string, ...string[]];
  const { status, stdout } = spawnSync(program, rest, { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stdout).toMatch(/ {2}- 239\.40\.7\.1: \d+ from Ethernet, 0 from InfiniBand\n/);
  expect(stdout.match(/\[(bridge|rdma)-[a-z-]+\]/g)).toEqual(["[bridge-q-key]"]);
});

test("hosts, sessions, and a kill between two messages of both", async () => {
  ib.services.set(4711, () => ({ qpn: 0x51, qKey: 0x1234 }));
  roce.services.set(4712, () => ({ qpn: 0x52, qKey: 0x1235 }));
  const there = (await roce.ask(IB, 4711)) as Peer;
  const back = (await ib.ask(ROCE, 4712)) as Peer;
  expect(await roce.ask(IB, 4713, 2)).toBeUndefined();
  ib.echo();
  const seen = await converse(roce, there, 0x61, numbered(1, 1));
  roce.echo();
  ib.onMessage = undefined;
  await converse(ib, back, 0x71, numbered(2, 1));

  expect(heddle("bridge")).toContain("hosts       2, sessions 2\n");
  const hosts = heddle("bridge", "hosts");
  expect(hosts).toMatch(
    /192\.0\.2\.120 +ethernet +([0-9a-f]{2}:){5}[0-9a-f]{2} +::ffff:192\.0\.2\.120 +\d+ +1 +2 +\d+ s ago\n/,
  );
  expect(hosts).toMatch(
    /192\.0\.2\.187 +infiniband +([0-9a-f]{2}:){5}[0-9a-f]{2} +fe80::20:202 +\d+ +1 +2 +\d+ s ago\n/,
  );
  const { bridges } = JSON.parse(heddle("--json", "bridge", "hosts")) as { bridges: { hosts: HostStatus[] }[] };
  expect(bridges[0]?.hosts.find(({ address }) => address === IB)).toMatchObject({ lid: ib.port.lid, state: "found" });
  const sessions = heddle("bridge", "sessions");
  expect(sessions).toMatch(/192\.0\.2\.120 +0x61=0x4[0-9a-f]+ +192\.0\.2\.187 +0x51 +4711 +\d+ +\d+ +\d+ s\n/);
  const listed = (): SessionStatus[] => {
    const told = JSON.parse(heddle("--json", "bridge", "sessions")) as { bridges: { sessions: SessionStatus[] }[] };
    return told.bridges[0]?.sessions ?? [];
  };
  const before = listed();
  expect(before).toHaveLength(2);

  await bridge.end("SIGKILL");
  bridge.start();
  const asked = [roce.asked, ib.asked];
  // Nobody asks for anything again: neither for addresses nor for queue pairs.
  ib.echo();
  roce.onMessage = undefined;
  const again = await converse(roce, there, 0x61, numbered(1, 2));
  roce.echo();
  ib.onMessage = undefined;
  await converse(ib, back, 0x71, numbered(2, 2));
  expect([again.from.qpn, again.qpn, roce.asked, ib.asked]).toEqual([seen.from.qpn, 0x61, ...asked]);
  await until("it answers", async () => (await bridge.status()) !== undefined);
  const known = ({ client, server, queuePair, clientQueuePairs, port }: SessionStatus): unknown => [
    client,
    server,
    queuePair,
    clientQueuePairs,
    port,
  ];
  expect(listed().map(known)).toEqual(before.map(known));
});

test("hosts that are registered, and the file for ibacm", async () => {
  await until("it is registered", async () => (await bridge.status())?.messages?.registered[0]?.state === "registered");
  expect(heddle("bridge")).toContain("  registered  1 of 2\n    192.0.2.121 is not found\n");
  // Where packets for a host go is known before it is found.
  expect(heddle("bridge", "ibacm")).toBe(`${ROCE} fe80::20:102\n192.0.2.121 fe80::20:102\n`);
  expect(JSON.parse(heddle("--json", "bridge", "ibacm"))).toEqual({
    addresses: [ROCE, "192.0.2.121"].map((address) => ({ address, gid: "fe80::20:102" })),
    diagnostics: [],
  });
});

test("a spare takes over when the process is killed, and goes on with what that knew", async () => {
  await bridge.active();
  const there = (await roce.ask(IB, 4711)) as Peer;
  ib.echo();
  roce.onMessage = undefined;
  await converse(roce, there, 0x81, numbered(3, 1));
  const [program, ...words] = bridge.words("bridge", "run", "--spare") as [string, ...string[]];
  const spare = spawn("setpriv", ["--pdeathsig", "KILL", program, ...words], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  spare.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  await until("it waits", () => said.includes('"waits"'));
  // Without the word it would be refused, as before.
  expect(said).not.toContain('"started"');
  await bridge.end("SIGKILL");
  const asked = ib.asked;
  const again = await converse(roce, there, 0x81, numbered(3, 2));
  expect([again.qpn, ib.asked]).toEqual([0x81, asked]);
  await until("it tells", () => said.includes('"sessions-restored"') && said.includes('"started"'));
  // A graceful end is one as well.
  bridge.start("--spare");
  const gone = once(spare, "exit");
  spare.kill("SIGTERM");
  expect(await gone).toEqual([0, null]);
  await converse(roce, there, 0x81, numbered(3, 3));
  expect(await bridge.end("SIGTERM")).toBe(0);
});
