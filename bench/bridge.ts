// Owns what a bridge carries: at which rate of messages none is lost, and the CPU time of its process for each, from one
// host on Ethernet to one of the model of InfiniBand and back, in shuffled rounds.
// Usage, in a namespace and better as root, for large buffers: tools/in-root-namespace.sh node bench/bridge.ts [ROUNDS]
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { makeMgid } from "../src/rdma/bridge/mgid.ts";
import { until } from "../src/rdma/fabric/until.ts";
import { numbered } from "../src/rdma/hosts/messages.ts";
import type { BridgeProcess } from "../src/rdma/run/testing/bridge-process.ts";
import { Stand } from "../src/rdma/run/testing/stand.ts";
import { summarize } from "./statistics.ts";
import { timerLatenessMs } from "./measure.ts";

const ROUNDS = Number(process.argv[2] ?? 10);
const RATES = [1000, 2000, 5000, 10_000, 20_000, 40_000];
const ROUND_MS = 2000;
const BYTES = 256;
/** At most so many go out at once, however late the timer was. */
const BURST = 32;
/** Of /proc/PID/stat (USER_HZ, proc(5)). */
const TICK_MS = 10;
const GROUP = Uint8Array.of(239, 41, 0, 1);
const MGID = makeMgid({ format: "rdma-cm", group: GROUP, pKey: 0xffff, scope: 2 });
const WAYS = ["toInfiniband", "toEthernet"] as const;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

type Way = (typeof WAYS)[number];

interface Round {
  /** Messages a second that were really sent. */
  rate: number;
  sent: number;
  /** That the model's switch could not hand over to the bridge. */
  lostBefore: number;
  /** That came to the bridge, and were not passed on. */
  lostByBridge: number;
  /** That the other host did not hear. */
  lost: number;
  cpuUs: number;
}

/** CPU time of a process so far, all of its threads. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

async function passed(bridge: BridgeProcess, way: Way): Promise<number> {
  return (await bridge.status())?.[way].packets ?? 0;
}

await using stand = await Stand.build(0, 3);
const roce = await stand.roceHost("r1");
const ib = await stand.infinibandHost("H3");
roce.join(GROUP);
await ib.join(MGID);
const bridge = stand.bridgeProcess("b1", "H2", "[{ group: 239.41.0.1 }]");
bridge.start();
await bridge.active();
const heard: Record<Way, number> = { toInfiniband: 0, toEthernet: 0 };
ib.onHeard = () => heard.toInfiniband++;
roce.onHeard = () => heard.toEthernet++;
const frames = Array.from({ length: BURST }, (_, i) => roce.frame(GROUP, numbered(1, i, BYTES)));
const packets = Array.from({ length: BURST }, (_, i) => ib.packet(MGID, numbered(2, i, BYTES)));

async function run(way: Way, rate: number, forMs: number): Promise<Round> {
  const [passedBefore, heardBefore, cpuBefore] = [await passed(bridge, way), heard[way], cpuMs(bridge.pid)];
  const unsentBefore = stand.wire.counts.unsent;
  const start = performance.now();
  let sent = 0;
  for (let ms = 0; ms < forMs; ms = performance.now() - start) {
    for (let due = Math.floor((ms * rate) / 1000) - sent; due > 0; due -= BURST) {
      const count = Math.min(due, BURST);
      sent +=
        way === "toInfiniband" ? roce.sendFrames(frames.slice(0, count)) : ib.sendPackets(packets.slice(0, count));
      // What the other side sends is taken in between, as on a host of its own.
      await new Promise(setImmediate);
    }
    await sleep(1);
  }
  const took = performance.now() - start;
  const cpuUs = ((cpuMs(bridge.pid) - cpuBefore) * 1000) / sent;
  await until("nothing comes any more", async () => {
    const before = heard[way];
    await sleep(100);
    return heard[way] === before;
  });
  const lostBefore = way === "toEthernet" ? stand.wire.counts.unsent - unsentBefore : 0;
  return {
    rate: (sent * 1000) / took,
    sent,
    lostBefore,
    lostByBridge: sent - lostBefore - ((await passed(bridge, way)) - passedBefore),
    lost: sent - (heard[way] - heardBefore),
    cpuUs,
  };
}

const rounds = new Map<string, Round[]>();
const late: number[] = [];
for (const way of WAYS) await run(way, 2000, ROUND_MS);
for (let round = 0; round < ROUNDS; round++) {
  late.push(await timerLatenessMs());
  const rows = WAYS.flatMap((way) => RATES.map((rate) => ({ way, rate }))).sort(() => Math.random() - 0.5);
  for (const { way, rate } of rows) {
    const key = `${way} ${rate}`;
    rounds.set(key, [...(rounds.get(key) ?? []), await run(way, rate, ROUND_MS)]);
  }
  process.stderr.write(".");
}
process.stderr.write("\n");
const status = await bridge.status();
say(
  `${ROUNDS} rounds of ${ROUND_MS} ms, ${BYTES} bytes; worst timer ${summarize(late).median.toFixed(1)} ms late in the median round`,
);
say(
  "| way | asked for, a second | sent, median | sent in all | lost before the bridge | lost by it | not heard | CPU µs a message, median (95 %) |",
);
say("|---|--:|--:|--:|--:|--:|--:|--:|");
for (const way of WAYS) {
  for (const rate of RATES) {
    const all = rounds.get(`${way} ${rate}`) ?? [];
    const sum = (pick: (one: Round) => number): number => all.reduce((total, one) => total + pick(one), 0);
    const cpu = summarize(all.map((one) => one.cpuUs));
    const really = summarize(all.map((one) => one.rate)).median;
    const name = way === "toInfiniband" ? "to InfiniBand" : "to Ethernet";
    say(
      `| ${name} | ${rate} | ${Math.round(really)} | ${sum((one) => one.sent)} | ${sum((one) => one.lostBefore)} | ${sum((one) => one.lostByBridge)} | ${sum((one) => one.lost)} | ${cpu.median.toFixed(0)} (${cpu.low.toFixed(0)}–${cpu.high.toFixed(0)}) |`,
    );
  }
}
say(`the model's switch: ${JSON.stringify(stand.wire.counts)}`);
say(`the bridge's drops: ${JSON.stringify([status?.toInfiniband.drops, status?.toEthernet.drops, status?.ethernet])}`);
