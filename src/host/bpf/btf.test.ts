// Proves that the description of types is read as the compiler means it, and that broken ones are refused.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { holds } from "../netlink/testing/seeds.ts";
import { Btf, MalformedBtf } from "./btf.ts";

/** In the order of `offsets` in testing/types.c. */
const PATHS = [
  "outer.first",
  "outer.plain",
  "outer.plain.number",
  "outer.aliased.number",
  "outer.choice",
  "outer.deep",
  "outer.deeper.number",
  "outer.pointer",
  "outer.several",
  "outer.colour",
  "outer.real",
  "outer.function",
  "outer.last",
  "either.outer.last",
];

let description: Buffer;
let offsets: number[];

beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-btf-"));
  const object = join(folder, "types.o");
  const source = fileURLToPath(new URL("testing/types.c", import.meta.url));
  execFileSync("clang", ["-target", "bpf", "-O2", "-g", "-c", source, "-o", object]);
  const file = readFileSync(object);
  rmSync(folder, { recursive: true });
  const at = file.indexOf(Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0]));
  const word = (offset: number): number => file.readUInt32LE(at + offset);
  description = file.subarray(at, at + 24 + word(16) + word(20));
  offsets = sectionOf(file, "expected");
});
afterAll(() => {
  description = Buffer.alloc(0);
});

/** The numbers of 64 bits in a section. */
function sectionOf(file: Buffer, name: string): number[] {
  const [table, count, names] = [Number(file.readBigUInt64LE(40)), file.readUInt16LE(60), file.readUInt16LE(62)];
  const strings = Number(file.readBigUInt64LE(table + 64 * names + 24));
  for (let at = table; at < table + 64 * count; at += 64) {
    const text = strings + file.readUInt32LE(at);
    if (file.toString("latin1", text, file.indexOf(0, text)) !== name) continue;
    const [start, size] = [Number(file.readBigUInt64LE(at + 24)), Number(file.readBigUInt64LE(at + 32))];
    return Array.from({ length: size / 8 }, (_, i) => Number(file.readBigUInt64LE(start + 8 * i)));
  }
  throw new Error(`no section ${name}`);
}

describe("offsets of members", () => {
  test("are the compiler's own", () => {
    const btf = new Btf(description);
    expect(PATHS.map((path) => btf.offsetOf(path))).toEqual(offsets);
    expect(new Set(offsets).size).toBeGreaterThan(8);
  });

  test("are not known where there is no such member, or it is a bit field", () => {
    const btf = new Btf(description);
    const unknown = ["outer.nobody", "nobody.first", "outer", "outer.plain.nobody", "outer.first.letter", "", "."];
    for (const path of [...unknown, "outer.flag", "outer.other", "outer.pointer.number", "colour.RED"]) {
      expect([path, btf.offsetOf(path)]).toEqual([path, undefined]);
    }
  });

  test("of the running kernel are there", () => {
    const btf = new Btf(readFileSync("/sys/kernel/btf/vmlinux"));
    expect(btf.offsetOf("task_struct.cred")).toBeGreaterThan(0);
    expect(btf.offsetOf("sock.__sk_common.skc_family")).toBe(16);
    expect(btf.valueOf("cgroup_subsys_id", "cpuset_cgrp_id")).toBe(0);
  });
});

test("enumerators have their values", () => {
  const btf = new Btf(description);
  expect([...btf.enumerators("colour")]).toEqual([
    ["RED", 3],
    ["GREEN", -7],
    ["BLUE", 70000],
  ]);
  expect(btf.valueOf("colour", "PINK")).toBeUndefined();
  expect(btf.enumerators("outer").size).toBe(0);
});

describe("broken descriptions", () => {
  const withWord = (at: number, value: number): Buffer => {
    const copy = Buffer.from(description);
    copy.writeUInt32LE(value, at);
    return copy;
  };
  test.each<[string, () => Uint8Array, RegExp]>([
    ["nothing", () => new Uint8Array(), /not BTF/],
    ["text", () => Buffer.from("a".repeat(100)), /not BTF/],
    ["types that end outside", () => withWord(12, 1 << 30), /not whole/],
    ["texts that end outside", () => withWord(20, 1 << 30), /not whole/],
    ["half a type", () => withWord(12, description.readUInt32LE(12) - 4), /not whole/],
    ["a type of no known kind", () => withWord(28, 0x1f000000), /unknown kind 31/],
  ])("%s: refused", (_, bytes, words) => {
    expect(() => new Btf(bytes())).toThrow(MalformedBtf);
    expect(() => new Btf(bytes())).toThrow(words);
  });

  test("damaged anywhere are read or refused, in an end", () => {
    const damage = fc.array(fc.tuple(fc.nat(4096), fc.nat(255)), { minLength: 1, maxLength: 20 });
    holds(
      fc.property(damage, fc.boolean(), (bytes, cut) => {
        const copy = Buffer.from(description);
        for (const [at, value] of bytes) copy[at % copy.length] = value;
        try {
          const btf = new Btf(cut ? copy.subarray(0, (bytes[0]?.[0] ?? 0) % copy.length) : copy);
          for (const path of PATHS) btf.offsetOf(path);
          btf.enumerators("colour");
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBtf);
        }
      }),
      2000,
    );
  });
});
