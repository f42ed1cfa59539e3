// Owns the proof that long texts arrive whole where the reader is slow, and that one who is gone does not matter.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const LENGTH = 1_000_000;
const write = `import { write } from ${JSON.stringify(join(import.meta.dirname, "output.ts"))};`;

/** Runs a script in a shell's pipe; `out` is its standard output in a manner that does not block. */
function through(script: string, reader: string): { out: string; code: string } {
  const open = `import { openSync, constants } from "node:fs";
    const out = openSync("/proc/self/fd/1", constants.O_WRONLY | constants.O_NONBLOCK);`;
  const shell = `"$1" --input-type=module -e "$2" | { ${reader}; }; echo "\${PIPESTATUS[0]}" >&2`;
  const words = ["-c", shell, "bash", process.execPath, `${write} ${open} ${script}`];
  const { stdout, stderr } = spawnSync("bash", words, { encoding: "utf8" });
  return { out: stdout.trim(), code: stderr.trim() };
}

test("a pipe that is full and does not block gets all of it", () => {
  const script = `write(out, "x".repeat(${LENGTH}));`;
  expect(through(script, "head -c 10 >/dev/null; sleep 0.2; wc -c")).toEqual({ out: String(LENGTH - 10), code: "0" });
});

test("a reader who is gone takes only the words along", () => {
  const script = `write(out, "x".repeat(${LENGTH})); write(out, "x"); process.exitCode = 7;`;
  expect(through(script, "true")).toEqual({ out: "", code: "7" });
});
