// Owns the proof of the driver's promises to others: their tables stay, a swap leaves no gap, nft is asked only when
// there is something to ask.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Applier, linesOf, marking, nftTable, refusedObjects } from "../../../test/nft-objects.ts";
import { create, remove, replace } from "../../../test/contract-steps.ts";
import { TestNamespace } from "../../../test/namespace.ts";
import type { NftObject } from "../../model/nft.ts";
import type { NftTableDriver } from "./driver.ts";
import { nftTableDriver } from "./driver.ts";
import type { Host } from "../host.ts";
import { openHost } from "../kernel.ts";
import { OWN_NAMESPACE } from "../native.ts";
import { refuseOnHost } from "../netlink/testing/test-namespace.ts";

const KEY = "nftTable inet heddle-egress-a";

let namespace: TestNamespace;
let host: Host;
let driver: NftTableDriver;

beforeEach(() => {
  namespace = new TestNamespace();
  host = openHost(namespace.fd);
  driver = nftTableDriver(namespace.fd);
});

afterEach(() => {
  driver.close();
  host.close();
  namespace[Symbol.dispose]();
});

const nft = (...words: string[]): string => namespace.run("nft", ...words);

describe("others' tables", () => {
  test("stay byte for byte through apply, drift and remove, one of heddle's own name included", async () => {
    nft("add table inet heddle-egress-a { chain c { type filter hook input priority 0 ; counter ; } ; }");
    nft("add table ip nat { chain post { type nat hook postrouting priority 100 ; } ; }");
    nft("add table inet heddle { set s { type ipv4_addr ; elements = { 10.0.0.1 } ; } ; }");
    nft("add table bridge heddle-egress-b { chain c { } ; }");
    const theirs = nft("-a", "list", "ruleset");
    const applier = new Applier(host);
    const free = nftTable({ name: "heddle-egress-b" });
    expect(linesOf(await applier.plan(nftTable(), free))).toEqual([
      `new nftTable inet heddle-egress-b`,
      `foreign ${KEY}`,
    ]);
    await applier.apply(nftTable(), free);
    expect(nft("list", "tables")).toContain("table inet heddle-egress-b");
    await applier.apply(nftTable(), nftTable({ name: "heddle-egress-b", objects: marking(7) }));
    await applier.apply();
    expect(nft("-a", "list", "ruleset")).toBe(theirs);
  });

  test("a table that took the place of ours since the look is neither swapped nor taken away", async () => {
    await driver.perform([create("nftTable", nftTable())], []);
    nft("delete table inet heddle-egress-a; add table inet heddle-egress-a { chain theirs { } ; }");
    const theirs = nft("-a", "list", "ruleset");
    const results = await driver.perform(
      [replace("nftTable", nftTable(), nftTable({ objects: [] })), remove("nftTable", nftTable())],
      [],
    );
    expect(results.map(({ error }) => error?.code)).toEqual(["ENOENT", undefined]);
    expect(nft("-a", "list", "ruleset")).toBe(theirs);
  });

  test("a change between a swap and its listing is not taken for ours", async () => {
    // An nft that somebody follows closely: whenever a table is made, a chain is put into it before the next look.
    const directory = mkdtempSync(join(tmpdir(), "heddle-"));
    const real = execFileSync("sh", ["-c", "PATH=$PATH:/usr/sbin:/sbin command -v nft"], { encoding: "utf8" }).trim();
    const stranger = `${real} add chain inet heddle-egress-a stranger`;
    const script = `#!/bin/sh\n${real} "$@" || exit\ncase "$*" in *create*) ${stranger};; esac\n`;
    writeFileSync(join(directory, "nft"), script, { mode: 0o755 });
    const followed = nftTableDriver(namespace.fd, [directory, ...(process.env["PATH"] ?? "").split(":")]);
    try {
      const [result] = await followed.perform([create("nftTable", nftTable())], []);
      expect(result).not.toHaveProperty("error");
      expect(nft("list", "ruleset")).toContain("stranger");
      expect(result).not.toHaveProperty("made");
    } finally {
      followed.close();
      rmSync(directory, { recursive: true });
    }
  });
});

describe("a refusal", () => {
  test("leaves the old table whole, and names what is to blame, whether nft finds it or the kernel", async () => {
    await driver.perform([create("nftTable", nftTable())], []);
    const before = nft("-a", "list", "ruleset");
    // The kernel's own answer: masquerading belongs into a nat chain.
    const expr = [{ masquerade: null }];
    const byKernel: NftObject[] = [...marking(1), { rule: { chain: "output", expr } }, ...marking(2).slice(1)];
    const byNft: NftObject[] = [...marking(1), { rule: { chain: "output", expr: [{ nonsense: 1 }] } }];
    const attempts = [byKernel, byNft, refusedObjects()].map((objects) =>
      replace("nftTable", nftTable(), nftTable({ objects })),
    );
    const results = await driver.perform(attempts, []);
    expect(nft("-a", "list", "ruleset")).toBe(before);
    expect(results.map(({ error }) => error?.message)).toEqual([
      expect.stringMatching(
        /^nftTable inet heddle-egress-a: E\w+ \(Could not process rule: .*, in \{"rule":.*masquerade/,
      ),
      expect.stringMatching(/EINVAL \(Unknown statement object 'nonsense', in \{"rule":.*nonsense/),
      expect.stringMatching(/ENOENT \(.*, in \{"rule":.*"chain":"missing"/),
    ]);
  });

  test("takes a whole apply back, to the table that was there", async () => {
    const applier = new Applier(host);
    await applier.apply(nftTable());
    const before = nft("-s", "list", "ruleset");
    const applied = await applier.apply(
      nftTable({ objects: marking(9) }),
      nftTable({ name: "heddle-egress-b", objects: refusedObjects() }),
    );
    expect([applied.failed.length, applied.notUndone]).toEqual([1, []]);
    expect(nft("-s", "list", "ruleset")).toBe(before);
    expect(linesOf(await applier.plan(nftTable()))).toEqual([]);
  });
});

test("a swap leaves no moment without the table: every packet of a stream is marked", async () => {
  await driver.perform([create("nftTable", nftTable())], []);
  nft(
    "add table inet judge { chain out { type filter hook output priority 0 ; udp dport 9 meta mark 0 counter ; " +
      "udp dport 9 meta mark != 0 counter ; } ; }",
  );
  const stream = spawn(
    "nsenter",
    [`--net=/proc/${process.pid}/fd/${namespace.fd}`, "--", process.execPath, "-e", STREAM],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(stream.stdout, "data");
  let before = nftTable();
  for (let i = 0; i < 60; i++) {
    const after = nftTable({ objects: marking(0x100 + i) });
    const [result] = await driver.perform([replace("nftTable", before, after)], []);
    expect(result?.error).toBeUndefined();
    before = after;
  }
  stream.kill("SIGKILL");
  await once(stream, "exit");
  const [unmarked, marked] = [...nft("list table inet judge").matchAll(/packets (\d+)/g)].map(([, n]) => Number(n));
  expect(marked).toBeGreaterThan(1000);
  expect(unmarked).toBe(0);
});

/** Sends datagrams to the discard port as fast as it can. */
const STREAM = `
  const socket = require("node:dgram").createSocket("udp4");
  const send = () => socket.send("x", 9, "127.0.0.1", () => setImmediate(send));
  socket.bind(0, () => { for (let i = 0; i < 8; i++) send(); console.log("on"); });
`;

test("a set of 8,500 elements goes through, and leaves no file behind", async () => {
  // More bytes than the kernel takes as one argument, in a transaction that a user namespace's socket takes.
  const elem = Array.from({ length: 8_500 }, (_, i) => ({ elem: { val: `10.0.${i >> 8}.${i & 255}` } }));
  const wanted = nftTable({ objects: [{ set: { name: "many", type: "ipv4_addr", elem } }] });
  const before = readdirSync(tmpdir());
  const [result] = await driver.perform([create("nftTable", wanted)], []);
  expect(result?.error).toBeUndefined();
  expect(JSON.stringify(result?.made)).toContain('"10.0.33.51"');
  expect(readdirSync(tmpdir()).filter((name) => name.startsWith("heddle-nft-") && !before.includes(name))).toEqual([]);
});

test("what packets have put into a set is not listed, however much it is; what was asked for is", async () => {
  const directory = mkdtempSync(join(tmpdir(), "heddle-"));
  const real = execFileSync("sh", ["-c", "PATH=$PATH:/usr/sbin:/sbin command -v nft"], { encoding: "utf8" }).trim();
  const weigher = `#!/bin/sh\n${real} "$@" > ${directory}/said; code=$?; wc -c < ${directory}/said >> ${directory}/bytes\ncat ${directory}/said; exit $code\n`;
  writeFileSync(join(directory, "nft"), weigher, { mode: 0o755 });
  const weighed = nftTableDriver(namespace.fd, [directory, ...(process.env["PATH"] ?? "").split(":")]);
  const largest = (): number =>
    Math.max(...readFileSync(join(directory, "bytes"), "utf8").trim().split("\n").map(Number));
  const elem = { payload: { protocol: "ip", field: "daddr" } };
  const filled: NftObject[] = [
    { set: { name: "seen", type: "ipv4_addr", flags: ["timeout"], size: 65_536, timeout: 1200 } },
    { chain: { name: "output", type: "filter", hook: "output", prio: 0 } },
    { rule: { chain: "output", expr: [{ set: { op: "update", elem, set: "@seen" } }] } },
  ];
  const asked: NftObject = { set: { name: "asked", type: "ipv4_addr", elem: ["192.0.2.1", "192.0.2.2"] } };
  try {
    await driver.perform([create("nftTable", nftTable({ objects: filled }))], []);
    const elements = Array.from({ length: 2000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`).join(", ");
    nft(`add element inet heddle-egress-a seen { ${elements} }`);
    const [listed] = await weighed.list([], { sysctls: [] });
    expect(listed?.spec.objects).toContainEqual(expect.objectContaining({ set: expect.anything() as unknown }));
    expect(largest()).toBeLessThan(4000);
    await driver.perform([replace("nftTable", nftTable(), nftTable({ objects: [...filled, asked] }))], []);
    const [both] = await weighed.list([], { sysctls: [] });
    expect(JSON.stringify(both?.spec)).toContain("192.0.2.2");
  } finally {
    weighed.close();
    rmSync(directory, { recursive: true });
  }
});

test("the process's own namespace is reached directly", async () => {
  refuseOnHost();
  const own = nftTableDriver(OWN_NAMESPACE);
  try {
    const spec = nftTable({ name: "heddle-test-own" });
    const [made] = await own.perform([create("nftTable", spec)], []);
    expect(made?.error).toBeUndefined();
    expect(execFileSync("nft", ["list", "tables"], { encoding: "utf8" })).toContain("heddle-test-own");
    expect((await own.list([], { sysctls: [] })).map(({ key }) => key)).toEqual(["nftTable inet heddle-test-own"]);
    expect(nft("list", "tables")).toBe("");
    const [gone] = await own.perform([remove("nftTable", spec)], []);
    expect(gone?.error).toBeUndefined();
    expect(await own.list([], { sysctls: [] })).toEqual([]);
  } finally {
    own.close();
  }
});

describe("nft", () => {
  test("is not started while none of heddle's tables is there, and its absence is told where it is needed", async () => {
    const empty = mkdtempSync(join(tmpdir(), "heddle-"));
    const without = nftTableDriver(namespace.fd, [empty]);
    try {
      nft("add table inet theirs { chain c { } ; }");
      expect(await without.list([], { sysctls: [], nftTables: true })).toEqual([]);
      expect([await without.canMake(), await driver.canMake()]).toEqual([false, true]);
      const [result] = await without.perform([create("nftTable", nftTable())], []);
      expect(result?.error?.message).toMatch(/^nftables: ENOENT \(the program `nft` is missing; .*package nftables\)$/);
      await driver.perform([create("nftTable", nftTable())], []);
      await expect(without.list([], { sysctls: [] })).rejects.toThrow("install the package nftables");
    } finally {
      without.close();
      rmSync(empty, { recursive: true });
    }
    expect(existsSync(empty)).toBe(false);
  });

  test("who may not look sees no tables while none are expected, and is told so where some are", () => {
    const look = (expected: boolean): string => {
      const script = `
        import { nftTableDriver } from ${JSON.stringify(join(import.meta.dirname, "driver.ts"))};
        const driver = nftTableDriver(-1);
        try { console.log((await driver.list([], { sysctls: [], nftTables: ${expected} })).length); }
        catch (error) { console.log(error.code); }
        driver.close();
      `;
      const argv = ["--bounding-set=-all", process.execPath, "--input-type=module", "-e", script];
      return execFileSync("setpriv", argv, { encoding: "utf8" }).trim();
    };
    expect([look(false), look(true)]).toEqual(["0", "EPERM"]);
  });

  test("that is stopped says so", async () => {
    const reason = new Error("enough");
    await expect(driver.list([], { sysctls: [] }, AbortSignal.abort(reason))).rejects.toBe(reason);
    await driver.perform([create("nftTable", nftTable())], []);
    await expect(driver.list([], { sysctls: [] }, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
