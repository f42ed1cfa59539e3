// Owns the long run of hostile packets against the bridge: ten million, made of those that met code which none before had
// met, as V8's counters of blocks tell. Fails when anything throws or grows, or passes another way with flows than without.
// Usage: node --expose-gc tools/fuzz-bridge.ts [PACKETS] [SEED]
import { Session } from "node:inspector/promises";
import { FlowTable, monotonicMs } from "../src/host/flow-table.ts";
import { Fuzz } from "../src/rdma/bridge/testing/fuzz.ts";
import type { Input } from "../src/rdma/bridge/testing/mutate.ts";

const PACKETS = Number(process.argv[2] ?? 10_000_000);
const SEED = Number(process.argv[3] ?? Math.floor(Math.random() * 0x7fffffff));
/** Counting slows V8 down, so that a part of each round is counted. */
const ROUND = 500_000;
const COUNTED = 20_000;
/** Packets between two looks at the counters. */
const BATCH = 20;
/** Inputs that are kept; the oldest that were found go. */
const MOST_CORPUS = 512;
/** Bytes that the heap may have more at the end than after the first round: noise of the collector and of compiled code. */
const GROWTH = 2 * 1024 * 1024;

/** What the addon passes on by its flows is compared with what is passed on without them; VCRCs in every second run. */
const VCRC = SEED % 2 === 1;
const fuzz = new Fuzz(SEED, (way, sequence) => {
  const native = way === "toEthernet";
  const table = new FlowTable(64, { native, checks: VCRC && native, seals: VCRC && !native }, sequence);
  table.lease(monotonicMs() + 1e9);
  return table;
});
const seeds = fuzz.corpus.length;
const seen = new Set<string>();
const inspector = new Session();
inspector.connect();

/** Blocks that were met since this was asked last, and never before. */
async function newBlocks(): Promise<number> {
  const { result } = await inspector.post("Profiler.takePreciseCoverage");
  let news = 0;
  for (const { url, functions } of result) {
    if (!/\/src\/rdma\/(bridge|codec)\/[^/]*$/.test(url)) continue;
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges) {
        const key = `${url} ${startOffset} ${endOffset}`;
        if (count === 0 || seen.has(key)) continue;
        seen.add(key);
        news++;
      }
    }
  }
  return news;
}

function give(input: Input): void {
  try {
    fuzz.give(input);
  } catch (error) {
    process.stderr.write(`seed ${SEED}: ${input.kind} ${Buffer.from(input.bytes).toString("hex")}\n`);
    throw error;
  }
}

/** Gives packets and keeps those by which new code was met. */
async function guided(count: number): Promise<void> {
  await inspector.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  await newBlocks();
  for (let done = 0; done < count; done += BATCH) {
    const batch = Array.from({ length: BATCH }, () => fuzz.next());
    for (const input of batch) give(input);
    if ((await newBlocks()) === 0) continue;
    // Which of them it was, nobody knows: the state that it met is gone. All are material.
    fuzz.corpus.push(...batch);
    if (fuzz.corpus.length > MOST_CORPUS) fuzz.corpus.splice(seeds, fuzz.corpus.length - MOST_CORPUS);
  }
  await inspector.post("Profiler.stopPreciseCoverage");
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

await inspector.post("Profiler.enable");
process.stderr.write(`${PACKETS} packets from seed ${SEED}\n`);
let first = 0;
for (let given = 0; given < PACKETS;) {
  const end = Math.min(given + ROUND, PACKETS);
  const counted = Math.min(COUNTED, end - given);
  await guided(counted);
  for (given += counted; given < end; given++) give(fuzz.next());
  fuzz.checkBounds();
  const heap = heapBytes();
  if (first === 0) first = heap;
  process.stderr.write(`${given} packets, ${seen.size} blocks, heap ${(heap / 2 ** 20).toFixed(1)} MiB\n`);
  if (heap - first > GROWTH) throw new Error(`the heap has grown by ${heap - first} bytes`);
}
process.stdout.write(`relayed ${fuzz.relayed}\n`);
for (const [name, count] of [...fuzz.became].toSorted((a, b) => b[1] - a[1]))
  process.stdout.write(`${name} ${count}\n`);
