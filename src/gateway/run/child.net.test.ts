// Proves that what a daemon says is heard while it runs: whole lines in their order, without their dates, and not too many.
import { expect, test } from "vitest";
import { until } from "../../../test/contract-steps.ts";
import { Daemon } from "./child.ts";

/** A shell at work, and what was heard of it. */
function start(...script: string[]): { daemon: Daemon; heard: string[] } {
  const heard: string[] = [];
  return { heard, daemon: new Daemon(["/bin/sh", "-c", script.join("; ")], (lines) => heard.push(...lines)) };
}

test("lines are heard while it runs, in their order and without what stands before them", async () => {
  const { daemon, heard } = start(
    "echo 'Thu Nov 26 14:20:27 2026: (a) Entering MASTER STATE'",
    "echo 'Thu Nov 26 14:20:28 2026: (a) Entering BACKUP STATE'",
    "echo 'Thu Nov 26 14:20:29 2026: (a) Entering MASTER STATE'",
    "printf 'half of '",
    "sleep 60",
  );
  const [master, backup] = ["(a) Entering MASTER STATE", "(a) Entering BACKUP STATE"];
  await until(async () => heard.length === 3);
  expect(heard).toEqual([master, backup, master]);
  expect(daemon.isOver).toBe(false);
  daemon.kill("SIGKILL");
  expect(await daemon.ended).toBe("killed by SIGKILL");
  await until(async () => heard.length === 4);
  expect(heard.at(-1)).toBe("half of");
});

test("both outputs are heard, each by itself, and the last words of one that ends", async () => {
  const { daemon, heard } = start(
    "printf 'half of '",
    "echo '[Thu Nov 26 14:20:27 2026] (pid=12) [notice] flushing' >&2",
    "sleep 0.5",
    "printf 'a line\\nlast words'",
    "exit 3",
  );
  expect(await daemon.ended).toBe("exit code 3");
  await until(async () => heard.length === 3);
  expect(heard).toEqual(["[notice] flushing", "half of a line", "last words"]);
});

test("one that says nothing is not heard", async () => {
  const { daemon, heard } = start("exit 0");
  expect(await daemon.ended).toBe("exit code 0");
  expect(heard).toEqual([]);
});

test("of one that says too much a part is heard, in whole lines, and how many were left out", async () => {
  const { daemon, heard } = start(
    "i=0",
    "while [ $i -lt 250 ]; do i=$((i + 1)); echo said $i; done",
    "sleep 0.5",
    "i=0",
    "while [ $i -lt 2000 ]; do i=$((i + 1)); echo said $i; done",
    "sleep 0.5",
    "echo at last",
  );
  await daemon.ended;
  await until(async () => heard.at(-1) === "at last");
  expect(heard.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, i) => `said ${i + 1}`));
  expect(heard[100]).toMatch(/^\d+ lines more, which are left out$/);
  expect(heard).toHaveLength(102);
});
