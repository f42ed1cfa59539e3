// Owns the run of every scenario of the labs, with the built program, as its users run it.
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

const root = join(import.meta.dirname, "..");
const program = join(root, "bin/heddle");

interface Report {
  passed: boolean;
  scenarios: { scenario: string; passed: boolean }[];
}

/** Files of labs whose hosts have users of their own, which takes real root, or of those whose hosts have none. */
function labs(withUsers: boolean): string[] {
  return globSync("lab/*.yaml", { cwd: root }).filter((file) => {
    const { hosts } = parse(readFileSync(join(root, file), "utf8")) as { hosts: Record<string, { users?: object }> };
    return Object.values(hosts).some(({ users }) => users !== undefined) === withUsers;
  });
}

/** Makes a test of every scenario. */
export function testLabs({ withUsers }: { withUsers: boolean }): void {
  for (const file of labs(withUsers)) {
    const listed = spawnSync(program, ["--json", "lab", "list", file], { cwd: root, encoding: "utf8" });
    const names = [...new Set((JSON.parse(listed.stdout) as { name: string }[]).map(({ name }) => name))];
    describe(file, () => {
      test.each(names)("%s", { timeout: 180_000 }, (name) => {
        // A name of its own: the tour's test, which may run beside this one, brings labs up under their files' names.
        const words = ["--json", "lab", "run", file, "--name", `run-${basename(file, ".yaml")}`, "--scenario", name];
        const run = spawnSync(program, words, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
        // What went wrong is in the report on standard error.
        const report = run.stdout === "" ? undefined : (JSON.parse(run.stdout) as Report);
        expect(report?.passed === true ? "" : run.stderr).toBe("");
        expect(run.status).toBe(0);
        expect(report?.scenarios.length).toBeGreaterThan(0);
      });
    });
  }
}
