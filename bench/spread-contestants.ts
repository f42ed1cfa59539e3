// Owns who is measured at spreading, and what has to be shown.
import { closeSync, readFileSync } from "node:fs";
import { parseObject } from "../src/host/bpf/elf.ts";
import { attachToInterface } from "../src/host/bpf/link.ts";
import type { Descriptor } from "../src/host/bpf/call.ts";
import { openPrograms } from "../src/host/bpf/load.ts";
import type { BenchRouter } from "./router.ts";

/** One contestant. */
export interface SpreadContestant {
  name: string;
  /** How many links its packets have to leave by. */
  links: 0 | 1 | 2;
  prepare(router: BenchRouter): void | Promise<void>;
}

/** What a row's speed has to be, as a multiple of another's in the same round. */
export interface SpreadGoal {
  row: string;
  than: string;
  atLeast: number;
}

const BUCKETS = 1024;

/** Everybody. */
export const SPREAD_CONTESTANTS: readonly SpreadContestant[] = [
  { name: "sender and drop only", links: 0, prepare: (router) => router.ip("route replace blackhole 10.0.2.0/24") },
  { name: "single route", links: 1, prepare: () => {} },
  {
    // What any policy routing costs: once there is a rule, the kernel asks all of them for every packet, twice.
    name: "single route behind one rule",
    links: 1,
    prepare: (router) => router.ip("rule add priority 100 fwmark 77 lookup 77"),
  },
  {
    name: "ECMP, policy 1",
    links: 2,
    prepare: (router) => router.ip("route replace 10.0.2.0/24 nexthop dev ib1 nexthop dev ib2"),
  },
  {
    name: "resilient group, 1024 buckets",
    links: 2,
    prepare(router) {
      router.ip("nexthop add id 1 dev ib1");
      router.ip("nexthop add id 2 dev ib2");
      router.ip(`nexthop add id 3 group 1/2 type resilient buckets ${BUCKETS}`);
      router.ip("route replace 10.0.2.0/24 nhid 3");
    },
  },
  { name: "the write-up's program", links: 2, prepare: (router) => attachWrittenUp(router, "written-up-prints") },
  {
    name: "the write-up's program without prints",
    links: 2,
    prepare: (router) => attachWrittenUp(router, "written-up"),
  },
  ...(["mark", "redirect", "fast"] as const).flatMap((mechanism) =>
    (["hash", "load"] as const).map((by): SpreadContestant => ({
      name: `heddle, ${mechanism} by ${by}`,
      links: 2,
      prepare: (router) => router.heddle(`mechanism: ${mechanism}`, `by: ${by}`),
    })),
  ),
];

const SEED = "the write-up's program without prints";

/** The goals of docs/SPREAD.md. */
export const SPREAD_GOALS: readonly SpreadGoal[] = [
  { row: "heddle, redirect by hash", than: SEED, atLeast: 1 },
  { row: "heddle, mark by hash", than: SEED, atLeast: 1 },
  { row: "heddle, redirect by load", than: "heddle, redirect by hash", atLeast: 0.9 },
  { row: "heddle, mark by load", than: "heddle, mark by hash", atLeast: 0.9 },
  { row: "heddle, fast by load", than: "heddle, fast by hash", atLeast: 0.9 },
  { row: "heddle, fast by hash", than: "single route", atLeast: 1.15 },
];

/** Programs that are attached until the bench ends. */
const attached: Descriptor[] = [];

function attachWrittenUp(router: BenchRouter, name: string): void {
  const object = parseObject(readFileSync(`build/bench/${name}.o`));
  const target = new Uint8Array(4);
  new DataView(target.buffer).setUint32(0, router.index("ib2"), true);
  const network = Uint8Array.of(10, 0, 2, 0);
  const netmask = Uint8Array.of(255, 255, 255, 0);
  using loaded = openPrograms(object, { constants: { target, network, netmask } });
  const program = loaded.programs.get("tcx/egress");
  if (!program) throw new Error(`${name} has no program`);
  const namespace = router.open();
  attached.push(attachToInterface(program, "tcx/egress", router.index("ib1"), namespace));
  closeSync(namespace);
}
