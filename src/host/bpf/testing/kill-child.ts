// Owns a change of the marking that is killed: node kill-child.ts CGROUP BPFFS POINT CHANGE
//
// There is a point behind every call of bpf(2) and every change of a folder; at POINT the process gets SIGKILL. Not
// killed, it prints how many points there were. CHANGE is JSON: {"mask", "marks"}, or null to remove.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { addon } from "../../native.ts";

const [cgroup = "", bpffs = "", point = "0", change = "null"] = process.argv.slice(2);
let passed = 0;

function pass(): void {
  if (++passed === Number(point)) process.kill(process.pid, "SIGKILL");
}

function counted<A extends unknown[], R>(effect: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    const result = effect(...args);
    pass();
    return result;
  };
}

const native = addon() as { -readonly [K in keyof ReturnType<typeof addon>]: ReturnType<typeof addon>[K] };
native.bpf = counted(native.bpf);
fs.renameSync = counted(fs.renameSync);
fs.unlinkSync = counted(fs.unlinkSync);
fs.rmdirSync = counted(fs.rmdirSync);
syncBuiltinESMExports();

const { markSockets } = await import("../mark-sockets.ts");
const wanted = JSON.parse(change) as { mask: number; marks: Parameters<ReturnType<typeof markSockets>["write"]>[1] };
const marker = markSockets({ cgroup, bpffs });
if (wanted === null) await marker.remove();
else await marker.write(wanted.mask, wanted.marks);
process.stdout.write(String(passed));
