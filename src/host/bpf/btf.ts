// Owns reading the kernel's description of its own types (Documentation/bpf/btf.rst): where members of its structures
// are, and values of its enumerations. Only what is asked for is looked at closely: the kernel's has 5 MB.

/** Bytes that are no BTF, or not whole. */
export class MalformedBtf extends Error {
  override name = "MalformedBtf";
}

const KIND = {
  pointer: 2,
  array: 3,
  structure: 4,
  union: 5,
  enumeration: 6,
  typedef: 8,
  volatile: 9,
  constant: 10,
  restrict: 11,
  typeTag: 18,
} as const;

/**
 * Bytes behind the 12 of a type's own: fixed, and for each of its vlen elements. A kind that is not here is one that no
 * kernel up to 6.18 makes.
 */
const SIZES: Readonly<Record<number, readonly [fixed: number, each: number]>> = {
  1: [4, 0], // integer
  2: [0, 0],
  3: [12, 0],
  4: [0, 12],
  5: [0, 12],
  6: [0, 8],
  7: [0, 0], // forward declaration
  8: [0, 0],
  9: [0, 0],
  10: [0, 0],
  11: [0, 0],
  12: [0, 0], // function
  13: [0, 8], // function's parameters
  14: [4, 0], // variable
  15: [0, 12], // section
  16: [0, 0], // floating-point number
  17: [4, 0], // tag of a declaration
  18: [0, 0],
  19: [0, 12], // enumeration of 64 bits
};

/** Modifiers and anonymous members within each other; the kernel allows no more itself (MAX_RESOLVE_DEPTH). */
const MOST_DEPTH = 32;

const utf8 = new TextDecoder();

/** The types that some BTF describes. */
export class Btf {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #stringsAt: number;
  readonly #stringsEnd: number;
  /** Where each type begins, by its id; 0 is void. */
  readonly #types: Uint32Array;
  /** Structures, unions and enumerations that have been looked for, by name; 0 means that there is none. */
  readonly #found = new Map<string, number>();

  /** Throws MalformedBtf. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length < 24 || this.#view.getUint16(0, true) !== 0xeb9f || bytes[2] !== 1) {
      throw new MalformedBtf("not BTF of version 1 in this machine's byte order");
    }
    const word = (at: number): number => this.#view.getUint32(at, true);
    const header = word(4);
    const [typesAt, typesEnd] = [header + word(8), header + word(8) + word(12)];
    [this.#stringsAt, this.#stringsEnd] = [header + word(16), header + word(16) + word(20)];
    if (typesEnd > bytes.length || this.#stringsEnd > bytes.length || bytes[this.#stringsEnd - 1] !== 0) {
      throw new MalformedBtf("the description is not whole");
    }
    this.#types = this.#index(typesAt, typesEnd);
  }

  #index(at: number, end: number): Uint32Array {
    // No type is shorter than 12 bytes.
    const types = new Uint32Array(1 + Math.floor((end - at) / 12));
    let count = 1;
    while (at < end) {
      if (at + 12 > end) throw new MalformedBtf("a type is not whole");
      const what = this.#view.getUint32(at + 4, true);
      const sizes = SIZES[(what >>> 24) & 0x1f];
      if (!sizes) throw new MalformedBtf(`a type is of unknown kind ${(what >>> 24) & 0x1f}`);
      types[count++] = at;
      at += 12 + sizes[0] + sizes[1] * (what & 0xffff);
    }
    if (at !== end) throw new MalformedBtf("a type is not whole");
    return types.subarray(0, count);
  }

  /**
   * Byte offset of a member by its path, "task_struct.cred" or "sock.__sk_common.skc_family"; members of structures
   * without a name count as those of what they are in. Undefined where there is none, or where it is a bit field.
   */
  offsetOf(path: string): number | undefined {
    const [outer = "", ...members] = path.split(".");
    // What has no name is no member of its own.
    if (outer === "" || members.includes("")) return undefined;
    let [type, offset] = [this.#named(outer, [KIND.structure, KIND.union]), 0];
    for (const member of members) {
      const found = type === undefined ? undefined : this.#member(type, member, 0);
      if (!found || found.bits % 8 !== 0 || found.bitField) return undefined;
      offset += found.bits / 8;
      type = this.#structure(found.type);
    }
    return members.length === 0 ? undefined : offset;
  }

  /** Value of an enumerator ("freezer_cgrp_id" of "cgroup_subsys_id"), undefined where there is none. */
  valueOf(enumeration: string, enumerator: string): number | undefined {
    return this.enumerators(enumeration).get(enumerator);
  }

  /** All enumerators of an enumeration of 32 bits, by name; empty where there is none. */
  enumerators(enumeration: string): Map<string, number> {
    const at = this.#named(enumeration, [KIND.enumeration]);
    const values = new Map<string, number>();
    if (at === undefined) return values;
    const count = this.#view.getUint16(at + 4, true);
    for (let i = 0; i < count; i++) {
      const entry = at + 12 + 8 * i;
      values.set(this.#text(this.#view.getUint32(entry, true)), this.#view.getInt32(entry + 4, true));
    }
    return values;
  }

  #kind(at: number): number {
    return (this.#view.getUint32(at + 4, true) >>> 24) & 0x1f;
  }

  #text(offset: number): string {
    const at = this.#stringsAt + offset;
    const end = at < this.#stringsEnd ? this.#bytes.indexOf(0, at) : -1;
    return end < 0 || end >= this.#stringsEnd ? "" : utf8.decode(this.#bytes.subarray(at, end));
  }

  #is(offset: number, text: Uint8Array): boolean {
    const at = this.#stringsAt + offset;
    // The text has its closing zero, and the strings end with one.
    return at + text.length <= this.#stringsEnd && text.every((byte, i) => this.#bytes[at + i] === byte);
  }

  /** The type of that name and of one of the kinds. */
  #named(name: string, kinds: readonly number[]): number | undefined {
    const key = `${kinds[0]} ${name}`;
    const known = this.#found.get(key);
    if (known !== undefined) return known || undefined;
    const text = new TextEncoder().encode(`${name}\0`);
    const at =
      this.#types.find(
        (type, id) => id > 0 && kinds.includes(this.#kind(type)) && this.#is(this.#view.getUint32(type, true), text),
      ) ?? 0;
    this.#found.set(key, at);
    return at || undefined;
  }

  /** The structure or union that a type is when its modifiers are taken away. */
  #structure(id: number): number | undefined {
    const modifiers: readonly number[] = [KIND.typedef, KIND.volatile, KIND.constant, KIND.restrict, KIND.typeTag];
    for (let depth = 0; depth < MOST_DEPTH; depth++) {
      const at = this.#types[id];
      if (!at) return undefined;
      const kind = this.#kind(at);
      if (kind === KIND.structure || kind === KIND.union) return at;
      if (!modifiers.includes(kind)) return undefined;
      id = this.#view.getUint32(at + 8, true);
    }
    return undefined;
  }

  #member(at: number, name: string, depth: number): { bits: number; bitField: boolean; type: number } | undefined {
    if (depth > MOST_DEPTH) return undefined;
    const what = this.#view.getUint32(at + 4, true);
    const withSizes = what >>> 31 === 1;
    for (let i = 0; i < (what & 0xffff); i++) {
      const member = at + 12 + 12 * i;
      const [text, type, where] = [0, 4, 8].map((part) => this.#view.getUint32(member + part, true)) as [
        number,
        number,
        number,
      ];
      const bits = withSizes ? where & 0xffffff : where;
      const own = this.#text(text);
      if (own === name) return { bits, bitField: withSizes && where >>> 24 !== 0, type };
      if (own !== "") continue;
      const inner = this.#structure(type);
      const found = inner === undefined ? undefined : this.#member(inner, name, depth + 1);
      if (found) return { ...found, bits: bits + found.bits };
    }
    return undefined;
  }
}
