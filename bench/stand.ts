// Owns the place of the measurements: three network namespaces below the bench's own, and a directory of files.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleProgram } from "../tools/bundle.ts";
import { measure } from "./measure.ts";
import { writeBatch, writeHeddleFile, writeRoutesBeside } from "./inputs.ts";

/** How many objects there are. */
export const SIZE = { routes: 10_000, rules: 1_000, many: 100_000 } as const;

const PROGRAM = "build/kernel-work.cjs";
/** bench/kernel-work.ts, bundled as heddle is, and started as bin/heddle starts a command. */
export const KERNEL_WORK = [
  process.execPath,
  "--v8-pool-size=1",
  "--min-semi-space-size=16",
  "--max-semi-space-size=16",
  PROGRAM,
] as const;

/** Namespaces: empty; with many foreign routes; with many of heddle's own. */
export const NAMESPACES = ["work", "foreign", "own"] as const;

/** A stand that is gone when it is disposed of; the namespaces go with the bench. */
export class Stand implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), "heddle-bench-"));

  /** A file of the stand. */
  path(name: string): string {
    return join(this.#directory, name);
  }

  /** A command line of heddle, with a memory for each namespace. */
  heddle(namespace: string, ...words: string[]): string[] {
    return ["bin/heddle", "--state", this.path(`state-${namespace}`), ...words];
  }

  async build(): Promise<void> {
    await bundleProgram("bench/kernel-work.ts", PROGRAM, "build", [
      ["dump", "0", "0"],
      ["add", "0", "0"],
      ["delete", "0", "0"],
    ]);
    writeHeddleFile(this.path("small.yaml"), 3, 2);
    writeHeddleFile(this.path("work.yaml"), SIZE.routes, SIZE.rules);
    // Asks for nothing that is missing: what there is to do over foreign routes is to find that out.
    writeFileSync(this.path("foreign.yaml"), "version: 1\nstatic:\n  bench:\n    tables: { bench: 7100 }\n");
    writeHeddleFile(this.path("own-in-yaml.yaml"), SIZE.many, 0);
    writeRoutesBeside(this.path("own.yaml"), SIZE.many);
    writeBatch(this.path("add.batch"), "add", SIZE.routes, SIZE.rules);
    writeBatch(this.path("delete.batch"), "del", SIZE.routes, SIZE.rules);
    writeBatch(this.path("foreign.batch"), "add", SIZE.many, 0);
    for (const name of NAMESPACES) {
      ip(`netns add ${name}`);
      ip(`-n ${name} link add bench0 type veth peer name bench1`);
      ip(`-n ${name} address add 192.0.2.1/24 dev bench0`);
      for (const link of ["lo", "bench0", "bench1"]) ip(`-n ${name} link set ${link} up`);
    }
    measure("foreign", ["ip", "-batch", this.path("foreign.batch")]);
    measure("own", this.heddle("own", "-f", this.path("own.yaml"), "apply"));
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function ip(words: string): void {
  execFileSync("ip", words.split(" "), { stdio: ["ignore", "ignore", "inherit"] });
}
