// Owns the bench of a gateway with 100,000 connections: whether they are all at the other one before a takeover, what they
// cost in memory, and whether the takeover is as quick as without them.
// Run it as root: tools/in-root-namespace.sh node bench/gateway-load.ts
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../src/lab/child.ts";
import { GatewayLab, WORLD } from "../test/gateway-lab.ts";
import { Asker } from "./asker.ts";

const SOURCES = 250;
const TARGETS = 400;
const FIRST_PORT = 10_000;
const FLOOD = join(import.meta.dirname, "../build/bench-flood");
const EACH = 2;

await using lab = await GatewayLab.up({ name: "gw-load", workers: 1, gateways: 2, interval: "20ms", return: "1s" });
for (const host of lab.gateways) {
  const long = ["udp_timeout", "udp_timeout_stream"].map((name) => `net.netfilter.nf_conntrack_${name}=900`);
  await lab.lab.exec(host, ["sysctl", "-qw", ...long]);
  await lab.start(host);
}
await lab.untilActive("g1");
await lab.untilReady("g2");
await lab.startTraffic(EACH);
using asker = await Asker.start(lab);
await lab.lab.spawn("world", [FLOOD, "serve", WORLD, String(FIRST_PORT), String(TARGETS)], { says: /serving/ });

const entries = async (host: string): Promise<number> =>
  Number((await lab.lab.exec(host, ["sysctl", "-n", "net.netfilter.nf_conntrack_count"])).stdout);
const memoryMb = async (host: string, program: "conntrackd" | "heddle"): Promise<number> => {
  const [pid] = await lab.pidsOf(host, program);
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
};
const spread = async (): Promise<number> => {
  const words = [FLOOD, "spread", WORLD, String(FIRST_PORT), String(SOURCES), String(TARGETS)];
  const began = performance.now();
  const { code, stderr } = await lab.lab.exec("w1", words, { timeoutMs: 300_000 });
  if (code !== 0) throw new Error(stderr);
  return performance.now() - began;
};

const lines: string[] = [];
const tell = (what: string, value: string): void => {
  lines.push(`| ${what} | ${value} |`);
  process.stderr.write(`${what}: ${value}\n`);
};
const wanted = SOURCES * TARGETS;
tell("conntrackd of who stands by, before", `${(await memoryMb("g2", "conntrackd")).toFixed(0)} MB`);
const madeMs = await spread();
tell("connections made", `${wanted.toLocaleString("en")} in ${(madeMs / 1000).toFixed(1)} s`);
const since = performance.now();
await waitFor("the other gateway to have them all", async () => ((await entries("g2")) >= wanted ? true : undefined), {
  withinMs: 120_000,
});
tell(
  "all of them at the other gateway, after the last one was made",
  `${((performance.now() - since) / 1000).toFixed(1)} s`,
);
const slab = /^nf_conntrack\s+\d+\s+\d+\s+(\d+)/m.exec(readFileSync("/proc/slabinfo", "utf8"))?.[1];
tell("one of them in the kernel, without its extensions", `${slab} bytes`);
for (const host of lab.gateways) tell(`conntrackd of ${host}`, `${(await memoryMb(host, "conntrackd")).toFixed(0)} MB`);
for (const host of lab.gateways) tell(`heddle of ${host}`, `${(await memoryMb(host, "heddle")).toFixed(0)} MB`);

const cycle = async (what: string, strike: () => Promise<unknown>, active: string): Promise<void> => {
  await lab.renew(EACH);
  await lab.begin();
  await asker.begin();
  await strike();
  await lab.untilActive(active);
  await sleep(5000);
  const { gapMs, lateMs } = await asker.report();
  const { lost } = await lab.report();
  tell(
    `${what}: gap`,
    `${gapMs.toFixed(0)} ms (timer late ${lateMs.toFixed(0)} ms), ${lost} of ${2 * EACH} connections lost`,
  );
};
const cut = async (): Promise<void> => {
  for (const link of ["ib0", "eth9"]) await lab.lab.setLink("g1", link, "carrier-lost", { wait: false });
};
await cycle("both links of the active one cut", cut, "g2");
const before = await entries("g2");
await spread();
tell(
  "the same connections again, by the other gateway: new ones that this makes",
  String((await entries("g2")) - before),
);
await lab.heddle("g1", "gateway");
await cycle(
  "return of the first one",
  async () => {
    for (const link of ["ib0", "eth9"]) await lab.lab.setLink("g1", link, "carrier-back");
  },
  "g1",
);
await cycle("heddle killed", () => lab.signal("g1", "heddle", "SIGKILL"), "g2");
await lab.lab.exec("g1", ["conntrack", "-F"]);
const empty = performance.now();
await lab.run("g1");
await waitFor("the first gateway to have them all", async () => ((await entries("g1")) >= wanted ? true : undefined), {
  withinMs: 120_000,
});
tell(
  "all of them at a gateway that comes back with nothing",
  `${((performance.now() - empty) / 1000).toFixed(1)} s after its start`,
);
await lab.untilActive("g1");
const table = ["| 100,000 connections, two gateways | |", "|---|--:|", ...lines, ""].join("\n");
process.stdout.write(table);
const page = readFileSync("docs/BENCHMARKS.md", "utf8");
const [head, rest] = page.split("<!-- gateway load -->");
if (rest !== undefined) {
  const after = rest.split("<!-- end of gateway load -->")[1] ?? "";
  writeFileSync("docs/BENCHMARKS.md", `${head}<!-- gateway load -->\n\n${table}\n<!-- end of gateway load -->${after}`);
}
