// Owns the measurement of an idle agent that keeps everything which heddle has, without and with what works all the time:
// probes, and spreading by load. It takes root; `make bench-agent` runs it where it can, QUICK=1 for a glance.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { TOPOLOGY, World } from "../../test/chaos/world.ts";
import { idleness } from "./process.ts";

const quick = process.argv.includes("--quick");
const IDLE_S = quick ? 10 : 60;

/** Resident memory of a Node that does nothing, MB: the floor of every agent. */
async function bareNodeMb(): Promise<number> {
  const child = spawn(process.execPath, ["-e", "process.stdin.resume(); process.stdout.write('.')"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const text = readFileSync(`/proc/${child.pid}/status`, "utf8");
  child.kill("SIGKILL");
  return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1]) / 1024;
}

/** The host of chaos without what works all the time, and with each of that. A pattern that finds nothing is a bug. */
function without(...patterns: RegExp[]): string {
  return patterns.reduce((text, pattern) => {
    if (!pattern.test(text)) throw new Error(`the topology of chaos has no ${pattern}`);
    return text.replace(pattern, "");
  }, TOPOLOGY);
}

const CHECK = /^ +check: .*\n/m;
const SPREAD = /^ +spread:\n +even: .*\n/m;
const HOSTS = {
  "Multihome, egress with marked sockets and a chosen control group, a gateway": without(CHECK, SPREAD),
  "The same, and a gateway is asked every 200 ms": without(SPREAD),
  "The same as at first, and two links are spread by load": without(CHECK),
};

const lines: string[] = [];
for (const [what, topology] of Object.entries(HOSTS)) {
  await using world = await World.up("bench-idle", [], topology);
  lines.push(`- ${what}. ${await idleness(world.agent.pid, IDLE_S)}`);
}
const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, kernel ${release()}, Node ${process.version}.`;
const text = `${machine} A Node that does nothing has ${(await bareNodeMb()).toFixed(0)} MB.\n\n${lines.join("\n")}`;
process.stdout.write(`${text}\n`);
if (!quick) {
  const page = readFileSync("docs/BENCHMARKS.md", "utf8");
  const [start, end] = ["<!-- idle -->", "<!-- end of idle -->"];
  const [before] = page.split(start);
  writeFileSync("docs/BENCHMARKS.md", `${before}${start}\n\n${text}\n\n${end}${page.split(end)[1] ?? ""}`);
}
