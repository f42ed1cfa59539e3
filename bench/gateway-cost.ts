// Owns the bench of what a packet costs a gateway: forwarding alone, the seed's rules, heddle's, in one run.
// Run it as root: tools/in-root-namespace.sh node bench/gateway-cost.ts
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { upLab } from "../src/lab/lab.ts";
import { readTopology } from "../src/lab/topology.ts";
import { Talker } from "../test/talker.ts";
import { SEED_RULES } from "./gateway-seed.ts";
import { summarize } from "./statistics.ts";

const ROUNDS = Number(process.argv[process.argv.indexOf("--rounds") + 1]) || 30;
const PACKETS = 100_000;
const FLOWS = 64;
const FLOOD = join(import.meta.dirname, "../build/bench-flood");
const HEDDLE = join(import.meta.dirname, "../bin/heddle");

const VARIANTS = ["forwarding alone", "seed", "heddle", "heddle, MSS clamp and untracked", "no gateway"] as const;

const host = (number: number, more = "", mtu = 1500): string => `  g${number}:
    links:
      ib0: { segment: ib, mtu: ${mtu}, addresses: [10.20.3.${number}/16] }
      eth9: { segment: out, addresses: [192.0.2.${number}/24] }
${more}`;
const config = (text: string): string => `    config: |\n${text.replace(/^(?=.)/gm, "      ")}`;
const SECTION = "version: 1\ngateway:\n  alinat:\n    inside: ib0\n    outside: eth9\n";

const TOPOLOGY = `version: 1
name: gw-cost
segments: { ib: { mtu: 9000 }, out: {} }
hosts:
  w:
    links:
      ib0: { segment: ib, addresses: [10.20.1.1/16] }
      direct: { segment: out, addresses: [192.0.2.9/24] }
    routes: [192.0.2.101 via 10.20.3.1, 192.0.2.102 via 10.20.3.2, 192.0.2.103 via 10.20.3.3, 192.0.2.104 via 10.20.3.4]
${host(1, "    sysctls: { net.ipv4.ip_forward: 1 }\n")}${host(2, "    sysctls: { net.ipv4.ip_forward: 1 }\n")}${host(3, config(`${SECTION}    nat: masquerade\n`))}${host(
  4,
  config(`${SECTION}    nat: { to: 192.0.2.40 }
    untracked: true
    failover:
      address: 10.20.3.227/16
      id: 51
      nodes: [{ inside: 10.20.3.4, outside: 192.0.2.4 }, { inside: 10.20.3.5, outside: 192.0.2.5 }]
`),
  2044,
)}  world:
    links: { eth0: { segment: out, addresses: [${[1, 2, 3, 4, 5].map((i) => `192.0.2.10${i}/24`).join(", ")}] } }
    routes: [10.20.0.0/16 via 192.0.2.1]
`;

const { value, diagnostics } = readTopology(TOPOLOGY, "gateway-cost.yaml");
if (!value) throw new Error(JSON.stringify(diagnostics));
await using lab = await upLab(value, { transient: true });
const must = async (on: string, argv: readonly string[], input?: string): Promise<void> => {
  const { code, stdout, stderr } = await lab.exec(on, argv, input === undefined ? {} : { input });
  if (code !== 0 && code !== 3) throw new Error(`${argv.join(" ")}: ${stderr}${stdout}`);
};
await must("g2", ["nft", "-f", "-"], SEED_RULES);
await must("g3", [HEDDLE, "-f", lab.configOf("g3"), "apply"]);
await must("g4", [HEDDLE, "-f", lab.configOf("g4"), "apply"]);
await must("g4", ["ip", "addr", "add", "192.0.2.40/32", "dev", "eth9"]);
for (const i of VARIANTS.keys()) {
  await lab.spawn("world", [FLOOD, "serve", `192.0.2.10${i + 1}`, "9000", "1"], { says: /serving/ });
}
const senders = VARIANTS.map((_, i) => {
  const words = ["setpriv", "--pdeathsig=SIGKILL", "--", "nsenter", `--net=${lab.netns("w")}`, "--"];
  const argv = [...words, FLOOD, "send", `192.0.2.10${i + 1}`, "9000", String(FLOWS)];
  return new Talker(spawn(argv[0] as string, argv.slice(1), { stdio: ["pipe", "pipe", "inherit"] }));
});
for (const sender of senders) if ((await sender.ask("")) !== "ready") throw new Error("a sender is not ready");
// From here on packets end where they arrive, before the stack of the world.
await must("world", [
  "nft",
  "table netdev d { chain i { type filter hook ingress device eth0 priority 0; udp dport 9000 drop; }; }",
]);
for (const sender of senders) await sender.ask(String(PACKETS));

const samples: number[][] = VARIANTS.map(() => []);
for (let round = 0; round < ROUNDS; round++) {
  process.stderr.write(`\rRound ${round + 1} of ${ROUNDS} `);
  for (const i of shuffled(VARIANTS.map((_, index) => index))) {
    samples[i]?.push(Number(await (senders[i] as Talker).ask(String(PACKETS))));
  }
}
process.stderr.write("\n");
for (const sender of senders) sender[Symbol.dispose]();

const seedNs = samples[1] ?? [];
const table = [
  `${ROUNDS} rounds of ${PACKETS.toLocaleString("en")} datagrams of ${FLOWS} flows; CPU time of sending one, with all that the kernel does on its way.`,
  "",
  "| on the way | ns a packet, median (95 %) | against the seed's rules, median of the rounds (95 %) |",
  "|---|--:|--:|",
  ...VARIANTS.map((name, i) => {
    const own = summarize(samples[i] ?? []);
    const ratio = summarize((samples[i] ?? []).map((ns, round) => ns / (seedNs[round] as number)));
    return `| ${name} | ${own.median.toFixed(0)} (${own.low.toFixed(0)}–${own.high.toFixed(0)}) | ${ratio.median.toFixed(2)} (${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}) |`;
  }),
  "",
].join("\n");
process.stdout.write(table);
const page = readFileSync("docs/BENCHMARKS.md", "utf8");
const [before, rest] = page.split("<!-- gateway cost -->");
if (rest !== undefined) {
  const after = rest.split("<!-- end of gateway cost -->")[1] ?? "";
  writeFileSync(
    "docs/BENCHMARKS.md",
    `${before}<!-- gateway cost -->\n\n${table}\n<!-- end of gateway cost -->${after}`,
  );
}

function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items];
  return items.map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0] as T);
}
