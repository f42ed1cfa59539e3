// Proves the mechanism `fast`, with packets and with frames of which the kernel makes none: what passes the IP stack by
// arrives whole; what the stack has to answer gets its answers; and where somebody filters, there is no short cut.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../src/lab/lab.ts";
import { bucketOf, hashFlow } from "../src/model/spread-hash.ts";
import {
  applySpread,
  Flows,
  heddle,
  linksOfFlows,
  NODES,
  PORT,
  readNow,
  SENDER,
  spreaderOf,
  until,
  upSpreadLab,
} from "./spread-lab.ts";

const flows = new Flows();
afterAll(() => flows[Symbol.dispose]());

describe.each(["packets", "frames"] as const)("by %s", (by) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await upSpreadLab(`spread-fast-${by}`, 2);
    // A veth link sends frames when its far end polls for them.
    const ports = ["ib1", "ib2"].map((link) => lab.port("router", link));
    for (const port of by === "frames" ? ports : []) {
      execFileSync("nsenter", [`--net=${lab.switchNetns}`, "ethtool", "-K", port, "gro", "on"]);
    }
    await applySpread(lab, "links: [ib1, ib2]", "by: hash", "mechanism: fast");
    if (by === "frames") await sum("sender");
  }, 60_000);
  afterAll(() => lab.down());

  /**
   * Who makes the sums of what the sender sends: itself, as whatever comes from a cable has one; or its link, which is
   * virtual and leaves it.
   */
  async function sum(by: "sender" | "link"): Promise<void> {
    const { code, stderr } = await lab.exec("sender", ["ethtool", "-K", "ib0", "tx", by === "sender" ? "off" : "on"]);
    if (code !== 0) throw new Error(stderr);
  }

  /** How many frames the router's driver has redirected for programs, as veth counts them. */
  async function redirected(): Promise<number> {
    const { stdout } = await lab.exec("router", ["ethtool", "-S", "ib0"]);
    const counts = [...stdout.matchAll(/_xdp_redirect: (\d+)/g)].map(([, count]) => Number(count));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  test("the plan names the way, and the second plan is empty", async () => {
    const removed = await heddle(lab, ["remove"]);
    expect(removed).not.toBe("");
    const told = await heddle(lab, ["plan"], 2);
    expect(told.includes("fast at ingress of ib0, by XDP from ib0 to ib1, ib2")).toBe(by === "frames");
    await heddle(lab, ["apply"]);
    await heddle(lab, ["plan"]);
  });

  /** A count of the router's stack (/proc/net/snmp, proc(5)). */
  async function counted(group: "Ip" | "Icmp", name: string): Promise<number> {
    const { stdout } = await lab.exec("router", ["cat", "/proc/net/snmp"]);
    const [names = "", values = ""] = stdout.split("\n").filter((line) => line.startsWith(`${group}: `));
    return Number(values.split(" ")[names.split(" ").indexOf(name)]);
  }

  /** How many packets it has passed on. */
  const forwarded = (): Promise<number> => counted("Ip", "ForwDatagrams");
  /** How many errors of a sort it has told of. */
  const answered = (name: string): Promise<number> => counted("Icmp", name);

  test.each([4, 6] as const)("IPv%i: datagrams arrive whole, and the stack does not see them", async (family) => {
    // The first packets find no neighbour yet.
    await flows.send(lab, "sender", NODES.node11[family], { flows: 8, rounds: 2, pauseUs: 200_000 });
    const before = await forwarded();
    await using receiver = await flows.receive(lab, "node11");
    await flows.send(lab, "sender", NODES.node11[family], { flows: 64, rounds: 10 });
    const counted = [...(await receiver.counted()).values()];
    expect(counted).toHaveLength(64);
    expect(counted.filter(({ received, reordered }) => received !== 10 || reordered !== 0)).toEqual([]);
    if (family === 4) expect((await forwarded()) - before).toBeLessThan(20);
  });

  test("what lacks its sum arrives whole: it goes by the packets' way, which knows that", async () => {
    await sum("link");
    try {
      const before = await redirected();
      await using receiver = await flows.receive(lab, "node11");
      for (const to of [4, 6] as const) {
        await flows.send(lab, "sender", NODES.node11[to], { flows: 64, rounds: 10, from: 20_000 + 100 * to });
      }
      const counted = [...(await receiver.counted()).values()];
      expect(counted.map(({ received }) => received)).toEqual(Array(128).fill(10));
      expect((await redirected()) - before).toBeLessThan(20);
    } finally {
      if (by === "frames") await sum("sender");
    }
  });

  test.each([4, 6] as const)(
    "IPv%i: each flow goes by the link that its hash says, its fragments as well",
    async (family) => {
      await flows.send(lab, "sender", NODES.node11[family], { flows: 8, rounds: 2, pauseUs: 200_000 });
      const frames = await redirected();
      await using capture = await lab.capture(["ib1", "ib2"].map((link) => ({ host: "router", link })));
      await flows.send(lab, "sender", NODES.node11[family], { flows: 48, rounds: 3, from: 30_000 });
      const seen = linksOfFlows(await capture.stop());
      const { key, placement, spec } = readNow(spreaderOf(lab));
      const expected = Array.from({ length: 48 }, (_, i): [string, Set<string>] => {
        const ends = { source: SENDER[family], destination: NODES.node11[family] };
        const ports = { source: 30_000 + i, destination: PORT };
        const member = placement[bucketOf(hashFlow(key, { ...ends, protocol: 17, ports }))];
        const link = spec.members.find(({ number }) => number === member)?.link ?? "";
        return [`${ends.source} ${ports.source} ${ends.destination}`, new Set([link])];
      });
      expect(seen).toEqual(new Map(expected));
      if (by === "frames") expect((await redirected()) - frames).toBeGreaterThan(40 * 3);
      else expect(await redirected()).toBe(0);
      await using receiver = await flows.receive(lab, "node11");
      await flows.send(lab, "sender", NODES.node11[family], { flows: 8, rounds: 5, size: 4000 });
      const counted = [...(await receiver.counted()).values()];
      expect(counted.map(({ received, reordered }) => [received, reordered])).toEqual(
        Array.from({ length: 8 }, () => [5, 0]),
      );
    },
  );

  test.each([4, 6] as const)(
    "IPv%i: so do streams, in segments that are larger than the link's packets",
    async (family) => {
      const to = NODES.node11[family];
      const literal = family === 4 ? to : `[${to}]`;
      const listen = ["socat", "-u", `TCP${family}-LISTEN:${7001 + family},reuseaddr`, "OPEN:/dev/null"];
      await using _server = await lab.spawn("node11", listen, { listens: 7001 + family });
      // Where the stack passes on nothing that comes in here, what arrives has not come through it. (IPv6 has one switch for
      // all links.)
      const pass = (on: 0 | 1) => lab.exec("router", ["sysctl", "-qw", `net.ipv4.conf.ib0.forwarding=${on}`]);
      const stream = ["socat", "-u", "OPEN:/dev/zero,readbytes=20000000", `TCP${family}:${literal}:${7001 + family}`];
      await pass(0);
      try {
        const ended = await lab.exec("sender", stream);
        expect([ended.code, ended.stderr]).toEqual([0, ""]);
      } finally {
        await pass(1);
      }
      const counts = readNow(spreaderOf(lab)).buckets.reduce((sum, one) => sum + one.bytes, 0);
      expect(counts).toBeGreaterThan(20_000_000);
    },
  );

  describe("what the stack has to answer", () => {
    const ping = (...words: string[]) => lab.exec("sender", ["ping", "-c", "1", "-W", "2", ...words]);

    test("packets that have come too far", async () => {
      expect((await ping("-t", "1", NODES.node11[4])).stdout).toMatch(/From 10\.0\.1\.1 .*Time to live exceeded/);
      expect((await ping("-6", "-t", "1", NODES.node11[6])).stdout).toMatch(
        /From fd00:1::1 .*Time exceeded: Hop limit/,
      );
    });

    test("packets that are too large for the link", async () => {
      for (const link of ["ib1", "ib2"]) await lab.exec("router", ["ip", "link", "set", link, "mtu", "1300"]);
      // What the programs know of links is seen to be out of date.
      await heddle(lab, ["plan"], 2);
      await heddle(lab, ["apply"]);
      const four = await ping("-M", "do", "-s", "1400", NODES.node11[4]);
      expect(four.stdout + four.stderr).toMatch(/Frag needed and DF set \(mtu = 1300\)|message too long, mtu=1300/);
      const six = await ping("-6", "-M", "do", "-s", "1400", NODES.node11[6]);
      expect(six.stdout + six.stderr).toMatch(/Packet too big: mtu=1300|message too long, mtu[=:] ?1300/i);
    });

    test.each([
      { what: "have come too far", bytes: 64, options: "ttl=1", counter: "OutTimeExcds" },
      // The links take 1,300 bytes since a moment ago, and the sender does not know it of this destination.
      { what: "are too large for the link", bytes: 1400, options: "ttl=64", counter: "OutDestUnreachs" },
    ])("datagrams that $what", async ({ bytes, options, counter }) => {
      // Its neighbour has to be known: frames for others go up anyway.
      await flows.send(lab, "sender", NODES.node40[4], { flows: 16, rounds: 2, pauseUs: 200_000 });
      const before = await answered(counter);
      const to = `UDP4-SENDTO:${NODES.node40[4]}:${PORT},${options}`;
      const sent = await lab.exec("sender", [
        "socat",
        "-u",
        "-b",
        String(bytes),
        `OPEN:/dev/zero,readbytes=${bytes}`,
        to,
      ]);
      expect([sent.code, sent.stderr]).toEqual([0, ""]);
      await until(async () => (await answered(counter)) > before, "the stack's answer");
    });

    test("packets for the router itself", async () => {
      for (const own of ["10.0.2.1", "10.0.2.2", "fd00:2::2"]) expect((await ping(own)).code).toBe(0);
      const before = readNow(spreaderOf(lab)).buckets.reduce((sum, { packets }) => sum + packets, 0);
      await ping("10.0.2.2");
      await lab.exec("sender", ["ping", "-b", "-c", "1", "-W", "1", "10.0.2.255"]);
      expect(readNow(spreaderOf(lab)).buckets.reduce((sum, { packets }) => sum + packets, 0)).toBe(before);
    });
  });

  test("where packets are filtered, it is refused, with the filter's name", async () => {
    const chain = "add table inet fw; add chain inet fw pass { type filter hook forward priority 0; policy accept; }";
    await lab.exec("router", ["nft", chain]);
    await expect(applySpread(lab, "links: [ib1, ib2]", "mechanism: fast")).rejects.toThrow(/inet fw pass/);
    await lab.exec("router", ["nft", "delete table inet fw"]);
    writeFileSync(lab.configOf("router"), "version: 1\nspread: {}\n");
  });
});
