// Owns the proof of `heddle export` as its users run it: what is shown, what is written, what is refused.
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ExportWorld, objectsOf } from "../../test/export-world.ts";

const LINKS = { ib0: ["172.16.34.1/16"], ib1: ["172.16.34.2/16"] };
const FILE = `version: 1
multihome:
  ib: { links: [ib0, ib1] }
static:
  s:
    nexthops: { a: { via: 172.16.0.8, link: ib0 }, g: { group: { a: 2 } } }
    routes: [{ to: 10.3.0.0/16, nexthop: g }]
`;

let world: ExportWorld;
beforeEach(async () => {
  world = await ExportWorld.open(FILE, LINKS);
});
afterEach(() => world[Symbol.asyncDispose]());

test("shows the files, or gives them as JSON, and leaves host and state alone", async () => {
  const before = await objectsOf(world.namespace);
  const shown = world.heddle("export", "--as", "iproute2");
  expect(shown).toMatchObject({ code: 0, err: "" });
  expect(shown.out).toContain("==> /usr/local/sbin/heddle-routes (mode 0755)\n#!/bin/sh\n# Made by heddle");
  const { files, diagnostics } = JSON.parse(world.heddle("--json", "export", "--as", "networkd").out) as {
    files: { path: string; mode: number; text: string }[];
    diagnostics: { code: string }[];
  };
  expect(files.map(({ path }) => path)).toContain("/etc/systemd/network/70-heddle-ib0.network");
  expect(diagnostics.map(({ code }) => code)).toEqual(["export-whole-link", "export-whole-link"]);
  expect(await objectsOf(world.namespace)).toEqual(before);
  expect(world.stage.run("ls", "/var/lib/heddle").code).not.toBe(0);
  expect(world.heddle("export").code).toBe(64);
  expect(world.heddle("export", "--as", "wicked").code).toBe(64);
});

test("where an export is in force, the next one is the same to the letter", () => {
  const directory = world.exportAs("iproute2");
  const path = join(directory, "usr/local/sbin/heddle-routes");
  const first = readFileSync(path, "utf8");
  expect(first).toContain("nexthop replace id 7001 group 7000,2");
  world.stage.install(directory);
  world.stage.must(path);
  world.exportAs("iproute2");
  expect(readFileSync(path, "utf8")).toBe(first);
});

test("files of others are not replaced unless it is asked for, and then whole, with their modes", () => {
  writeFileSync(join(world.stage.place, "heddle.yaml"), "version: 1\nmultihome: { ib: { links: [ib0, ib1] } }\n");
  const file = ["-f", join(world.stage.place, "heddle.yaml")];
  const directory = join(world.stage.place, "exported");
  const words = [...file, "export", "--as", "networkmanager", "-o", directory];
  expect(world.heddle(...words).code).toBe(0);
  const path = join(directory, "etc/sysctl.d/90-heddle.conf");
  const profile = join(directory, "etc/NetworkManager/system-connections/heddle-ib0.nmconnection");
  expect((statSync(profile).mode & 0o777).toString(8)).toBe("600");
  writeFileSync(path, "# ours\n");
  writeFileSync(profile, readFileSync(profile, "utf8").replace("ib0", "ib7"));
  const edited = readFileSync(profile, "utf8");
  const refused = world.heddle(...words);
  expect(refused.code).toBe(1);
  expect(refused.err).toContain(`${path} is there already, and not from an export`);
  expect(readFileSync(profile, "utf8")).toBe(edited);
  expect(world.heddle(...words, "--force").code).toBe(0);
  expect(readFileSync(path, "utf8")).toContain("Made by heddle");
  expect(readFileSync(profile, "utf8")).not.toBe(edited);
});

test("what waits for a link is said, and the exit code tells", () => {
  writeFileSync(join(world.stage.place, "later.yaml"), "version: 1\nmultihome: { ib: { links: [ib0, ib9] } }\n");
  const { code, err } = world.heddle("-f", join(world.stage.place, "later.yaml"), "export", "--as", "networkd");
  expect(code).toBe(3);
  expect(err).toContain("ib9");
});
