// Owns the measuring of a small cluster: 4 storage servers send to 64 compute hosts through a router with two links of 200
// Mbit/s, transfers of very unequal sizes that begin one after the other. What counts is when the largest tenth of them
// have ended: by one route, by the kernel's group of nexthops, by hash, by load. Run it as root with
// `tools/in-root-namespace.sh node bench/spread-cluster.ts [ROUNDS]`.
import { setTimeout as sleep } from "node:timers/promises";
import { upLab } from "../src/lab/lab.ts";
import { readTopology } from "../src/lab/topology.ts";
import { Random } from "../test/random.ts";
import { applySpread, heddle, runController } from "../test/spread-lab.ts";
import { shuffled } from "./report-spread.ts";
import { summarize } from "./statistics.ts";

const LIMIT = "rate 200mbit burst 64kb latency 20ms";
const [SERVERS, NODES, TRANSFERS] = [4, 64, 96];
const ROUNDS = Number(process.argv[2] ?? 5);
/** Transfers begin within this time. */
const BEGIN_MS = 6000;
const [LEAST_BYTES, MOST_BYTES] = [1_000_000, 60_000_000];
const PORT = "7001";

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
const hosts = [
  ...numbers(SERVERS).map(
    (n) => `  store${n}:
    links: { eth0: { segment: storage, addresses: [10.0.1.${10 + n}/24] } }
    routes: [default via 10.0.1.1 dev eth0]
`,
  ),
  ...numbers(NODES).map(
    (n) => `  node${n}:
    links: { eth0: { segment: compute, addresses: [10.0.2.${10 + n}/24] } }
    routes: [default via 10.0.2.1 dev eth0]
`,
  ),
];
const topology = `version: 1
name: cluster
segments: { storage: {}, compute: {} }
hosts:
  router:
    links:
      ib0: { segment: storage, addresses: [10.0.1.1/24] }
      ib1: { segment: compute, addresses: [10.0.2.1/24] }
      ib2: { segment: compute, addresses: [10.0.2.2/24] }
    sysctls: { net.ipv4.ip_forward: 1 }
    config: |
      version: 1
      spread: {}
${hosts.join("")}`;

const { value, diagnostics } = readTopology(topology, "cluster.yaml");
if (!value) throw new Error(JSON.stringify(diagnostics));
await using lab = await upLab(value, { name: "cluster-bench", transient: true });
for (const link of ["ib1", "ib2"]) {
  await lab.exec("router", ["tc", "qdisc", "add", "dev", link, "root", "tbf", ...LIMIT.split(" ")]);
}
for (const n of numbers(NODES)) {
  await lab.spawn(`node${n}`, ["socat", "-u", `TCP4-LISTEN:${PORT},fork,reuseaddr,backlog=64`, "OPEN:/dev/null"], {
    listens: Number(PORT),
  });
}

interface Transfer {
  from: string;
  to: string;
  bytes: number;
  beginMs: number;
}

/** The same for every contestant of a round. */
function transfersOf(round: number): Transfer[] {
  const random = new Random(round);
  return numbers(TRANSFERS).map(() => ({
    from: `store${1 + random.below(SERVERS)}`,
    to: `10.0.2.${11 + random.below(NODES)}`,
    bytes: Math.round(Math.min(MOST_BYTES, LEAST_BYTES * (1 - random.next()) ** (-1 / 1.2))),
    beginMs: random.below(BEGIN_MS),
  }));
}

/** Has them done, and gives the mean time that the largest tenth and all of them took, s. */
async function transfer(all: readonly Transfer[]): Promise<{ largest: number; mean: number }> {
  const took = await Promise.all(
    all.map(async ({ from, to, bytes, beginMs }) => {
      await sleep(beginMs);
      const begun = performance.now();
      const words = ["socat", "-u", `OPEN:/dev/zero,readbytes=${bytes}`, `TCP4:${to}:${PORT}`];
      const { code, stderr } = await lab.exec(from, words, { timeoutMs: 120_000 });
      if (code !== 0) throw new Error(stderr);
      return { bytes, seconds: (performance.now() - begun) / 1000 };
    }),
  );
  const mean = (some: readonly { seconds: number }[]): number =>
    some.reduce((sum, { seconds }) => sum + seconds, 0) / some.length;
  const largest = took.toSorted((a, b) => b.bytes - a.bytes).slice(0, Math.round(TRANSFERS / 10));
  return { largest: mean(largest), mean: mean(took) };
}

const WAYS: Record<string, readonly string[] | undefined> = {
  "one route": undefined,
  "group of nexthops": ["mechanism: nexthop"],
  "by hash": ["by: hash", "mechanism: mark"],
  "by load": ["by: load", "mechanism: mark"],
  "by load, busy: 1": ["by: load", "mechanism: mark", "busy: 1"],
};
const found: Record<string, { largest: number; mean: number }[]> = {};
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, lines] of shuffled(Object.entries(WAYS))) {
    await heddle(lab, ["remove"]);
    if (lines) await applySpread(lab, "links: [ib1, ib2]", "to: 10.0.2.0/24", "local: false", ...lines);
    const controller = lines?.includes("by: load") ? await runController(lab) : undefined;
    const result = await transfer(transfersOf(round));
    await controller?.stop();
    (found[name] ??= []).push(result);
    process.stderr.write(
      `round ${round + 1}, ${name}: ${result.largest.toFixed(2)} s, all ${result.mean.toFixed(2)} s\n`,
    );
  }
}
for (const [name, results] of Object.entries(found)) {
  const of = (key: "largest" | "mean"): string => {
    const { median } = summarize(results.map((one) => one[key]));
    const ratio = summarize(results.map((one, i) => one[key] / (found["by hash"]?.[i]?.[key] ?? NaN)));
    return `${median.toFixed(2)} s (${ratio.median.toFixed(2)} of by hash)`;
  };
  process.stdout.write(`| ${name} | ${of("largest")} | ${of("mean")} |\n`);
}
