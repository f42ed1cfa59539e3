// Owns the proof of `heddle install` and `uninstall`: what is placed and taken away, and that systemd takes the units.
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ExportWorld } from "../../test/export-world.ts";

const FILE = "version: 1\nmultihome: { ib: { links: [ib0, ib1] } }\n";
const UNITS = "/etc/systemd/system";

let world: ExportWorld;
let image = "";
beforeEach(async () => {
  world = await ExportWorld.open(FILE, { ib0: ["172.16.34.1/16"], ib1: ["172.16.34.2/16"] });
  image = join(world.stage.place, "image");
  mkdirSync(image);
});
afterEach(() => world[Symbol.asyncDispose]());

const install = (...words: string[]) => world.heddle("install", "--root", image, "--program", "/opt/heddle", ...words);
const uninstall = (...words: string[]) => world.heddle("uninstall", "--root", image, ...words);
const listing = (): string => execFileSync("find", [image, "-mindepth", "1"], { encoding: "utf8" });
const read = (path: string): string => readFileSync(join(image, path), "utf8");

test("an image gets units and their links, and loses all of it again", () => {
  expect(install("--dry-run")).toMatchObject({ code: 2 });
  expect(listing()).toBe("");
  expect(install("--cpus", "0,1", "--memory", "64M").code).toBe(0);
  expect(read(`${UNITS}/heddle-agent.service`)).toContain("\nExecStart=/opt/heddle agent\n");
  expect(read(`${UNITS}/heddle-agent.service.d/50-limits.conf`)).toContain("CPUAffinity=0 1\nMemoryMax=64M\n");
  expect(readlinkSync(join(image, UNITS, "multi-user.target.wants/heddle-boot.service"))).toBe(
    `${UNITS}/heddle-boot.service`,
  );
  expect(install("--cpus", "0,1", "--memory", "64M", "--dry-run")).toMatchObject({ code: 0 });

  // Another choice takes the place of the first one.
  expect(install("--one-shot", "--gateway", "--bridge").code).toBe(0);
  expect(listing()).not.toContain("heddle-agent");
  expect(read(`${UNITS}/heddle-gateway.service`)).toContain("\nExecStart=/opt/heddle gateway run\n");
  expect(read(`${UNITS}/heddle-bridge.service`)).toContain("\nExecStart=/opt/heddle bridge run --spare\n");
  expect(install("--one-shot").code).toBe(0);
  expect(listing()).not.toMatch(/heddle-gateway|heddle-bridge/);
  expect(uninstall("--dry-run").code).toBe(2);
  expect(uninstall().code).toBe(0);
  expect(listing()).toBe("");
  expect(uninstall()).toMatchObject({ code: 0, out: "Nothing to do.\n" });
});

test("a file with a gateway that stands in for others has its process installed", () => {
  mkdirSync(join(image, "etc/heddle"), { recursive: true });
  const file = (failover: string): void =>
    writeFileSync(
      join(image, "etc/heddle/heddle.yaml"),
      `version: 1\ngateway: { a: { inside: ib0, outside: eth9, nat: { to: 192.0.2.4 }${failover} } }\n`,
    );
  file("");
  expect(install().code).toBe(0);
  expect(listing()).not.toContain("heddle-gateway");
  const nodes = "[{ inside: 10.20.3.1, outside: 192.0.2.1 }, { inside: 10.20.3.2, outside: 192.0.2.2 }]";
  file(`, failover: { address: 10.20.3.9/16, id: 1, nodes: ${nodes} }`);
  expect(install().code).toBe(0);
  expect(listing()).toContain("multi-user.target.wants/heddle-gateway.service");
});

test("what somebody edited, or had there before, is kept and said", () => {
  install();
  const unit = join(image, UNITS, "heddle-boot.service");
  writeFileSync(unit, "# mine\n");
  const again = install();
  expect(again.code).toBe(1);
  expect(again.err).toContain(`${UNITS}/heddle-boot.service was changed since heddle placed it`);
  const gone = uninstall();
  expect(gone.code).toBe(0);
  expect(gone.err).toContain("heddle-boot.service was changed since heddle placed it, and stays");
  expect(
    listing()
      .split("\n")
      .filter((path) => path !== "" && lstatSync(path).isFile()),
  ).toEqual([unit]);
  const other = install();
  expect(other.code).toBe(1);
  expect(other.err).toContain("is there already, and not heddle's");
  expect(readFileSync(unit, "utf8")).toBe("# mine\n");
  expect(install("--force").code).toBe(0);
  expect(read(`${UNITS}/heddle-boot.service`)).toContain("apply --boot");
});

test("an image whose /etc leads out of it is refused, and nothing outside is touched", () => {
  const outside = join(world.stage.place, "outside");
  mkdirSync(join(outside, "systemd/system"), { recursive: true });
  symlinkSync(outside, join(image, "etc"));
  const { code, err } = install();
  expect(code).toBe(1);
  expect(err).toContain("leads out of");
  expect(execFileSync("find", [outside, "-type", "f"], { encoding: "utf8" })).toBe("");
});

test("a program that no unit sees is told", () => {
  const { code, err } = world.heddle("install", "--root", image, "--dry-run", "--program", "/tmp/heddle/bin/heddle");
  expect(code).toBe(2);
  expect(err).toContain("no unit could run /tmp/heddle/bin/heddle");
  expect(install("--dry-run").err).not.toContain("no unit");
});

test.each([
  [["--cpus", "3-1"], "is no list of CPUs"],
  [["--memory", "1M"], "is no size"],
  [["--one-shot", "--cpus", "0"], "--one-shot has none"],
  [["--program", "heddle"], "is no absolute path"],
])("%j is a wrong command line", (words, said) => {
  const { code, err } = world.heddle("install", "--root", image, ...words);
  expect({ code, said: err.includes(said) }, err).toEqual({ code: 64, said: true });
});

test("the real systemd takes the units, and would not take broken ones", () => {
  const { stage } = world;
  expect(world.heddle("install", "--gateway", "--bridge", "--cpus", "0-1", "--memory", "64M").code).toBe(0);
  const verify = () =>
    stage.run(
      "systemd-analyze",
      "verify",
      "--recursive-errors=yes",
      `${UNITS}/heddle-agent.service`,
      `${UNITS}/heddle-boot.service`,
      `${UNITS}/heddle-gateway.service`,
      `${UNITS}/heddle-bridge.service`,
      `${UNITS}/heddle-routing.target`,
    );
  expect(verify()).toEqual({ code: 0, out: "", err: "" });
  // What is read is what is meant, to the last value.
  const security = JSON.parse(
    stage.must("systemd-analyze", "security", "--offline=true", "--json=short", "heddle-agent.service"),
  ) as { json_field: string; set: boolean | null }[];
  const isSet = (field: string) => security.find(({ json_field }) => json_field === field)?.set;
  expect(isSet("CapabilityBoundingSet_CAP_SYS_PTRACE")).toBe(true);
  expect(isSet("CapabilityBoundingSet_CAP_NET_ADMIN")).toBe(false);
  expect(isSet("ProtectSystem")).toBe(true);
  stage.must(
    "sed",
    "-i",
    "s/^WatchdogSec=30/WatchdogSec=soon/; s/^Type=notify/Type=notified/",
    `${UNITS}/heddle-agent.service`,
  );
  expect(verify().err).toContain("heddle-agent.service");
});

test("one-shot says which manager has which link, and what nothing tells", () => {
  const { code, out, err } = world.heddle("install", "--one-shot");
  expect(code).toBe(0);
  expect(out).toContain("ib0: no network manager\nib1: no network manager\n");
  expect(err).toContain("nothing tells heddle when ib0, ib1 comes up");
  const { managers } = JSON.parse(world.heddle("--json", "install", "--one-shot", "--dry-run").out) as {
    managers: unknown;
  };
  expect(managers).toEqual([
    { link: "ib0", manager: null },
    { link: "ib1", manager: null },
  ]);
});
