// Proves that packets are spread where nothing at all stands before their IP header: on tun links, and on those that have
// InfiniBand's type, for which marks are chosen without being asked for.
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../src/lab/lab.ts";
import { packetOf } from "../src/host/bpf/testing/packets.ts";
import { applySpread, heddle, until, upSpreadLab } from "./spread-lab.ts";

const folder = mkdtempSync(join(tmpdir(), "heddle-tuns-"));
const program = join(folder, "tuns");
const NAMES = ["t0", "t1", "t2"] as const;

beforeAll(() => {
  const source = join(import.meta.dirname, "tuns.c");
  execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source]);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each([
  { type: 32, name: "InfiniBand's type" },
  { type: 65534, name: "no type" },
])("links without a header, of $name", ({ type }) => {
  let lab: Lab;
  let tuns: ChildProcess;
  const left: { link: string; packet: Buffer }[] = [];
  beforeAll(async () => {
    lab = await upSpreadLab("spread-layers", 2);
    const words = [`--net=${lab.netns("router")}`, "--", program, String(type), ...NAMES];
    tuns = spawn("nsenter", words, { stdio: ["pipe", "pipe", "inherit"] });
    let ready = false;
    createInterface({ input: tuns.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const [link = "", hex = ""] = line.split(" ");
      if (line === "ready") ready = true;
      else left.push({ link, packet: Buffer.from(hex, "hex") });
    });
    await until(() => ready, "the links");
    const addresses = {
      t0: ["10.8.0.1/16", "fd00:8::1/64"],
      t1: ["10.9.0.1/16", "fd00:9::1/64"],
      t2: ["10.9.0.2/16", "fd00:9::2/64"],
    };
    for (const [link, own] of Object.entries(addresses)) {
      await lab.exec("router", ["ip", "link", "set", link, "up"]);
      for (const one of own)
        await lab.exec("router", ["ip", "address", "add", one, "dev", link, ...(one.includes(":") ? ["nodad"] : [])]);
    }
    await applySpread(lab, "links: [t1, t2]", "from: [t0]", "by: hash");
  }, 60_000);
  afterAll(async () => {
    tuns.kill();
    await lab.down();
  });

  test.each([4, 6] as const)("IPv%i: what comes in by one leaves by two others, each flow by one", async (family) => {
    expect(await heddle(lab, ["--json", "plan"])).toContain('"steps":[]');
    expect((await lab.exec("router", ["ip", "rule"])).stdout).toContain("fwmark");
    const ports = Array.from({ length: 40 }, (_, i) => 3000 + i);
    const [source, destination] = family === 4 ? ["10.8.0.9", "10.9.0.77"] : ["fd00:8::9", "fd00:9::77"];
    left.length = 0;
    for (let round = 0; round < 2; round++) {
      for (const port of ports) {
        const packet = withChecksum(
          packetOf({ source, destination, protocol: 17, ports: { source: port, destination: 7777 } }),
        );
        tuns.stdin?.write(`t0 ${Buffer.from(packet).toString("hex")}\n`);
      }
    }
    const ofFlow = (): { link: string; port: number }[] =>
      left.flatMap(({ link, packet }) => {
        const at = family === 4 ? 20 : 40;
        const isOurs = packet.length > at + 4 && packet.readUInt16BE(at + 2) === 7777;
        return isOurs ? [{ link, port: packet.readUInt16BE(at) }] : [];
      });
    await until(() => ofFlow().length === 80, "all packets to leave");
    const byPort = Map.groupBy(ofFlow(), ({ port }) => port);
    const links = [...byPort.values()].map((packets) => [...new Set(packets.map(({ link }) => link))]);
    expect(links.filter((one) => one.length !== 1)).toEqual([]);
    expect([...new Set(links.flat())].sort()).toEqual(["t1", "t2"]);
  });
});

/** The IP stack drops what has a wrong sum in its header. */
function withChecksum(packet: Uint8Array): Uint8Array {
  if ((packet[0] ?? 0) >> 4 !== 4) return packet;
  const view = new DataView(packet.buffer, packet.byteOffset);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(10, ~sum & 0xffff);
  return packet;
}
