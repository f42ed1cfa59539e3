// Owns the proof of one writer at a time, and of applies while others change the kernel.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TestNamespace } from "../../test/namespace.ts";

const program = join(import.meta.dirname, "../../bin/heddle");
let place = "";
let namespace: TestNamespace;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-writers-"));
  namespace = new TestNamespace();
  namespace.addLink("ib0", ["172.16.34.1/16"]);
  namespace.addLink("ib1", ["172.16.34.2/16"]);
  writeFileSync(join(place, "a.yaml"), "version: 1\nmultihome:\n  ib: { links: [ib0, ib1] }\n");
  const routes = Array.from(
    { length: 400 },
    (_, i) => `      - { to: 10.${i >> 8}.${i & 255}.0/24, link: ib1, table: 77 }\n`,
  );
  writeFileSync(join(place, "b.yaml"), `version: 1\nstatic:\n  s:\n    routes:\n${routes.join("")}`);
});
afterEach(() => {
  namespace[Symbol.dispose]();
  rmSync(place, { recursive: true, force: true });
});

function words(file: string, command: string): string[] {
  const inside = [`--net=/proc/${process.pid}/fd/${namespace.fd}`, "--", program];
  return [...inside, "-f", join(place, file), "--state", join(place, "state"), command];
}

const run = (file: string, command: string) => spawnSync("nsenter", words(file, command), { encoding: "utf8" });

async function started(file: string, command: string): Promise<number | null> {
  const child = spawn("nsenter", words(file, command), { stdio: "ignore" });
  const [code] = (await once(child, "exit")) as [number | null];
  return code;
}

test("of applies at once one works and the others say that they may not; the host is as one of the files says", async () => {
  const codes = await Promise.all(["a", "b", "a", "b", "a", "b"].map((name) => started(`${name}.yaml`, "apply")));
  expect(codes.filter((code) => code !== 0 && code !== 4)).toEqual([]);
  expect(codes).toContain(0);
  const plans = ["a.yaml", "b.yaml"].map((file) => run(file, "plan").status);
  expect(plans).toContain(0);
  expect(plans).toContain(2);
});

test("what others change meanwhile stays theirs, and the last apply settles", { timeout: 60_000 }, async () => {
  const path = `/proc/${process.pid}/fd/${namespace.fd}`;
  // Somebody's routes and rules come and go beside heddle's, in its tables and at its priorities too.
  const churn = `
    i=0
    while [ -e ${place}/a.yaml ] && [ $i -lt 3000 ]; do
      i=$((i + 1))
      ip route replace 192.0.2.$((i % 250))/32 dev ib0 table 77 proto static
      ip rule add from 192.0.2.$((i % 250)) table 7000 priority 7000 protocol static
      ip rule del from 192.0.2.$((i % 250)) table 7000 priority 7000 protocol static
      [ $((i % 10)) -ne 0 ] || { ip link set ib1 down; ip link set ib1 up; }
    done`;
  const others = spawn("nsenter", [`--net=${path}`, "--", "sh", "-c", churn], { stdio: "ignore" });
  const ended = once(others, "exit");
  try {
    for (let i = 0; i < 8; i++) {
      const file = i % 2 === 0 ? "a.yaml" : "b.yaml";
      // A link that goes down between the look and the step refuses it, and then all of the apply is taken back.
      const { status, stderr } = run(file, "apply");
      expect([0, 1, 3], stderr).toContain(status);
      expect(stderr).not.toContain("bug");
    }
  } finally {
    others.kill();
    await ended;
  }
  const theirs = namespace.ip("route show table 77 proto static");
  expect(theirs).not.toBe("");
  namespace.ip("link set ib1 up");
  expect(run("b.yaml", "apply").status).toBe(0);
  expect(run("b.yaml", "plan").status).toBe(0);
  expect(run("a.yaml", "remove").status).toBe(0);
  expect(namespace.ip("route show table 77 proto static")).toBe(theirs);
  expect(namespace.ip("rule") + namespace.ip("route show table all")).not.toContain("proto 72");
});

test("a saved plan is done as it was shown, or not at all when the host has changed", () => {
  const saved = join(place, "saved.json");
  const more = (...rest: string[]) =>
    spawnSync("nsenter", [...words("a.yaml", "plan").slice(0, -1), ...rest], { encoding: "utf8" });
  expect(more("plan", "--out", saved).status).toBe(2);
  // The file may be edited meanwhile: the plan is what was agreed to.
  writeFileSync(join(place, "a.yaml"), "version: 1\nmultihome:\n  ib: { links: [ib1, ib0] }\n");
  namespace.ip("rule add from 10.9.0.0/16 table 99");
  expect(more("apply", "--plan", saved)).toMatchObject({ status: 0 });
  expect(namespace.ip("route show table 7000")).toContain("dev ib0");

  writeFileSync(join(place, "a.yaml"), "version: 1\nmultihome:\n  ib: { links: [ib0, ib1], unbound: any }\n");
  expect(more("plan", "--out", saved).status).toBe(2);
  namespace.ip("rule del from 172.16.34.1 table 7000");
  const before = namespace.everything();
  const stale = more("apply", "--plan", saved);
  expect(stale.status).toBe(5);
  expect(stale.stderr).toContain("is out of date");
  expect(namespace.everything()).toBe(before);

  writeFileSync(saved, "{}");
  expect(more("apply", "--plan", saved)).toMatchObject({ status: 1 });
});

test("tables have names in ip rule, and numbers come back from them when the state is lost", () => {
  // The host's own /etc/iproute2 and /var/lib are covered up, for this shell alone.
  const inside = ["unshare", "--mount", "--", "sh", "-ec"];
  const script = `
    mount -t tmpfs tmpfs /etc/iproute2; mkdir -m 755 /etc/iproute2/rt_tables.d; mount -t tmpfs -o mode=755 tmpfs /var/lib
    h="${program} -f ${place}/a.yaml"
    $h apply >&2; ip rule
    rm -r /var/lib/heddle
    printf 'version: 1\\nmultihome:\\n  ib: { links: [ib1, ib0] }\\n' > ${place}/a.yaml
    $h apply >&2; ip rule
    $h remove >&2; ls /etc/iproute2/rt_tables.d`;
  const path = `--net=/proc/${process.pid}/fd/${namespace.fd}`;
  const { stdout, stderr, status } = spawnSync("nsenter", [path, "--", ...inside, script], { encoding: "utf8" });
  expect(status, stderr).toBe(0);
  // Twice alike: the links changed their order in the file, their numbers did not move.
  expect(stdout.split("from 172.16.34.1 lookup heddle-ib-ib0 proto 72")).toHaveLength(3);
  expect(stdout.split("from 172.16.34.2 lookup heddle-ib-ib1 proto 72")).toHaveLength(3);
  expect(stdout).toContain("lookup heddle-ib-unbound");
  expect(stdout).not.toContain("heddle.conf");
});
