// Owns the bench of gateways: the same faults, the same traffic, heddle beside the seed's set-up, in one run.
// Run it as root with `make bench`, or alone: tools/in-root-namespace.sh node bench/gateway.ts [--rounds N] [--only FAULT,…],
// where --only says what to do of the table, and has heddle's part measured and shown, and nothing written.
import { execFileSync, spawn } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { waitFor } from "../src/lab/child.ts";
import type { Served } from "../src/lab/served.ts";
import { GatewayLab, MOVING } from "../test/gateway-lab.ts";
import type { TrafficReport } from "../test/gateway-traffic.ts";
import { Asker } from "./asker.ts";
import type { Asked } from "./asker.ts";
import { prepareSeed, startSeed } from "./gateway-seed.ts";
import { shuffled, summarize } from "./statistics.ts";

const EACH = 2;
const WORKERS = 8;
const GATEWAYS = 3;
/** Long enough for the seed's three adverts of a second, and for a retransmission after that. */
const WATCH_MS = 8000;

const ALL_FAULTS = [
  "nothing",
  // What drain is to be compared with: a command takes the processor from those who ask.
  "a command that only looks",
  "four busy loops",
  "inside",
  "outside",
  "both",
  "keepalived killed",
  "conntrackd killed",
  "heddle killed",
  "all stopped",
  "all stopped, links cut",
  "drain",
] as const;
type Fault = (typeof ALL_FAULTS)[number];
/** Faults after which nothing has to return. */
const HARMLESS: ReadonlySet<Fault> = new Set(["nothing", "a command that only looks", "four busy loops"]);

/** What a contestant does about a fault of the first gateway. */
interface Contestant {
  name: string;
  lab: GatewayLab;
  /** Undefined for a fault that it cannot have. */
  strike(fault: Fault): (() => Promise<void>) | undefined;
  /** How often a gateway has become active so far. */
  takeovers(): number;
  /** Makes everything whole. */
  mend(): Promise<void>;
  /** Waits until the first gateway alone is active and the others stand by. */
  ready(): Promise<void>;
}

interface Sample extends TrafficReport, Asked {
  wrong: number;
  takeovers: number;
}

/** Four processes that only count, for as long as is watched. */
async function busyLoops(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    const count = `const end = Date.now() + ${WATCH_MS - 500}; while (Date.now() < end);`;
    spawn(process.execPath, ["-e", count], { stdio: "ignore" });
  }
}

function countIn(all: readonly Served[], pattern: RegExp): number {
  return all.reduce((sum, { output }) => sum + (output.match(pattern)?.length ?? 0), 0);
}

const onlyAt = process.argv.indexOf("--only");
const only = onlyAt < 0 ? undefined : (process.argv[onlyAt + 1] ?? "").split(",");
const unknown = only?.find((name) => !(ALL_FAULTS as readonly string[]).includes(name));
if (unknown !== undefined)
  throw new Error(`--only: no fault is called "${unknown}"; there are ${ALL_FAULTS.join(", ")}`);
const FAULTS = ALL_FAULTS.filter((fault) => only === undefined || only.includes(fault));
const rounds = Number(process.argv[process.argv.indexOf("--rounds") + 1]) || 5;
const say = (text: string): void => void process.stderr.write(text);

const cutLinks = async (lab: GatewayLab, links: readonly string[]): Promise<void> => {
  await Promise.all(links.map((link) => lab.lab.setLink("g1", link, "carrier-lost", { wait: false })));
};
const mendLinks = async (lab: GatewayLab): Promise<void> => {
  for (const link of ["ib0", "eth9"]) await lab.lab.setLink("g1", link, "carrier-back");
};

async function heddle(): Promise<Contestant> {
  const lab = await GatewayLab.up({
    name: "gw-bench-a",
    workers: WORKERS,
    gateways: GATEWAYS,
    interval: "20ms",
    return: "1s",
  });
  for (const host of lab.gateways) await lab.start(host);
  const ready = async (): Promise<void> => {
    await lab.untilActive("g1");
    for (const host of lab.gateways.slice(1)) await lab.untilReady(host);
    // What a gateway tells of itself may be of before it was stopped.
    await untilAlone(lab);
  };
  await ready();
  const ended: Served[] = [];
  const all = ["heddle", "keepalived", "conntrackd"] as const;
  const stopAll = async (): Promise<void> => {
    for (const program of all) await lab.signal("g1", program, "SIGSTOP");
  };
  const strikes: Record<Fault, () => Promise<unknown>> = {
    nothing: async () => {},
    "a command that only looks": () => lab.heddle("g1", "gateway"),
    "four busy loops": busyLoops,
    inside: () => cutLinks(lab, ["ib0"]),
    outside: () => cutLinks(lab, ["eth9"]),
    both: () => cutLinks(lab, ["ib0", "eth9"]),
    "keepalived killed": () => lab.signal("g1", "keepalived", "SIGKILL"),
    "conntrackd killed": () => lab.signal("g1", "conntrackd", "SIGKILL"),
    "heddle killed": () => lab.signal("g1", "heddle", "SIGKILL"),
    "all stopped": stopAll,
    "all stopped, links cut": async () => {
      await stopAll();
      await cutLinks(lab, ["ib0", "eth9"]);
    },
    drain: () => lab.heddle("g1", "gateway", "drain"),
  };
  return {
    name: "heddle",
    lab,
    takeovers: () => countIn([...ended, ...lab.running.values()], /: active \(/g),
    strike: (fault) => async () => void (await strikes[fault]()),
    mend: async () => {
      for (const program of all) await lab.signal("g1", program, "SIGCONT");
      await mendLinks(lab);
      await lab.heddle("g1", "gateway", "undrain");
      const first = lab.running.get("g1");
      if (first?.ended) {
        ended.push(first);
        await lab.run("g1");
      }
    },
    ready,
  };
}

/** Waits until the first gateway has the moving address inside, and none of the others has it. */
async function untilAlone(lab: GatewayLab): Promise<void> {
  const holds = async (host: string): Promise<boolean> => (await lab.held(host)).includes(MOVING.inside);
  await waitFor("the first gateway alone to have the address", async () => {
    const [first, ...others] = await Promise.all(lab.gateways.map(holds));
    return first && !others.includes(true) ? true : undefined;
  });
}

async function seed(): Promise<Contestant> {
  const lab = await GatewayLab.up({
    name: "gw-bench-b",
    workers: WORKERS,
    gateways: GATEWAYS,
    interval: "1s",
    return: "1s",
  });
  const running = new Map<string, Served>();
  const ended: Served[] = [];
  for (const [place, host] of lab.gateways.entries()) {
    await prepareSeed(lab, host, place);
    running.set(host, await startSeed(lab, host));
  }
  await untilAlone(lab);
  const child = (): number[] => {
    const pid = running.get("g1")?.pid ?? 0;
    return [pid, ...readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number)];
  };
  const signal = async (name: NodeJS.Signals): Promise<void> => {
    for (const pid of child()) process.kill(pid, name);
  };
  const strikes: Partial<Record<Fault, () => Promise<unknown>>> = {
    nothing: async () => {},
    "four busy loops": busyLoops,
    inside: () => cutLinks(lab, ["ib0"]),
    outside: () => cutLinks(lab, ["eth9"]),
    both: () => cutLinks(lab, ["ib0", "eth9"]),
    "keepalived killed": () => signal("SIGKILL"),
    "all stopped": () => signal("SIGSTOP"),
    "all stopped, links cut": async () => {
      await signal("SIGSTOP");
      await cutLinks(lab, ["ib0", "eth9"]);
    },
    // What its author does about a gateway to be rebooted: its keepalived is stopped.
    drain: async () => process.kill(running.get("g1")?.pid ?? 0, "SIGTERM"),
  };
  return {
    name: "seed",
    lab,
    takeovers: () => countIn([...ended, ...running.values()], /\(alinat\) Entering MASTER STATE/g),
    strike(fault) {
      const strike = strikes[fault];
      return strike && (async () => void (await strike()));
    },
    mend: async () => {
      await mendLinks(lab);
      const one = running.get("g1");
      if (one && !one.ended) await signal("SIGCONT").catch(() => {});
      await sleep(300);
      if (one?.ended) {
        ended.push(one);
        await lab.lab.exec("g1", ["ip", "addr", "del", `${MOVING.inside}/16`, "dev", "ib0"]);
        for (const name of ["seed.pid", "seed-vrrp.pid"])
          rmSync(join(lab.lab.folder, "hosts", "g1", name), { force: true });
        running.set("g1", await startSeed(lab, "g1"));
      }
    },
    ready: () => untilAlone(lab),
  };
}

const samples: Record<string, Record<string, Sample[]>> = {};
for (const make of only ? [heddle] : [heddle, seed]) {
  say(`Building…\n`);
  const one = await make();
  await using lab = one.lab;
  await lab.startTraffic(EACH);
  using asker = await Asker.start(lab);
  const begin = async (): Promise<void> => {
    await lab.begin();
    await asker.begin();
  };
  const report = async (): Promise<TrafficReport & Asked> => ({ ...(await asker.report()), ...(await lab.report()) });
  for (let round = 0; round < rounds; round++) {
    for (const fault of shuffled(FAULTS)) {
      const strike = one.strike(fault);
      if (!strike) continue;
      say(`\r${one.name}, round ${round + 1} of ${rounds}: ${fault}${" ".repeat(20)}`);
      await lab.renew(EACH);
      await one.ready();
      const wrong = await lab.wrongSources();
      const takeovers = one.takeovers();
      await begin();
      await strike();
      await sleep(WATCH_MS);
      const sample = {
        ...(await report()),
        wrong: (await lab.wrongSources()) - wrong,
        takeovers: one.takeovers() - takeovers,
      };
      ((samples[one.name] ??= {})[fault] ??= []).push(sample);
      await begin();
      await one.mend();
      await one.ready();
      await sleep(2000);
      if (HARMLESS.has(fault)) continue;
      ((samples[one.name] ??= {})["return of the first one"] ??= []).push({
        ...(await report()),
        wrong: 0,
        takeovers: 1,
      });
    }
  }
  say("\n");
}
const table = render();
process.stdout.write(table);
const page = readFileSync("docs/BENCHMARKS.md", "utf8");
const [before, rest] = page.split("<!-- gateways -->");
if (rest !== undefined && !only) {
  const after = rest.split("<!-- end of gateways -->")[1] ?? "";
  writeFileSync("docs/BENCHMARKS.md", `${before}<!-- gateways -->\n\n${table}\n<!-- end of gateways -->${after}`);
}

function render(): string {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  const head = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, kernel ${release()}, Node ${process.version}, commit ${commit}, ${new Date().toISOString().slice(0, 10)}. ${rounds} rounds.`;
  const rows = [...FAULTS, "return of the first one"].flatMap((fault) =>
    Object.entries(samples).flatMap(([name, by]) => {
      const all = by[fault];
      if (!all) return [];
      const gap = summarize(all.map(({ gapMs }) => gapMs));
      const late = summarize(all.map(({ lateMs }) => lateMs));
      const sum = (pick: (sample: Sample) => number): number => all.reduce((total, one) => total + pick(one), 0);
      const gapText =
        gap.median > WATCH_MS - 500 ? "for good" : `${show(gap.median)} (${show(gap.low)}–${show(gap.high)})`;
      const flows = all.length * 2 * EACH * WORKERS;
      return [
        `| ${fault} | ${name} | ${gapText} | ${show(late.median)} | ${sum(({ lost }) => lost)} of ${flows} | ${sum(({ failed }) => failed)} of ${sum(({ made, failed }) => made + failed)} | ${sum(({ wrong }) => wrong)} | ${sum(({ takeovers }) => takeovers)} |`,
      ];
    }),
  );
  return [
    head,
    "",
    "| fault of the active gateway | set-up | gap ms, median (95 %) | timer late ms | connections lost | new ones failed | wrong source | takeovers |",
    "|---|---|--:|--:|--:|--:|--:|--:|",
    ...rows,
    "",
  ].join("\n");
}

function show(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
