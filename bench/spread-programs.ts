// Owns the measuring of the spreading programs by themselves: nanoseconds a run, and instructions as the kernel has them,
// beside the write-up's program. The kernel runs each again and again on one frame (BPF_PROG_TEST_RUN), so that neither
// the stack nor a neighbour costs anything; the least of many rounds is told, which load of the machine does not change.
// Run it as root with `tools/in-root-namespace.sh node bench/spread-programs.ts`.
import { readFileSync } from "node:fs";
import { describe } from "../src/host/bpf/call.ts";
import type { Descriptor } from "../src/host/bpf/call.ts";
import { parseObject } from "../src/host/bpf/elf.ts";
import { openPrograms, runOnFrame } from "../src/host/bpf/load.ts";
import { frameOf, packetOf } from "../src/host/bpf/testing/packets.ts";
import { SpreadStand, spreadOf } from "../src/host/bpf/testing/spread-stand.ts";
import type { SpreadMechanism } from "../src/model/spread-program.ts";

const ROUNDS = 200;
/** Few enough that no signal ends a run. */
const RUNS = 1000;

/** How many instructions the kernel has of a program, before they are compiled (xlated_prog_len of bpf_prog_info). */
function instructionsOf(program: Descriptor): number {
  return describe(program.fd, 24, "BPF program").getUint32(20, true) / 8;
}

interface Row {
  name: string;
  program: Descriptor;
  instructions: number;
  /** The least of each frame; flows go by either link. */
  ns: number[];
}

const frames = Array.from({ length: 8 }, (_, i) => {
  const ports = { source: 1024 + i, destination: 7777 };
  return frameOf(packetOf({ source: "10.0.1.10", destination: `10.0.2.${11 + i}`, protocol: 17, ports }));
});
const rows: Row[] = [];
const add = (name: string, program: Descriptor): void =>
  void rows.push({ name, program, instructions: instructionsOf(program), ns: frames.map(() => Infinity) });

await using standing = new AsyncDisposableStack();
// A packet keeps its mark from run to run, and what is marked is not judged again: so no bits are. (`fast` would take a
// hop in every run, until none is left.)
for (const mechanism of ["mark", "redirect"] as SpreadMechanism[]) {
  const stand = standing.use(await SpreadStand.make());
  const to = ["10.0.2.0/24"];
  await stand.write(
    [spreadOf({ mechanism, to, mask: 0, local: true })],
    mechanism === "redirect" ? { ingress: [], egress: ["ib1"] } : {},
  );
  add(mechanism, stand.program(mechanism === "redirect" ? "tcx/egress" : "tcx/ingress"));
}
const object = parseObject(readFileSync("build/bench/written-up.o"));
const words = { target: Uint8Array.of(1, 0, 0, 0), network: Uint8Array.of(10, 0, 2, 0) };
const seed = standing.use(openPrograms(object, { constants: { ...words, netmask: Uint8Array.of(255, 255, 255, 0) } }));
add("the write-up's, without prints", seed.programs.get("tcx/egress") as Descriptor);

/** Nanoseconds a run. A signal may end the runs (EINTR): they are begun again. */
function run(program: Descriptor, frame: Uint8Array): number {
  for (;;) {
    try {
      return runOnFrame(program, frame, 0, RUNS).ns;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EINTR") throw error;
    }
  }
}

for (let round = 0; round < ROUNDS; round++) {
  for (const { program, ns } of rows) {
    for (const [i, frame] of frames.entries()) ns[i] = Math.min(ns[i] ?? Infinity, run(program, frame));
  }
}
for (const { name, instructions, ns } of rows) {
  process.stdout.write(
    `${name}: ${(ns.reduce((sum, one) => sum + one, 0) / ns.length).toFixed(1)} ns a run, ${instructions} instructions\n`,
  );
}
