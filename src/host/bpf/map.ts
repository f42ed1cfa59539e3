// Owns maps: making them, filling them in batches, reading all that is in one, on kernels with and without batches.
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { HostError } from "../error.ts";
import { addon } from "../native.ts";
import { Attributes, call, COMMAND, describe, Descriptor, tryCall, tryCallWithMemory } from "./call.ts";

/** Map types (enum bpf_map_type). */
export const MAP_TYPE = {
  hash: 1,
  array: 2,
  perCpuHash: 5,
  perCpuArray: 6,
  lruHash: 9,
  lpmTrie: 11,
  ring: 27,
} as const;

/** Flags at creation (BPF_F_NO_PREALLOC, which tries demand, and BPF_F_RDONLY_PROG). */
export const MAP_FLAG = { noPreallocation: 1, readOnlyForPrograms: 128 } as const;

/** What a map is made like. */
export interface MapShape {
  /** One of MAP_TYPE, or another number of enum bpf_map_type. */
  type: number;
  /** Bytes. */
  keySize: number;
  /** Bytes; of one CPU's value, where each has its own. */
  valueSize: number;
  /** The most entries; for arrays all of them. */
  entries: number;
  flags: number;
}

/** One entry, as bytes; the value of a per-CPU map holds each possible CPU's, padded to 8 bytes. */
export interface MapEntry {
  key: Uint8Array;
  value: Uint8Array;
}

const { EINVAL, ENOENT, ENOSPC } = constants.errno;
/** The kernel's own number for "there is no such operation for this map" (include/linux/errno.h). */
const ENOTSUPP = 524;
/** Entries in one batch: some 100 kB. */
const BATCH = 4096;
/** Hash buckets are read whole; more than this many collisions in one is no map that heddle makes. */
const MOST_BATCH = 1 << 20;
/** Kernels without batches answer EINVAL (before 5.6); those without them for this type ENOTSUPP. */
const NO_BATCH = new Set([-EINVAL, -ENOTSUPP]);

let cpus = 0;

/** CPUs that the kernel reserves room for, which is what per-CPU values are counted by. */
export function possibleCpus(): number {
  if (cpus === 0) {
    const last = /(\d+)\s*$/.exec(readFileSync("/sys/devices/system/cpu/possible", "utf8"))?.[1];
    if (last === undefined) throw new Error("the kernel's list of possible CPUs is not as it should be");
    cpus = Number(last) + 1;
  }
  return cpus;
}

/** A map that is open. It belongs to whoever opened it, who disposes of it; it lives on while a program uses it. */
export class BpfMap implements Disposable {
  readonly name: string;
  readonly shape: MapShape;
  readonly #descriptor: Descriptor;

  private constructor(descriptor: Descriptor, name: string, shape: MapShape) {
    this.#descriptor = descriptor;
    this.name = name;
    this.shape = shape;
  }

  /** Makes one; the kernel keeps the first 15 bytes of its name. Throws HostError. */
  static create(name: string, shape: MapShape): BpfMap {
    const attributes = new Attributes(44)
      .u32(0, shape.type)
      .u32(4, shape.keySize)
      .u32(8, shape.valueSize)
      .u32(12, shape.entries)
      .u32(16, shape.flags)
      .name(28, name);
    const answer = tryCallWithMemory(COMMAND.createMap, attributes);
    if (answer < 0) throw new HostError({ errno: answer, object: `BPF map ${name} of ${shape.entries} entries` });
    return new BpfMap(new Descriptor(answer), name, shape);
  }

  /** Opens a map by its id; undefined when it has gone. Needs CAP_SYS_ADMIN. Throws HostError. */
  static open(id: number): BpfMap | undefined {
    const answer = tryCall(COMMAND.mapById, new Attributes(12).u32(0, id));
    if (answer === -ENOENT) return undefined;
    if (answer < 0) throw new HostError({ errno: answer, object: `BPF map ${id}` });
    const descriptor = new Descriptor(answer);
    // struct bpf_map_info: type, id, key_size, value_size, max_entries, map_flags, name[16].
    const told = describe(answer, 40, `BPF map ${id}`);
    const word = (at: number): number => told.getUint32(at, true);
    const name = String.fromCharCode(...new Uint8Array(told.buffer, 24, 16)).replace(/\0.*$/s, "");
    const shape = { type: word(0), keySize: word(8), valueSize: word(12), entries: word(16), flags: word(20) };
    return new BpfMap(descriptor, name, shape);
  }

  get fd(): number {
    return this.#descriptor.fd;
  }

  /** The kernel's number of it: struct bpf_map_info has it behind the type. Throws HostError. */
  id(): number {
    return describe(this.fd, 8, `BPF map ${this.name}`).getUint32(4, true);
  }

  /** Bytes of an entry's value as they pass between the kernel and us. */
  get #valueBytes(): number {
    const { type, valueSize } = this.shape;
    const perCpu = type === MAP_TYPE.perCpuHash || type === MAP_TYPE.perCpuArray;
    return perCpu ? ((valueSize + 7) & ~7) * possibleCpus() : valueSize;
  }

  /** The value under a key, or undefined. */
  lookup(key: Uint8Array): Uint8Array | undefined {
    this.#check(key.length, this.shape.keySize);
    const value = new Uint8Array(this.#valueBytes);
    const answer = tryCall(COMMAND.lookup, this.#element(key, value));
    if (answer === -ENOENT) return undefined;
    this.#done(answer);
    return value;
  }

  /** Writes an entry, new or not. */
  update(key: Uint8Array, value: Uint8Array): void {
    this.#check(key.length, this.shape.keySize);
    this.#check(value.length, this.#valueBytes);
    this.#done(tryCallWithMemory(COMMAND.update, this.#element(key, value)));
  }

  /** Takes an entry away; that there is none is no error. */
  delete(key: Uint8Array): void {
    this.#check(key.length, this.shape.keySize);
    const answer = tryCall(COMMAND.delete, new Attributes(32).u32(0, this.fd).pointer(8, key));
    if (answer !== -ENOENT) this.#done(answer);
  }

  /** Writes many entries, a few thousand a call. Throws HostError; some are written then, and some are not. */
  updateAll(entries: readonly MapEntry[]): void {
    for (let from = 0; from < entries.length; from += BATCH) {
      const some = entries.slice(from, from + BATCH);
      if (!this.#updateBatch(some)) for (const { key, value } of some) this.update(key, value);
    }
  }

  #updateBatch(entries: readonly MapEntry[]): boolean {
    const [keyBytes, valueBytes] = [this.shape.keySize, this.#valueBytes];
    const keys = new Uint8Array(entries.length * keyBytes);
    const values = new Uint8Array(entries.length * valueBytes);
    for (const [i, { key, value }] of entries.entries()) {
      this.#check(key.length, keyBytes);
      this.#check(value.length, valueBytes);
      keys.set(key, i * keyBytes);
      values.set(value, i * valueBytes);
    }
    const attributes = new Attributes(56).u32(32, entries.length).u32(36, this.fd);
    const answer = tryCallWithMemory(COMMAND.updateBatch, attributes.pointer(16, keys).pointer(24, values));
    if (NO_BATCH.has(answer)) return false;
    this.#done(answer);
    return true;
  }

  /** All entries, in no order. While others write, entries may be missed or seen twice. */
  readAll(): MapEntry[] {
    return this.#readBatches() ?? this.#readOneByOne();
  }

  /** Values of an array's entries from one number on, in order, one behind the other. Throws HostError. */
  readRange(first: number, count: number): Uint8Array {
    if (this.shape.type !== MAP_TYPE.array || first < 0 || first + count > this.shape.entries) {
      throw new RangeError(`map ${this.name} has no entries ${first} to ${first + count - 1}`);
    }
    const [keys, values] = [new Uint8Array(4 * count), new Uint8Array(this.#valueBytes * count)];
    const attributes = new Attributes(56).u32(32, count).u32(36, this.fd);
    attributes.pointer(8, new Uint8Array(4)).pointer(16, keys).pointer(24, values);
    // A batch goes on behind a key; without one it begins at the beginning.
    if (first > 0) attributes.pointer(0, numberBytes(first - 1));
    const answer = tryCall(COMMAND.lookupBatch, attributes);
    // ENOENT tells that the end was reached.
    if (!NO_BATCH.has(answer)) {
      if (answer !== -ENOENT) this.#done(answer);
      return values;
    }
    for (let i = 0; i < count; i++) {
      const value = this.lookup(numberBytes(first + i));
      if (value) values.set(value, i * this.#valueBytes);
    }
    return values;
  }

  #readBatches(): MapEntry[] | undefined {
    const [keyBytes, valueBytes] = [this.shape.keySize, this.#valueBytes];
    const entries: MapEntry[] = [];
    let count = Math.min(BATCH, Math.max(this.shape.entries, 1));
    let before: Uint8Array | undefined;
    for (;;) {
      const keys = new Uint8Array(count * keyBytes);
      const values = new Uint8Array(count * valueBytes);
      // Where to go on from: a key, or for a hash the number of a bucket.
      const after = new Uint8Array(Math.max(keyBytes, 4));
      const attributes = new Attributes(56).u32(32, count).u32(36, this.fd);
      attributes.pointer(8, after).pointer(16, keys).pointer(24, values);
      if (before) attributes.pointer(0, before);
      const answer = tryCall(COMMAND.lookupBatch, attributes);
      if (NO_BATCH.has(answer) && !before) return undefined;
      if (answer === -ENOSPC && count < MOST_BATCH) {
        count *= 2;
        continue;
      }
      if (answer !== -ENOENT) this.#done(answer);
      const got = Math.min(attributes.view.getUint32(32, true), count);
      for (let i = 0; i < got; i++) {
        const key = keys.subarray(i * keyBytes, (i + 1) * keyBytes);
        entries.push({ key, value: values.subarray(i * valueBytes, (i + 1) * valueBytes) });
      }
      if (answer === -ENOENT) return entries;
      before = after;
    }
  }

  #readOneByOne(): MapEntry[] {
    const entries: MapEntry[] = [];
    let before: Uint8Array | undefined;
    // A map that others change meanwhile may lead round in a circle.
    for (let steps = 0; steps <= 2 * this.shape.entries; steps++) {
      const key = new Uint8Array(this.shape.keySize);
      const attributes = new Attributes(32).u32(0, this.fd).pointer(16, key);
      if (before) attributes.pointer(8, before);
      const answer = tryCall(COMMAND.nextKey, attributes);
      if (answer === -ENOENT) break;
      this.#done(answer);
      const value = this.lookup(key);
      if (value) entries.push({ key, value });
      before = key;
    }
    return entries;
  }

  /** Closes the map to writes by system calls, for good; the verifier then knows what is in it (kernel 5.5). */
  freeze(): void {
    call(COMMAND.freezeMap, new Attributes(4).u32(0, this.fd), `BPF map ${this.name}`);
  }

  /** Takes everything out of a ring, unread. Throws HostError. */
  empty(): void {
    if (this.shape.type !== MAP_TYPE.ring) throw new RangeError(`map ${this.name} is no ring`);
    this.#done(addon().emptyRing(this.fd));
  }

  #element(key: Uint8Array, value: Uint8Array): Attributes {
    return new Attributes(32).u32(0, this.fd).pointer(8, key).pointer(16, value);
  }

  #check(length: number, wanted: number): void {
    if (length !== wanted) throw new RangeError(`${length} bytes for map ${this.name}, which takes ${wanted}`);
  }

  #done(answer: number): void {
    if (answer < 0) throw new HostError({ errno: answer, object: `BPF map ${this.name}` });
  }

  [Symbol.dispose](): void {
    this.#descriptor[Symbol.dispose]();
  }
}

function numberBytes(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number, true);
  return bytes;
}

/** Whether two maps are alike, so that one can go on in the other's place. */
export function equalShapes(one: MapShape, other: MapShape): boolean {
  const keys = ["type", "keySize", "valueSize", "entries", "flags"] as const;
  return keys.every((key) => one[key] === other[key]);
}
