// Owns an apply that is killed: node test/crash-child.ts FILE STATE POINT PREFIX
//
// Effects are counted: every ledger write, numbers write and batch to the kernel has a point before it and one after
// it; every program that is run has one before, one while it runs, and one after. At POINT the process gets SIGKILL; with
// PREFIX above 0 the batch that begins there is sent up to that many steps first. Not killed, it prints how many points
// there were. Without a FILE ("-") everything is removed.
import childProcess from "node:child_process";
import { readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { applyPlan } from "../src/agent/apply.ts";
import type { Store } from "../src/agent/apply.ts";
import { lookAndPlan } from "../src/agent/look.ts";
import { parseConfig } from "../src/config/config.ts";
import type { Host, KindDriver } from "../src/host/host.ts";
import { openHost } from "../src/host/kernel.ts";
import { StateStore, statePaths } from "../src/host/ledger/store.ts";
import type { Kind } from "../src/model/kinds.ts";
import { noTrace } from "../src/agent/trace.ts";
import { ROLES_AND_MARKER } from "./marker-role.ts";

const [file = "-", state = "", point = "0", prefix = "0"] = process.argv.slice(2);
let passed = 0;

function pass(): void {
  if (++passed === Number(point)) process.kill(process.pid, "SIGKILL");
}

function counted<A extends unknown[], R>(effect: (...args: A) => Promise<R>): (...args: A) => Promise<R> {
  return async (...args) => {
    pass();
    const result = await effect(...args);
    pass();
    return result;
  };
}

function countedDriver(driver: KindDriver): KindDriver {
  return {
    list: (...args) => driver.list(...args),
    async perform(steps, ...rest) {
      if (passed + 1 === Number(point) && Number(prefix) > 0)
        await driver.perform(steps.slice(0, Number(prefix)), ...rest);
      pass();
      const results = await driver.perform(steps, ...rest);
      pass();
      return results;
    },
  };
}

const real = openHost();
const drivers = Object.fromEntries(
  Object.entries(real.drivers).map(([kind, driver]) => [kind, countedDriver(driver as KindDriver)]),
) as unknown as { [K in Kind]: KindDriver<K> };
const host: Host = {
  links: (signal) => real.links(signal),
  owners: (names) => real.owners(names),
  canMarkSockets: () => real.canMarkSockets(),
  canSpread: () => real.canSpread(),
  hasNftables: () => real.hasNftables(),
  packetFilters: () => real.packetFilters(),
  frameLinks: () => real.frameLinks(),
  countSockets: (program) => real.countSockets(program),
  tableNames: () => real.tableNames(),
  drivers,
  close: () => real.close(),
};
const files = await StateStore.open(statePaths(state));
const store: Store = {
  writeLedger: counted((ledger) => files.writeLedger(ledger)),
  writeNumbers: counted((numbers) => files.writeNumbers(numbers)),
  writeKnown: counted((known) => files.writeKnown(known)),
};
const config =
  file === "-"
    ? { file, ranges: {}, sections: [] }
    : parseConfig(readFileSync(file, "utf8"), file, ROLES_AND_MARKER).value;
if (!config) throw new Error("the file is wrong");
const { look, diagnostics } = await lookAndPlan(config, host, await files.read(), noTrace, ROLES_AND_MARKER);
if (!look) throw new Error(JSON.stringify(diagnostics));
// Counted from here on: what is run before only looks.
const run = childProcess.execFile;
childProcess.execFile = ((...words: Parameters<typeof run>) => {
  pass();
  const child = run(...words);
  pass();
  child.once("exit", pass);
  return child;
}) as typeof run;
syncBuiltinESMExports();
const { failed, notUndone } = await applyPlan(look, host, store);
host.close();
process.stdout.write(
  JSON.stringify({ points: passed, steps: look.plan.steps.length, failed: failed.length, notUndone }),
);
