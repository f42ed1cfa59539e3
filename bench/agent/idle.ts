// Owns the measurement of an idle agent that keeps everything which heddle has: multihome, egress by BPF and by nftables,
// a chosen control group, nexthops. It takes root; `make bench-agent` runs it where it can, QUICK=1 for a glance.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { World } from "../../test/chaos/world.ts";
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

await using world = await World.up("bench-idle", []);
const found = await idleness(world.agent.pid, IDLE_S);
const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, kernel ${release()}, Node ${process.version}.`;
const text = `With multihome and egress, sockets marked by BPF, a chosen control group. ${machine}\n${found} A Node that does nothing has ${(await bareNodeMb()).toFixed(0)} MB.`;
process.stdout.write(`${text}\n`);
if (!quick) {
  const page = readFileSync("docs/BENCHMARKS.md", "utf8");
  const [start, end] = ["<!-- idle -->", "<!-- end of idle -->"];
  const [before] = page.split(start);
  writeFileSync("docs/BENCHMARKS.md", `${before}${start}\n\n${text}\n\n${end}${page.split(end)[1] ?? ""}`);
}
