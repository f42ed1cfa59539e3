// Owns what is measured: the rows, each a series of whole processes that leaves its namespace as it found it.
import { measure } from "./measure.ts";
import type { Sample } from "./measure.ts";
import { KERNEL_WORK, SIZE } from "./stand.ts";
import type { Stand } from "./stand.ts";

/** One contestant of a round: what it measures, by the name of the row. */
export interface Contestant {
  /** Every so many rounds: those without a goal of their own are asked less often. */
  every: number;
  run(): Record<string, Sample>;
}

/** What a row must reach. */
export interface Goal {
  row: string;
  /** The row must take at most this long… */
  atMostMs?: number;
  /** …or the other row so many times as long as this one, in the same round. */
  faster?: { than: string; times: number };
  /** What is compared: the process, or what the program measured inside. */
  by: "wallMs" | "ownMs";
}

/** The goals of docs/BENCHMARKS.md. */
export const GOALS: readonly Goal[] = [
  { row: "add, heddle's netlink alone", by: "ownMs", faster: { than: "add, ip -batch", times: 2 } },
  { row: "dump, heddle's netlink alone", by: "ownMs", faster: { than: "dump, ip -j + JSON.parse", times: 2 } },
  { row: "delete, heddle's netlink alone", by: "ownMs", faster: { than: "delete, ip -batch", times: 2 } },
  { row: "empty plan, 100,000 foreign routes", by: "wallMs", atMostMs: 1000 },
  { row: "empty plan, 100,000 own routes", by: "wallMs", atMostMs: 1000 },
  { row: "heddle plan, small file", by: "wallMs", atMostMs: 80 },
];

/** Everything that takes part. */
export function contestants(stand: Stand): Contestant[] {
  const batch = (name: string): Sample => measure("work", ["ip", "-batch", stand.path(name)]);
  const kernel = (work: string): Sample =>
    measure("work", [...KERNEL_WORK, work, String(SIZE.routes), String(SIZE.rules)]);
  const heddle = (namespace: string, file: string, command: string, exits = [0]): Sample =>
    measure(namespace, stand.heddle(namespace, "-f", stand.path(file), command), exits);
  return [
    { every: 1, run: () => ({ "node -e 0": measure("work", [process.execPath, "-e", "0"]) }) },
    { every: 1, run: () => ({ "heddle --help": measure("work", stand.heddle("work", "--help")) }) },
    { every: 1, run: () => ({ "heddle plan, small file": heddle("work", "small.yaml", "plan", [2]) }) },
    { every: 1, run: () => ({ "empty plan, 100,000 own routes": heddle("own", "own.yaml", "plan") }) },
    { every: 1, run: () => ({ "empty plan, 100,000 foreign routes": heddle("foreign", "foreign.yaml", "plan") }) },
    {
      every: 1,
      run: () => ({
        "add, ip -batch": batch("add.batch"),
        "dump, ip -j + JSON.parse": kernel("ip-dump"),
        "delete, ip -batch": batch("delete.batch"),
      }),
    },
    {
      every: 1,
      run: () => ({
        "add, heddle's netlink alone": kernel("add"),
        "dump, heddle's netlink alone": kernel("dump"),
        "delete, heddle's netlink alone": kernel("delete"),
      }),
    },
    { every: 3, run: () => ({ "the same, all in YAML": heddle("own", "own-in-yaml.yaml", "plan") }) },
    {
      every: 3,
      run: () => ({
        "heddle apply, 11,000 objects": heddle("work", "work.yaml", "apply"),
        "heddle plan, 11,000 objects in place": heddle("work", "work.yaml", "plan"),
        "heddle remove, 11,000 objects": measure("work", stand.heddle("work", "remove")),
      }),
    },
  ];
}
