// Proves that what a daemon says is heard: whole lines without their dates, once, and the last words of one that ends.
import { expect, test } from "vitest";
import { until } from "../../../test/contract-steps.ts";
import { Daemon } from "./child.ts";

test("lines are passed on without what stands before them, and not again", async () => {
  const heard: string[] = [];
  const script = [
    "echo 'Thu Nov 26 14:20:27 2026: (a) Entering MASTER STATE'",
    "echo '[Thu Nov 26 14:20:27 2026] (pid=12) [notice] flushing' >&2",
    "echo 'Thu Nov 26 14:20:29 2026: (a) Entering MASTER STATE'",
    "printf 'half of '; sleep 1; printf 'a line\\nlast words'; exit 3",
  ].join("; ");
  const daemon = new Daemon(["/bin/sh", "-c", script], (line) => heard.push(line));
  expect(await daemon.ended).toBe("exit code 3");
  await until(async () => heard.length === 4);
  expect(heard.toSorted()).toEqual(["(a) Entering MASTER STATE", "[notice] flushing", "half of a line", "last words"]);
});
