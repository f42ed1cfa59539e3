// Owns the proof of what is read from bytes that only some hosts have: IPoIB's mode, nft's JSON, rules with odd masks.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { listChains, parseChains } from "./chains.ts";
import { ipoibMode, pictureRule } from "./objects.ts";

describe("IPoIB's mode", () => {
  // IFLA_IPOIB_PKEY 0x8001, IFLA_IPOIB_MODE, IFLA_IPOIB_UMCAST 1: six bytes each, padded to eight.
  const attributes = (mode: number): Uint8Array =>
    Uint8Array.of(6, 0, 1, 0, 0x01, 0x80, 0, 0, 6, 0, 2, 0, mode, 0, 0, 0, 6, 0, 3, 0, 1, 0, 0, 0);

  test("is found among the attributes", () => {
    expect([0, 1, 2].map((mode) => ipoibMode(attributes(mode)))).toEqual(["datagram", "connected", undefined]);
  });

  test("of attributes that are cut off, or that loop, is not known", () => {
    for (let end = 0; end < 14; end++) expect(ipoibMode(attributes(1).subarray(0, end))).toBeUndefined();
    expect(ipoibMode(Uint8Array.of(0, 0, 1, 0, 0, 0))).toBeUndefined();
  });
});

describe("a rule", () => {
  const rule = { family: 4, action: "table", table: 5, flags: 0, priority: 9 } as const;
  const ports = { first: 80, last: 80 };

  test("that asks for what a picture has no word for is marked", () => {
    expect(pictureRule({ ...rule, sourcePorts: ports, sourcePortMask: 0xfff0 })).toMatchObject({ partial: true });
    expect(pictureRule({ ...rule, dscp: 4, dscpMask: 0x3c })).toMatchObject({ partial: true });
    expect(pictureRule({ ...rule, flowLabel: 1 })).toMatchObject({ partial: true });
  });

  test("with masks of all bits is not", () => {
    const whole = pictureRule({ ...rule, sourcePorts: ports, sourcePortMask: 0xffff, dscp: 4, dscpMask: 0x3f });
    expect(whole).not.toHaveProperty("partial");
  });
});

describe("nft", () => {
  test("tells of chains at hooks, and of the rules in them that may accept", () => {
    const chain = { family: "inet", table: "t", name: "forward", type: "filter", hook: "forward", prio: 0 };
    const rule = { family: "inet", table: "t", chain: "forward" };
    const text = JSON.stringify({
      nftables: [
        { metainfo: { version: "1.0.6" } },
        { chain: { ...chain, policy: "drop" } },
        { chain: { family: "inet", table: "t", name: "plain" } },
        { rule: { ...rule, expr: [{ match: {} }, { accept: null }] } },
        { rule: { ...rule, expr: [{ jump: { target: "plain" } }] } },
        { rule: { ...rule, comment: "of mine", expr: [{ counter: { packets: 7, bytes: 700 } }, { drop: null }] } },
        { counter: { family: "inet", table: "t", name: "c", packets: 3, bytes: 9 } },
        { set: { family: "inet", table: "t", name: "s", elem: [{ elem: { val: "10.0.0.1", expires: 7 } }] } },
      ],
    });
    const expected = { family: "inet", table: "t", name: "forward", hook: "forward", policy: "drop", accepting: 2 };
    const seen = parseChains(text);
    expect(seen).toMatchObject({ chains: [expected] });
    // What changes by itself, and what anybody may have written there, is not kept.
    expect("ruleset" in seen && seen.ruleset?.slice(-2)).toEqual([
      { rule: { ...rule, expr: [{ counter: null }, { drop: null }] } },
      { set: { family: "inet", table: "t", name: "s", elem: [{ elem: { val: "10.0.0.1" } }] } },
    ]);
  });

  test("that answers with anything else is not believed", () => {
    for (const text of ["", "{", "null", "[]", '{"nftables":{}}']) expect(parseChains(text)).toHaveProperty("why");
  });

  test("that is not there, fails, or does not end is told", async () => {
    expect(await listChains([])).toEqual({ why: "The program nft is not installed." });
    const place = mkdtempSync(join(tmpdir(), "heddle-nft-"));
    const program = (name: string, text: string): string => {
      writeFileSync(join(place, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
      return join(place, name);
    };
    const refused = program("a", "echo 'Operation not permitted (you must be root)' >&2; exit 1");
    expect(await listChains([refused])).toEqual({ why: "Only root may list nftables." });
    const stuck = program("b", "exec sleep 60");
    expect(await listChains([stuck])).toEqual({ why: "nft took more than 3000 ms, or said too much." });
    rmSync(place, { recursive: true });
  });
});
