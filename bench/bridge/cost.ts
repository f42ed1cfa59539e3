// Owns what a message costs a bridge: CPU time, the most a second, and the time that it takes, beside a relay in C that only
// copies and one in C that rewrites the headers and computes the CRC over everything, with the same calls to the kernel.
// Usage, as root for large buffers: tools/in-root-namespace.sh node bench/bridge/cost.ts [ROUNDS] [SECONDS]
// [BYTES,…], where only those payloads are asked for, and no more contestants than the goal has.
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcessByStdio } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { findEthernetLink } from "../../src/rdma/port/ethernet-port.ts";
import { timerLatenessMs } from "../measure.ts";
import { shuffled, summarize } from "../statistics.ts";
import type { Summary } from "../statistics.ts";
import { framesOf } from "./traffic.ts";

const ROUNDS = Number(process.argv[2] ?? 30);
const SECONDS = Number(process.argv[3] ?? 1);
const BUILD = join(import.meta.dirname, "../../build");
/** Messages a second where CPU time and delays are measured: every contestant keeps up. */
const RATE = 10_000;
/** Where load.c writes its time: 8 bytes into the payload; before it are Ethernet, IP, UDP, BTH, DETH, or their native peers. */
const PAYLOAD = { ethernet: 14 + 20 + 8 + 12 + 8, native: 8 + 40 + 12 + 8 } as const;

/** A relay is at rest when it takes less CPU time than this between two readings, of which each takes some itself. */
const REST_US = 1000;
const BETWEEN_READINGS_MS = 100;
const MOST_READINGS = 20;

interface Contestant {
  name: string;
  /** Every so many rounds, where it is not 1: those without a goal are asked less often. */
  every?: number;
  /** Its time stays where it was. */
  copies?: true;
  words: string[];
  sessions: number;
  groups: number;
  bytes: number;
  /** Messages that go before those that are measured, so that what the first one of a flow costs is not among it. */
  known: number;
}

interface Load {
  sent: number;
  received: number;
  seconds: number;
  p50us: number;
  p99us: number;
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

const only = process.argv[4]?.split(",").map(Number);
const SIZES = only ?? [64, 256, 1024, 4096];
const c = (mode: string): string[] => [join(BUILD, "bridge-relay"), mode];
const heddle = (sessions: number, groups: number): string[] => [
  process.execPath,
  join(import.meta.dirname, "relay.ts"),
  String(sessions),
  String(groups),
];
const one = { sessions: 1, groups: 0, known: 10 };
const heddles = SIZES.map((bytes): Contestant => ({ name: "heddle", words: heddle(1, 1), ...one, bytes }));
const wholeCrc = SIZES.map((bytes): Contestant => ({
  name: "C, rewrites, whole CRC",
  words: c("rewrite"),
  ...one,
  bytes,
}));
const beside: Contestant[] = [
  ...SIZES.map((bytes): Contestant => ({ name: "C, copies", copies: true, every: 3, words: c("copy"), ...one, bytes })),
  {
    name: "heddle, 10,000 sessions",
    every: 3,
    words: heddle(10_000, 1),
    sessions: 10_000,
    groups: 0,
    known: 0,
    bytes: 256,
  },
  { name: "heddle, one group", every: 3, words: heddle(1, 1), sessions: 0, groups: 1, known: 10, bytes: 256 },
  { name: "heddle, 1,000 groups", every: 3, words: heddle(1, 1000), sessions: 0, groups: 1000, known: 0, bytes: 256 },
];
const CONTESTANTS = [...wholeCrc, ...heddles, ...(only ? [] : beside)];

const place = mkdtempSync(join(tmpdir(), "heddle-cost-"));
execFileSync("ip", "link add from mtu 5000 type veth peer name to mtu 5000".split(" "));
for (const link of ["from", "to"]) execFileSync("ip", ["link", "set", link, "up"]);
const mac = (await findEthernetLink("to"))?.mac as Uint8Array;

async function line(child: Child): Promise<string> {
  const [piece] = (await once(child.stdout, "data")) as [Buffer];
  return piece.toString().trim();
}

/** CPU time of a relay so far, µs. */
async function cpuUs(relay: Child): Promise<number> {
  const said = line(relay);
  relay.kill("SIGUSR2");
  return Number(await said);
}

/** CPU time of a relay once it is at rest: what its start has set going (V8 compiles and collects in threads) is not counted. */
async function cpuAtRestUs(relay: Child): Promise<number> {
  let before = await cpuUs(relay);
  for (let i = 0; i < MOST_READINGS; i++) {
    await sleep(BETWEEN_READINGS_MS);
    const now = await cpuUs(relay);
    if (now - before < REST_US) return now;
    before = now;
  }
  return before;
}

/** One contestant under a load; CPU time in µs for a message that came out. */
async function run(
  { words, copies, sessions, groups, known, bytes }: Contestant,
  rate: number,
): Promise<Load & { cpuUs: number }> {
  const [own, far, frames] = ["relay", "load", "frames"].map((name) => join(place, name)) as [string, string, string];
  writeFileSync(frames, framesOf(sessions, groups, bytes, mac));
  const out = copies ? PAYLOAD.ethernet : PAYLOAD.native;
  const offsets = [PAYLOAD.ethernet + 8, out + 8].map(String);
  const load = spawn(
    join(BUILD, "bridge-load"),
    ["from", far, own, frames, String(rate), String(SECONDS), ...offsets, String(known)],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  await line(load);
  const [program, ...rest] = words as [string, ...string[]];
  const relay = spawn(program, [...rest, "to", own, far], { stdio: ["pipe", "pipe", "ignore"] });
  await line(relay);
  load.stdin.write("\n");
  await line(load);
  const before = await cpuAtRestUs(relay);
  load.stdin.write("\n");
  const result = JSON.parse(await line(load)) as Load;
  const after = await cpuUs(relay);
  relay.kill("SIGTERM");
  await once(relay, "exit");
  return { ...result, cpuUs: (after - before) / Math.max(result.received, 1) };
}

interface Row {
  cpu: number[];
  /** Where messages come in batches. */
  busy: number[];
  p50: number[];
  p99: number[];
  most: number[];
  lost: number;
}
const rows = new Map<Contestant, Row>();
for (const one of CONTESTANTS) rows.set(one, { cpu: [], busy: [], p50: [], p99: [], most: [], lost: 0 });
for (let round = 0; round < ROUNDS; round++) {
  for (const contestant of shuffled(CONTESTANTS.filter(({ every = 1 }) => round % every === 0))) {
    const row = rows.get(contestant) as Row;
    const paced = await run(contestant, RATE);
    row.cpu.push(paced.cpuUs);
    row.p50.push(paced.p50us);
    row.p99.push(paced.p99us);
    row.lost += paced.sent - paced.received;
    const flood = await run(contestant, 0);
    row.busy.push(flood.cpuUs);
    row.most.push(flood.received / flood.seconds);
  }
  process.stderr.write(`round ${round + 1} of ${ROUNDS}\n`);
}
const show = ({ median, low, high }: Summary, digits = 1): string =>
  `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
process.stdout.write(
  `timers are late by ${(await timerLatenessMs()).toFixed(2)} ms; medians of so many rounds with 95 % intervals\n`,
);
for (const [{ name, bytes }, { cpu, busy, p50, p99, most, lost }] of rows) {
  process.stdout.write(
    `${name.padEnd(24)} ${String(bytes).padStart(4)} B  ${cpu.length} rounds  CPU µs ${show(summarize(cpu), 2)}, when flooded ${show(summarize(busy), 2)}  delay µs p50 ${show(summarize(p50))} p99 ${show(summarize(p99))}  most/s ${show(summarize(most), 0)}  lost at ${RATE}/s ${lost}\n`,
  );
}

/** Heddle's CPU time in a round as a part of that of the relay with the whole CRC, each size by itself. */
const ratios = (pick: (row: Row) => number[]): number[][] =>
  heddles.map((own, size) => {
    const beside = pick(rows.get(wholeCrc[size] as Contestant) as Row);
    return pick(rows.get(own) as Row).map((us, round) => us / (beside[round] as number));
  });
const geometricMean = (values: number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
for (const [how, pick] of [
  ["one by one", (row: Row) => row.cpu],
  ["when flooded", (row: Row) => row.busy],
] as const) {
  const bySize = ratios(pick);
  const all = (bySize[0] as number[]).map((_, round) => geometricMean(bySize.map((size) => size[round] as number)));
  const each = SIZES.map((bytes, size) => `${bytes} B ${show(summarize(bySize[size] as number[]), 3)}`).join(", ");
  process.stdout.write(
    `CPU beside the whole CRC, in one round, ${how}: ${each}; all sizes ${show(summarize(all), 3)}\n`,
  );
}
rmSync(place, { recursive: true, force: true });
