import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run, waitFor, type Ended } from "./child.ts";
import { smallText, traces } from "./testing/small-lab.ts";

const program = fileURLToPath(new URL("testing/lab-program.ts", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "heddle-lab-test-"));
const file = join(folder, "users.yaml");
const FENCE = 'mount -t tmpfs tmpfs /run && exec "$@"';

beforeAll(() => {
  chmodSync(folder, 0o755);
  writeFileSync(
    file,
    smallText(
      "users",
      `
groups: { atlas: 60001, alice: 60002 }
scenarios:
  users:
    steps:
      - { on: a, run: id, expect: { stdout: { contains: uid=0(root) } } }
      - { on: a, run: id -un 50002, expect: { stdout: { equals: bob } } }
      - { on: a, as: ann, run: id, expect: { stdout: { equals: "uid=50001(ann) gid=50001(ann) groups=50001(ann),60001(atlas)" } } }
      - { on: a, as: bob, run: id -gn, expect: { stdout: { equals: alice } } }
      - { on: a, as: ann, run: "grep -E ^Cap(Eff|Prm|Inh):.*[1-9a-f] /proc/self/status", expect: { exit: 1 } }
      - { on: a, as: ann, run: printenv USER HOME, expect: { stdout: { equals: "ann\\n/" } } }
      - { on: b, run: id -u ann, expect: { exit: failure } }
  long:
    steps:
      - { on: b, run: sleep 1000 }
  plain:
    steps:
      - { on: b, run: cat /proc/net/dev, expect: { stdout: { contains: ib1 } } }
`,
    ).replace(
      "  a:\n",
      "  a:\n    users: { ann: { uid: 50001, groups: [atlas] }, bob: { uid: 50002, group: alice } }\n",
    ),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs with real root in a network and mount namespace of its own. */
function fenced(...words: string[]): Promise<Ended> {
  return run(["unshare", "--net", "--mount", "--", "sh", "-c", FENCE, "sh", ...words]);
}

const runUsers = [process.execPath, program, "lab", "run", file, "--scenario"];

test("commands run as the users of their host, with their groups and without rights", async () => {
  const ended = await fenced(...runUsers, "users");
  expect([ended.code, ended.stderr, ended.stdout.match(/✗.*\n.*/g)]).toEqual([0, "", null]);
});

test("in a user namespace nothing can run as another user, and that is said", async () => {
  const ended = await run([
    "unshare",
    "--user",
    "--map-root-user",
    "--net",
    "--mount",
    "--",
    "sh",
    "-c",
    FENCE,
    "sh",
    ...runUsers,
    "users",
  ]);
  expect(ended.code).toBe(1);
  expect(ended.stdout).toContain("there is no uid 50001 here, so nothing can run as it");
});

test("somebody without root runs a lab in a user namespace", async () => {
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const ended = await fenced(...nobody, ...runUsers, "plain");
  expect([ended.code, ended.stderr]).toEqual([0, ""]);
  expect(ended.stdout).toContain("✓ b: cat /proc/net/dev");
  const up = await fenced(...nobody, process.execPath, program, "lab", "up", file);
  expect(up.code).toBe(1);
  expect(up.stderr).toContain('"heddle lab run" needs no root');
  const keep = await fenced(...nobody, ...runUsers, "plain", "--keep");
  expect(keep.code).toBe(64);
});

test("the lab in a user namespace ends with the run, even when that is killed", async () => {
  const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const words = ["--net", "--mount", "--", "sh", "-c", FENCE, "sh", ...nobody, ...runUsers, "long"];
  const child = spawn("unshare", words, { stdio: "ignore" });
  const ended = once(child, "close");
  const running = async (): Promise<number> => traces("users").processes.length;
  await waitFor("the sleeper", async () => ((await running()) === 1 ? true : undefined));
  child.kill("SIGKILL");
  await ended;
  await waitFor("the sleeper to end", async () => ((await running()) === 0 ? true : undefined));
});
