import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { run, waitFor, type Ended } from "./child.ts";
import { assertOwnNamespace, NOTHING, smallText, traces } from "./testing/small-lab.ts";

const program = fileURLToPath(new URL("testing/lab-program.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "heddle-lab-test-"));
const file = join(folder, "cmd.yaml");

beforeAll(() => {
  assertOwnNamespace();
  writeFileSync(
    file,
    smallText(
      "cmd",
      `
scenarios:
  good:
    about: All is well.
    each: { word: [one, two] }
    steps:
      - { on: a, run: "echo \${word}", expect: { stdout: { matches: "^(one|two)$" } } }
  bad:
    steps:
      - { on: a, run: "false" }
  long:
    steps:
      - { serve: { on: b, run: "socat TCP4-LISTEN:7,fork,reuseaddr PIPE", listens: 7 } }
      - { on: a, run: sleep 1000 }
`,
    ),
  );
});
afterEach(() => expect(traces("cmd")).toEqual(NOTHING));
afterAll(() => rmSync(folder, { recursive: true }));

function lab(...words: string[]): Promise<Ended> {
  return run([process.execPath, program, "lab", ...words]);
}

/** A run of the scenario that never ends by itself, at the moment when its last command runs. */
async function longRun(): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, "lab", "run", file, "--scenario", "long"], { stdio: "ignore" });
  await waitFor("the server and the sleeper", async () => (traces("cmd").processes.length === 2 ? true : undefined));
  return child;
}

test("up, list and down", async () => {
  const up = await lab("up", file);
  expect(up.stdout).toBe("a: nsenter --net=/run/netns/heddle-cmd.a\nb: nsenter --net=/run/netns/heddle-cmd.b\n");
  expect(up.code).toBe(0);
  expect((await lab("list")).stdout).toContain(`cmd  2 hosts  ${file}`);
  expect((await lab("down", file)).code).toBe(0);
  expect((await lab("down", "--name", "cmd", "--json")).stdout).toBe('{"name":"cmd","removed":false}\n');
});

test("run tells every scenario, and fails when one does", async () => {
  const good = await lab("run", file, "--scenario", "good", "--name", "cmd-good");
  expect(good.stdout).toMatch(/^good \(word one\)\n {2}✓ a: echo one\npassed in .*\ngood \(word two\)\n/);
  expect(good.stdout).toMatch(/\n2 of 2 scenarios passed\n$/);
  expect(good.code).toBe(0);
  const bad = await lab("run", file, "--scenario", "bad", "--json");
  expect(bad.code).toBe(1);
  expect(JSON.parse(bad.stdout)).toMatchObject({
    lab: "cmd",
    passed: false,
    scenarios: [{ scenario: "bad", steps: [{ text: "a: false", problems: ["its exit code is 1, not 0"] }] }],
  });
});

test("run --keep leaves the lab of the failed scenario standing", async () => {
  expect((await lab("run", file, "--scenario", "bad", "--keep")).stderr).toContain("heddle lab down --name cmd");
  expect(traces("cmd").namespaces).toHaveLength(3);
  expect((await lab("down", "--name", "cmd")).code).toBe(0);
});

test("a wrong command line ends with 64, a wrong file with 1", async () => {
  const unknown = await lab("run", file, "--scenario", "goof");
  expect(unknown).toMatchObject({ code: 64, stderr: "error: there is no scenario goof. Did you mean good?\n" });
  expect((await lab("down")).code).toBe(64);
  const wrong = join(folder, "wrong.yaml");
  writeFileSync(wrong, smallText("cmd").replace("addresses:", "adresses:"));
  const refused = await lab("run", wrong);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('unknown key "adresses" in hosts.a.links.ib0.8001');
  expect(refused.stderr).toContain(`${wrong}:9:`);
  expect((await lab("up", join(folder, "none.yaml"))).stderr).toContain("cannot read");
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s during a run removes the lab", async (signal, code) => {
  const child = await longRun();
  child.kill(signal);
  expect(await once(child, "close")).toEqual([code, null]);
});

test("down removes what a killed run has left", async () => {
  const child = await longRun();
  const ended = once(child, "close");
  child.kill("SIGKILL");
  await ended;
  expect(traces("cmd").namespaces).toHaveLength(3);
  expect(traces("cmd").state).toEqual(["cmd"]);
  expect((await lab("down", "--name", "cmd")).stderr).toBe("cmd is down\n");
});

test("the commands of a killed run end with it", async () => {
  const child = await longRun();
  child.kill("SIGKILL");
  await waitFor("its commands to end", async () => (traces("cmd").processes.length === 0 ? true : undefined));
  await lab("down", "--name", "cmd");
});

test("down removes what an up has left that was killed while it built", async () => {
  for (const moment of ["state", "namespaces"] as const) {
    const child = spawn(process.execPath, [program, "lab", "up", file], { stdio: "ignore" });
    const ended = once(child, "close");
    await waitFor("the first trace", async () => (traces("cmd")[moment].length > 0 ? true : undefined));
    child.kill("SIGKILL");
    await ended;
    expect(traces("cmd").state).not.toEqual([]);
    expect((await lab("down", "--name", "cmd")).code).toBe(0);
    expect(traces("cmd")).toEqual(NOTHING);
  }
});
