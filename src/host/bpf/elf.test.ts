// Proves that heddle's own objects are read as clang made them, and that broken ones are refused in a sentence.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { holds } from "../netlink/testing/seeds.ts";
import { MalformedObject, parseObject } from "./elf.ts";
import { readObject } from "./load.ts";

const whole = readFileSync(fileURLToPath(new URL("../../../build/bpf/mark-sockets.o", import.meta.url)));
const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
const tableAt = view.getUint32(40, true);
const headerOf = (name: string): number => {
  const names = tableAt + 64 * view.getUint16(62, true);
  const strings = view.getUint32(names + 24, true);
  for (let at = tableAt; at < whole.length; at += 64) {
    const text = strings + view.getUint32(at, true);
    if (whole.toString("latin1", text, whole.indexOf(0, text)) === name) return at;
  }
  throw new Error(`no section ${name}`);
};
/** A copy in which one 32-bit word is another. */
const withWord = (at: number, value: number): Uint8Array => {
  const copy = Buffer.from(whole);
  copy.writeUInt32LE(value, at);
  return copy;
};

describe("heddle's objects", () => {
  test("are read with their licence, programs, maps and constants", () => {
    const { license, programs, maps, constants } = parseObject(whole);
    expect(license).toBe("Dual BSD/GPL");
    expect(programs.map(({ section, name }) => [section, name])).toEqual([
      ["cgroup/sock_create", "sock_create"],
      ["cgroup/connect4", "connect4"],
      ["cgroup/connect6", "connect6"],
    ]);
    expect(maps.get("user_ranges")).toEqual({ type: 11, keySize: 8, valueSize: 4, entries: 1, flags: 1 });
    expect([...maps.keys()].sort()).toEqual(
      ["cgroups", "counters", "group_ranges", "groups", "members", "user_ranges", "users"].sort(),
    );
    expect(constants.places.get("config")).toEqual({ offset: 0, size: 96 });
    expect(constants.bytes).toEqual(new Uint8Array(96));
    for (const { instructions, references } of programs) {
      const named = new Set(references.map(({ to }) => ("map" in to ? to.map : "constants")));
      expect([...named].sort()).toEqual([...maps.keys(), "constants"].sort());
      // Each is a load of 64 bits, and clang leaves the place of the descriptor empty.
      for (const { at } of references) expect([instructions[at], instructions[at + 4]]).toEqual([0x18, 0]);
    }
    expect(readObject("learn-cookie").constants.places.get("learner")).toEqual({ offset: 0, size: 4 });
  });
});

describe("other files", () => {
  test.each([
    ["nothing", new Uint8Array(), /no little-endian ELF64/],
    ["text", Buffer.from("#!/bin/sh\n".repeat(20)), /no little-endian ELF64/],
    ["a program of this machine", readFileSync(process.execPath).subarray(0, 65536), /no BPF object/],
    ["one that is too large", Buffer.concat([whole, Buffer.alloc(4 * 1024 * 1024)]), /more than 4194304 bytes/],
    ["one whose sections lie outside", withWord(40, whole.length), /ends too early/],
    ["one whose sections lie far outside", withWord(44, 1), /leads out of it/],
    ["one with a section that does not fit", withWord(headerOf("maps") + 32, 1 << 30), /ends too early/],
    ["one without symbols", withWord(headerOf(".symtab") + 4, 1), /no symbols/],
    ["one with half a symbol", withWord(headerOf(".symtab") + 32, 25), /not whole/],
    ["one without a licence", withWord(headerOf("license"), 1), /no licence/],
    ["one with maps of another size", withWord(headerOf("maps") + 32, 130), /not declared as heddle.h/],
    ["one with two programs in a section", withWord(headerOf("cgroup/connect4") + 32, 8), /not one whole program/],
    ["one whose relocations have addends", withWord(headerOf(".relcgroup/connect4") + 4, 4), /does not make for BPF/],
    [
      "one that calls a function",
      withWord(view.getUint32(headerOf(".relcgroup/connect4") + 24, true) + 8, 10),
      /no function that is not inlined/,
    ],
    [
      "one with a reference into nothing",
      withWord(view.getUint32(headerOf(".relcgroup/connect4") + 24, true), 1 << 20),
      /in a way that is not supported/,
    ],
  ])("%s: refused", (_, bytes, words) => {
    expect(() => parseObject(bytes)).toThrow(MalformedObject);
    expect(() => parseObject(bytes)).toThrow(words);
  });

  test("damaged anywhere are read or refused, and nothing else", () => {
    const damage = fc.record({
      length: fc.oneof(fc.constant(whole.length), fc.nat(whole.length)),
      // Most of a file is code, where nothing is to be found: half of the damage is done to headers and symbols.
      bytes: fc.array(
        fc.tuple(
          fc.oneof(fc.nat(whole.length - 1), fc.integer({ min: tableAt - 8192, max: whole.length - 1 }), fc.nat(63)),
          fc.nat(255),
        ),
        { minLength: 1, maxLength: 8 },
      ),
    });
    let refused = 0;
    let read = 0;
    holds(
      fc.property(damage, ({ length, bytes }) => {
        const copy = Buffer.from(whole.subarray(0, length));
        for (const [at, value] of bytes) if (at < length) copy[at] = value;
        try {
          for (const { instructions, references } of parseObject(copy).programs) {
            for (const { at } of references) expect(at + 16).toBeLessThanOrEqual(instructions.length);
          }
          read++;
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedObject);
          refused++;
        }
      }),
      2000,
    );
    expect([refused > 100, read > 100]).toEqual([true, true]);
  });
});
