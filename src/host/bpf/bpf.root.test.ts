// Proves the calls to bpf(2) themselves: maps filled and read in both ways, programs verified and refused, and that wrong
// arguments do no harm to the process, whatever the kernel would write.
import { closeSync, readdirSync } from "node:fs";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { HostError } from "../error.ts";
import { addon, OWN_NAMESPACE } from "../native.ts";
import { holds } from "../netlink/testing/seeds.ts";
import { Attributes, COMMAND, tryCall } from "./call.ts";
import type { BpfObject, ProgramCode } from "./elf.ts";
import { openPrograms, testRun } from "./load.ts";
import { BpfMap, MAP_FLAG, MAP_TYPE, possibleCpus } from "./map.ts";
import type { MapEntry } from "./map.ts";

const key = (...values: number[]): Uint8Array => new Uint8Array(new Uint32Array(values).buffer);
const text = ({ key, value }: MapEntry): string => `${key.join(".")}=${value.join(".")}`;
const descriptors = (): number => readdirSync("/proc/self/fd").length;

const native = addon() as { -readonly [K in keyof ReturnType<typeof addon>]: ReturnType<typeof addon>[K] };
const real = native.bpf;
let before = 0;

beforeEach(() => {
  before = descriptors();
});
afterEach(() => {
  native.bpf = real;
  expect(descriptors()).toBe(before);
});

/** Makes the kernel one without batches. */
function withoutBatches(errno: number): void {
  native.bpf = (namespace, command, ...rest) =>
    command >= 24 && command <= 27 ? -errno : real(namespace, command, ...rest);
}

describe("maps", () => {
  const shapes = {
    hash: { type: MAP_TYPE.hash, keySize: 4, valueSize: 12, entries: 9000, flags: 0 },
    trie: { type: MAP_TYPE.lpmTrie, keySize: 8, valueSize: 4, entries: 9000, flags: MAP_FLAG.noPreallocation },
    array: { type: MAP_TYPE.array, keySize: 4, valueSize: 8, entries: 9000, flags: 0 },
  };
  const keyOf = {
    hash: (i: number) => key(i * 7919),
    trie: (i: number) => key(32, i * 7919),
    array: (i: number) => key(i),
  };

  test.each(["hash", "trie", "array"] as const)(
    "%s: many entries go in and come out, with batches and without",
    (kind) => {
      using map = BpfMap.create(`test_${kind}`, shapes[kind]);
      const { entries: count, valueSize } = shapes[kind];
      const entries = Array.from({ length: count }, (_, i) => ({
        key: keyOf[kind](i),
        value: new Uint8Array(valueSize).fill(i % 251),
      }));
      map.updateAll(entries);
      const wanted = entries.map(text).sort();
      expect(map.readAll().map(text).sort()).toEqual(wanted);
      for (const errno of [22, 524]) {
        withoutBatches(errno);
        expect(map.readAll().map(text).sort()).toEqual(wanted);
        using other = BpfMap.create("test_other", shapes[kind]);
        other.updateAll(entries);
        expect(other.readAll()).toHaveLength(count);
      }
    },
  );

  test("of a value for each CPU hold those", () => {
    using map = BpfMap.create("test_cpus", {
      type: MAP_TYPE.perCpuArray,
      keySize: 4,
      valueSize: 12,
      entries: 3,
      flags: 0,
    });
    const value = new Uint8Array(16 * possibleCpus()).map((_, i) => (i % 16 < 12 ? i : 0));
    map.update(key(1), value);
    expect(map.lookup(key(1))).toEqual(value);
    expect(map.readAll().map(({ value }) => value.length)).toEqual([value.length, value.length, value.length]);
  });

  test("say what is not there, full or frozen", () => {
    using map = BpfMap.create("test_hash", { ...shapes.hash, entries: 2 });
    expect(map.lookup(key(1))).toBeUndefined();
    map.delete(key(1));
    map.update(key(1), new Uint8Array(12).fill(1));
    map.update(key(2), new Uint8Array(12).fill(2));
    expect(() => map.update(key(3), new Uint8Array(12))).toThrow("BPF map test_hash: E2BIG");
    expect(() => map.update(key(3), new Uint8Array(11))).toThrow(RangeError);
    expect(() => map.lookup(key(3, 4))).toThrow(RangeError);
    map.delete(key(1));
    expect(map.readAll().map(({ value }) => value[0])).toEqual([2]);
    map.freeze();
    expect(() => map.update(key(2), new Uint8Array(12))).toThrow("BPF map test_hash: EPERM");
    expect(() => BpfMap.create("test_bad", { ...shapes.hash, keySize: 0 })).toThrow(/BPF map test_bad .*EINVAL/);
    expect(BpfMap.open(0xfffffff0)).toBeUndefined();
  });
});

describe("programs", () => {
  /** Instructions of eight bytes: code, registers, offset, number. */
  const code = (...instructions: readonly [number, number, number, number][]): ProgramCode => {
    const bytes = new Uint8Array(8 * instructions.length);
    const view = new DataView(bytes.buffer);
    for (const [i, [code, registers, offset, number]] of instructions.entries()) {
      bytes.set([code, registers], 8 * i);
      view.setInt16(8 * i + 2, offset, true);
      view.setInt32(8 * i + 4, number, true);
    }
    return { section: "tcx/egress", name: "test", instructions: bytes, references: [] };
  };
  const object = (program: ProgramCode): BpfObject => ({
    license: "Dual BSD/GPL",
    programs: [program],
    maps: new Map(),
    constants: { bytes: new Uint8Array(), places: new Map() },
  });
  const EXIT: [number, number, number, number] = [0x95, 0, 0, 0];

  test("run, and tell what they answer and how long they took", () => {
    // r0 = 7
    using loaded = openPrograms(object(code([0xb7, 0, 0, 7], EXIT)));
    const program = loaded.programs.get("tcx/egress");
    if (!program) throw new Error("no program");
    const { answer, ns, output } = testRun(program, new Uint8Array(64), 1000);
    expect(answer).toBe(7);
    expect(ns).toBeGreaterThan(0);
    expect(output).toHaveLength(64);
  });

  test("that are wrong are refused in the verifier's words", () => {
    // r0 = *(u64 *)(r2): nobody has put anything into r2.
    const wrong = object(code([0x79, 0x20, 0, 0], EXIT));
    let thrown: unknown;
    try {
      openPrograms(wrong);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(HostError);
    expect((thrown as HostError).message).toMatch(/^BPF program for tcx\/egress: EACCES \(.*R2 !read_ok\)$/);
  });

  test("with a section of no known hook, or a constant of another size, are bugs", () => {
    expect(() => openPrograms(object({ ...code(EXIT), section: "kprobe/x" }))).toThrow(/no hook is known/);
    expect(() => openPrograms(object(code(EXIT)), { constants: { config: new Uint8Array(3) } })).toThrow(
      "constant config has no bytes in the BPF object and 3 here",
    );
  });
});

describe("arguments", () => {
  const page = 4096;

  test("with too little room get an error, not the kernel's bytes", () => {
    using map = BpfMap.create("test_large", {
      type: MAP_TYPE.array,
      keySize: 4,
      valueSize: page,
      entries: 4,
      flags: 0,
    });
    const lookup = (size: number): number =>
      tryCall(COMMAND.lookup, new Attributes(32).u32(0, map.fd).pointer(8, key(0)).pointer(16, new Uint8Array(size)));
    expect(lookup(page)).toBe(0);
    for (const size of [0, 1, 100, page - 1]) expect([size, lookup(size)]).toEqual([size, -14]);
    const short = new Attributes(32).u32(0, map.fd).pointer(8, new Uint8Array(3)).pointer(16, new Uint8Array(page));
    expect(tryCall(COMMAND.lookup, short)).toBe(-14);
  });

  test("that hold addresses, or point where no pointer is, are refused", () => {
    const call = (command: number, attributes: Attributes): (() => number) => {
      return () => addon().bpf(OWN_NAMESPACE, command, attributes.bytes, attributes.pointers);
    };
    expect(call(COMMAND.lookup, new Attributes(32).u64(16, 0x7fff00000000n))).toThrow(/must not hold addresses/);
    expect(call(COMMAND.lookup, new Attributes(32).pointer(24, key(1)))).toThrow(/no pointer there/);
    expect(call(COMMAND.lookup, new Attributes(20).pointer(16, key(1)))).toThrow(/no pointer there/);
    expect(call(COMMAND.lookup, new Attributes(32).pointer(8, key(1)).pointer(8, key(1)))).toThrow(/twice/);
    expect(call(COMMAND.describe, new Attributes(16).pointer(8, key(1)))).toThrow(/has to be empty/);
    expect(call(17, new Attributes(32))).toThrow(/not one of those/);
    expect(call(COMMAND.lookup, new Attributes(257))).toThrow(/not one of those/);
  });

  test("of any kind do no harm", () => {
    using map = BpfMap.create("test_fuzz", { type: MAP_TYPE.hash, keySize: 4, valueSize: 64, entries: 64, flags: 0 });
    // All but attaching programs, whose targets are other people's.
    const command = fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 10, 13, 14, 15, 16, 22, 24, 25, 26, 27, 28, 29, 30);
    const word = fc.oneof(fc.constantFrom(0, 1, 2, 4, 64, 0xffffffff, map.fd), fc.nat(), fc.nat(300));
    const pointer = fc.record({
      offset: fc.nat(20).map((n) => n * 8),
      length: fc.constantFrom(0, 1, 4, 64, 4096, 70_000),
    });
    const words = fc.array(fc.tuple(fc.nat(39), word), { maxLength: 12 });
    let answered = 0;
    holds(
      fc.property(
        command,
        words,
        fc.uniqueArray(pointer, { maxLength: 4, selector: ({ offset }) => offset }),
        (command, words, pointers) => {
          const attributes = new Attributes(160);
          for (const [i, value] of words) {
            if (!pointers.some(({ offset }) => i * 4 >= offset && i * 4 < offset + 8)) attributes.u32(i * 4, value);
          }
          attributes.u32(command >= 24 && command <= 27 ? 36 : 0, map.fd);
          for (const { offset, length } of pointers) attributes.pointer(offset, new Uint8Array(length));
          try {
            const answer = addon().bpf(OWN_NAMESPACE, command, attributes.bytes, attributes.pointers);
            if (answer > 2 && [0, 5, 7, 13, 14, 28, 30].includes(command)) closeSync(answer);
            answered++;
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        },
      ),
      3000,
    );
    expect(answered).toBeGreaterThan(500);
  });
});
