// Owns how long messages between hosts stand still when the process that bridges is killed: started anew, and where a spare
// waits; on the model of InfiniBand, with a session that nobody asks for again. Wants a network namespace of its own.
// Usage: tools/in-namespace.sh node bench/bridge/recovery.ts [ROUNDS]
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { converse, InfinibandEnd, RoceEnd } from "../../src/rdma/run/testing/ends.ts";
import type { Peer } from "../../src/rdma/run/testing/ends.ts";
import { numbered, readNumber } from "../../src/rdma/hosts/messages.ts";
import { Stand } from "../../src/rdma/run/testing/stand.ts";
import { until } from "../../src/rdma/fabric/until.ts";
import { summarize } from "../statistics.ts";

const ROUNDS = Number(process.argv[2] ?? 30);
/** Between two messages, in milliseconds. */
const EVERY_MS = 1;

const [roceAddress, ibAddress] = ["192.0.2.120", "192.0.2.187"];
await using stand = await Stand.build(0, 3);
stand.addLink("r1");
using roce = await RoceEnd.on("r1", roceAddress);
await using ib = await InfinibandEnd.at(stand.place("H3"), ibAddress);
const bridge = stand.bridgeProcess("b1", "H2", "messages: {}");
bridge.start();
await bridge.active();
ib.services.set(4711, () => ({ qpn: 0x51, qKey: 0x1234 }));
ib.echo();
const service = (await roce.ask(ibAddress, 4711)) as Peer;
await converse(roce, service, 0x61, numbered(1, 0));

let number = 0;
/** When the last answer came, and the longest time between two since it was set to 0. */
const answers = { atMs: performance.now(), longestMs: 0 };
roce.onMessage = ({ payload }) => {
  const nowMs = performance.now();
  if (readNumber(payload).sender !== 1) return;
  answers.longestMs = Math.max(answers.longestMs, nowMs - answers.atMs);
  answers.atMs = nowMs;
};
const timer = setInterval(() => roce.send(service, 0x61, numbered(1, number++)), EVERY_MS);

/** Waits for an answer that comes after a moment. */
async function answered(sinceMs: number): Promise<void> {
  await until("an answer comes", () => answers.atMs > sinceMs);
}

/** The longest time without an answer while something is done, until answers come again. */
async function longest(doing: () => Promise<void>): Promise<number> {
  await sleep(300);
  answers.longestMs = 0;
  await doing();
  await answered(performance.now());
  await sleep(100);
  return answers.longestMs;
}

/** A process that waits for the end of the one that bridges. */
async function startSpare(): Promise<ChildProcess> {
  const [program, ...words] = bridge.words("bridge", "run", "--spare") as [string, ...string[]];
  const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...words], { stdio: ["ignore", "ignore", "pipe"] });
  for await (const piece of child.stderr.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    if (String(piece).includes("waits")) break;
  }
  child.stderr.resume();
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGKILL");
  await gone;
}

const still = { nothing: [] as number[], killed: [] as number[], spare: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  // The control: what the machine itself holds up.
  still.nothing.push(await longest(() => sleep(500)));
  still.killed.push(
    await longest(async () => {
      await bridge.end("SIGKILL");
      bridge.start();
    }),
  );
}
// From now on each spare becomes the one that bridges.
let spare = await startSpare();
await longest(async () => void (await bridge.end("SIGKILL")));
let bridging = spare;
for (let round = 0; round < ROUNDS; round++) {
  spare = await startSpare();
  still.spare.push(await longest(() => kill(bridging)));
  bridging = spare;
}
await kill(bridging);
clearInterval(timer);
for (const [name, ms] of Object.entries(still)) {
  process.stdout.write(`${name.padEnd(8)} longest time without an answer, ms: ${JSON.stringify(summarize(ms))}\n`);
}
