// Proves `heddle rdma send`, `listen` and `fabric`: what they say when all is well, when messages are missing or double,
// and when there is no such place. Both ways through a bridge they are proven by lab/seed-002.yaml.
import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { parseAddress } from "../model/ip.ts";
import { until } from "../rdma/fabric/until.ts";
import { RoceHost } from "../rdma/hosts/hosts.ts";
import { numbered } from "../rdma/hosts/messages.ts";
import { ip } from "../rdma/run/testing/stand.ts";

const PROGRAM = join(import.meta.dirname, "../../bin/heddle");
const GROUP = "239.40.0.1";
const ADDRESS = parseAddress(GROUP) as Uint8Array;

function heddle(...words: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(PROGRAM, words, { encoding: "utf8" });
  return { code: status, out: stdout, err: stderr };
}

/** A heddle that goes on, and what it says. */
class Running {
  said = "";
  readonly child: ChildProcess;

  constructor(...words: string[]) {
    this.child = spawn("setpriv", ["--pdeathsig", "KILL", PROGRAM, ...words], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => (this.said += text));
    }
  }

  async says(what: string): Promise<void> {
    await until(`it says ${what}: ${this.said}`, () => {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.said}`);
      return this.said.includes(what);
    });
  }

  async ended(): Promise<number | null> {
    if (this.child.exitCode === null) await once(this.child, "exit");
    return this.child.exitCode;
  }
}

beforeAll(() => {
  ip("link add mg1 type veth peer name mg2");
  for (const [name, number] of [
    ["mg1", 1],
    ["mg2", 2],
  ] as const) {
    ip(`addr add 192.0.3.${number}/24 dev ${name}`);
    ip(`link set ${name} up`);
  }
  return () => ip("link del mg1");
});

describe("on Ethernet", () => {
  test("a listener hears what is sent, and nothing is wrong with it", async () => {
    const listener = new Running("rdma", "listen", GROUP, "--link", "mg2", "--count", "20");
    await listener.says(`listens to ${GROUP}`);
    expect(heddle("rdma", "send", GROUP, "--link", "mg1", "--count", "20", "--rate", "1000")).toEqual({
      code: 0,
      out: `sent 20 messages to ${GROUP}\n`,
      err: "",
    });
    expect(await listener.ended()).toBe(0);
    expect(listener.said).toContain("from 192.0.3.1: 20 messages, none missed, doubled or out of order\n");
  });

  test("what is missing, double, out of order, damaged or without a number is told", async () => {
    const listener = new Running("rdma", "listen", GROUP, "--link", "mg2", "--count", "6", "--seconds", "30");
    await listener.says("listens to");
    using host = (await RoceHost.on("mg1")) as RoceHost;
    const damaged = host.frame(ADDRESS, numbered(7, 9));
    damaged[damaged.length - 10] = (damaged[damaged.length - 10] as number) ^ 1;
    const frames = [1, 2, 2, 5, 4, 6].map((number) => host.frame(ADDRESS, numbered(7, number)));
    host.sendFrames([damaged, host.frame(ADDRESS, new Uint8Array(64)), ...frames]);
    expect(await listener.ended()).toBe(2);
    expect(listener.said).toContain(
      "from 192.0.3.1: 6 messages, 2 missed, 1 doubled, 1 out of order\nwith a wrong ICRC: 1\nwithout a number: 1\n",
    );
  });

  test("fewer than were waited for is a failure", () => {
    const { code, out, err } = heddle(
      "--json",
      "rdma",
      "listen",
      GROUP,
      "--link",
      "mg2",
      "--count",
      "1",
      "--seconds",
      "1",
    );
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(JSON.parse(out)).toEqual({ group: GROUP, senders: [], damaged: 0, others: 0, diagnostics: [] });
  });
});

describe("a model of a fabric", () => {
  test("runs until it is told to end; hosts of it hear each other", async () => {
    const folder = mkdtempSync(join(tmpdir(), "heddle-model-"));
    const place = ["--fabric", folder, "--port", "7300"];
    const fabric = new Running("rdma", "fabric", folder, "--hosts", "3", "--port", "7300");
    await fabric.says(`the subnet of ${folder} is up: H1, H2, H3; the manager is at H1\n`);
    const second = heddle("rdma", "fabric", folder, "--port", "7300");
    expect(second.code).toBe(1);
    expect(second.err).toContain("UDP port 7300 is taken");
    const sender = new Running("rdma", "send", GROUP, ...place, "--node", "H2", "--count", "100000", "--rate", "200");
    const listener = heddle("--json", "rdma", "listen", GROUP, ...place, "--node", "H3", "--count", "20");
    expect(listener).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse(listener.out)).toMatchObject({ senders: [{ source: "fe80::20:102", messages: 20, missed: 0 }] });
    sender.child.kill("SIGINT");
    expect(await sender.ended()).toBe(0);
    fabric.child.kill("SIGTERM");
    expect(await fabric.ended()).toBe(0);
    rmSync(folder, { recursive: true });
  });
});

test("a place that is none is said", () => {
  const none = heddle("rdma", "send", GROUP, "--link", "mg9");
  expect(none.code).toBe(1);
  expect(none.err).toContain("this host has no link mg9");
  const model = heddle("rdma", "listen", GROUP, "--fabric", "@nowhere", "--node", "H1", "--port", "7390");
  expect(model.code).toBe(1);
  expect(model.err).toContain("the fabric refuses");
  expect(heddle("rdma", "listen", GROUP).code).toBe(64);
  expect(heddle("rdma", "listen", GROUP, "--link", "mg1", "--node", "H1").code).toBe(64);
  expect(heddle("rdma", "send", "192.0.2.1", "--link", "mg1").code).toBe(64);
  expect(heddle("rdma", "fabric", "here").code).toBe(64);
});
