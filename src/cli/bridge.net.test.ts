// Proves `heddle bridge` and the role of that name on a real kernel: planned, applied, run, shown, taken away.
import { execFileSync, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { BridgeStatus } from "../rdma/run/status.ts";
import type { BridgeProcess } from "../rdma/run/testing/bridge-process.ts";
import type { InfinibandHost, RoceHost } from "../rdma/hosts/hosts.ts";
import { numbered } from "../rdma/hosts/messages.ts";
import { bytesOf, Stand } from "../rdma/run/testing/stand.ts";
import { until } from "../rdma/fabric/until.ts";

/** A host on Ethernet. */
const FAR = [192, 0, 2, 200];
const GROUP = "239.39.0.1";
const MULTICAST = `[{ group: ${GROUP}, mgid: port, port: 13701 }, { group: 239.39.1.0, count: 30, way: to-infiniband }]`;

let stand: Stand;
let bridge: BridgeProcess;
let roce: RoceHost;
let ib: InfinibandHost;

beforeAll(async () => {
  stand = await Stand.build(2, 3);
  roce = await stand.roceHost("cr1");
  roce.join(bytesOf(GROUP));
  ib = await stand.infinibandHost("H3");
  await ib.join(bytesOf("ff15:a01b:ffff::3585:ef27:1"));
  bridge = stand.bridgeProcess("cb1", "H2", MULTICAST, "0x1");
  return () => stand[Symbol.asyncDispose]();
});

/** Runs heddle with the bridge's file and state. */
function heddle(...words: string[]): { code: number; out: string; err: string } {
  const [program, ...rest] = bridge.words(...words) as [string, ...string[]];
  try {
    const out = execFileSync(program, rest, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    return { code: 0, out, err: "" };
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
    return { code: status, out: stdout, err: stderr };
  }
}

/** A message on Ethernet that a bridge passes on and a program of its host could hear. */
async function say(number: number): Promise<void> {
  await until("it is passed on", () => {
    // From an address that is none of this namespace, which a program here would not hear.
    roce.send(bytesOf(GROUP), numbered(1, number), ({ ipv4 }) => ipv4.source.set(FAR));
    return ib.heard.length > 0;
  });
  ib.heard.length = 0;
}

test("nobody bridges", () => {
  const { code, err } = heddle("bridge");
  expect(code).toBe(1);
  expect(err).toContain("no process bridges on this host");
  expect(heddle("bridge", "--watch", "soon").code).toBe(64);
});

describe("running", () => {
  beforeAll(async () => {
    bridge.start();
    await bridge.active();
  });

  test("it shows sections, groups and who sends", async () => {
    await say(1);
    await until("it is heard", () => {
      ib.send(bytesOf("ff15:a01b:ffff::3585:ef27:1"), numbered(2, 1));
      return roce.heard.length > 0;
    });
    const all = heddle("bridge");
    expect(all).toMatchObject({ code: 0, err: "" });
    expect(all.out).toContain("bridge/fabrics  active\n  ethernet    cb1, up\n");
    expect(all.out).toMatch(/infiniband {2}fe80::20:102, LID \d+\n/);
    // Groups that are only sent to wait for hosts to make them.
    expect(all.out).toContain("groups      31, joined 1, of this bridge 31\n");
    expect(all.out).toContain("    and 11 more: --all\n");
    expect(heddle("bridge", "--all").out).toContain("239.39.1.29 --> ff12:4001:ffff::f27:11d (cannot be had)");

    roce.send(bytesOf(GROUP), numbered(1, 2), ({ deth }) => (deth.qKey = 1));
    await say(3);
    const one = heddle("bridge", "--group", GROUP).out;
    expect(one).toContain("sender on ethernet 192.0.2.200, packets ");
    expect(one).toContain("sender on infiniband fe80::20:202, packets ");
    expect(one).toMatch(/--> {2}packets \d+, bytes \d+, dropped .*q-key 1\n/);
    expect(one).toContain("q-key: without the group's key");
    expect(heddle("bridge", "--group", "239.1.1.1")).toMatchObject({ code: 1 });
  });

  test("it shows who listens", async () => {
    // The switch lets reports through to ports of routers only.
    execFileSync("bridge", ["link", "set", "dev", "sw-cb1", "mcast_router", "2"]);
    const host = await stand.roceHost("cr2");
    host.join(bytesOf(GROUP));
    let said = "";
    await until(
      () => `it is told: ${said}`,
      () => {
        said = heddle("bridge", "--group", GROUP).out;
        return said.includes("listener on ethernet 192.0.2.3, ") && said.includes("member on infiniband fe80::20:202");
      },
    );
    host[Symbol.dispose]();
    expect(said).toMatch(/, listeners [12] on ethernet, 1 on infiniband\n/);
    expect(said).toMatch(/ {6}listener on ethernet 192\.0\.2\.3, IGMPv[23], \d+ s ago\n/);
    expect(said).toContain("      member on infiniband fe80::20:102, full, this bridge\n");
    expect(said).toContain("      member on infiniband fe80::20:202, full\n");
    expect(said).toMatch(/ {2}listeners {3}on ethernet as they say, asked by IGMP \d+ s ago/);
    expect(said).toContain("              on infiniband members are told\n");
  });

  test("it says the same as JSON", () => {
    const { out, err } = heddle("--json", "bridge");
    expect(err).toBe("");
    const { bridges, diagnostics } = JSON.parse(out) as { bridges: BridgeStatus[]; diagnostics: unknown[] };
    expect(diagnostics).toEqual([]);
    expect(bridges).toHaveLength(1);
    expect(bridges[0]?.groups).toHaveLength(31);
    expect(bridges[0]?.groups[0]).toMatchObject({ group: GROUP, way: "both", mine: true });
  });

  test("it has the right to raw sockets, and no other", () => {
    // CAP_NET_RAW is number 13 (linux/capability.h). It is Node's process that counts, whoever has started that.
    expect(readFileSync(`/proc/${bridge.pid}/status`, "utf8")).toMatch(/^CapEff:\t0{12}2000$/m);
  });

  test("it is watched as it goes", async () => {
    const watching = spawn("setpriv", ["--pdeathsig", "KILL", ...bridge.words("bridge", "--watch", "0.2")]);
    let said = "";
    watching.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
    await until("what has come since is told", async () => {
      await say(4);
      return /to infiniband packets \d+ \(\+[1-9]\d*\)/.test(said);
    });
    const gone = once(watching, "exit");
    watching.kill("SIGINT");
    expect(await gone).toEqual([0, null]);
  });

  test("a second one is refused", () => {
    expect(heddle("bridge", "run")).toMatchObject({ code: 4 });
  });

  test("once the file is applied, packets to its groups end on this host, and the bridge still hears them", async () => {
    const listener = createSocket("udp4");
    let heard = 0;
    listener.on("message", () => heard++);
    listener.bind(4791);
    await once(listener, "listening");
    listener.addMembership(GROUP, [...(await ownAddress())].join("."));
    await until("a program of this host hears them", async () => {
      await say(10);
      return heard > 0;
    });
    expect(heddle("plan").code).toBe(2);
    expect(heddle("apply")).toMatchObject({ code: 0 });
    expect(heddle("plan").out).toContain("Nothing to do");
    // What waits in the listener's socket is from before.
    await new Promise((resolve) => setImmediate(resolve));
    heard = 0;
    await say(11);
    await say(12);
    expect(heard).toBe(0);
    expect(heddle("remove").code).toBe(0);
    await until("the program hears them again", async () => {
      await say(13);
      return heard > 0;
    });
    listener.close();
  });

  test("it takes another file as soon as that is confirmed", async () => {
    bridge.write(`[{ group: ${GROUP}, mgid: port, port: 13701 }]`);
    expect(heddle("apply").code).toBe(0);
    await until("it bridges one group", async () => (await bridge.status())?.groups.length === 1);
    await bridge.active();
    await say(20);
    expect(heddle("remove").code).toBe(0);
    await until("there is nothing to bridge", () => heddle("--json", "bridge").out.startsWith('{"bridges":[]'));
    expect(await bridge.end("SIGTERM")).toBe(0);
  });
});

async function ownAddress(): Promise<Uint8Array> {
  const { findEthernetLink } = await import("../rdma/port/ethernet-port.ts");
  return (await findEthernetLink("cb1"))?.ipv4 ?? new Uint8Array();
}
