// Owns reading what clang makes of a BPF program: ELF64 relocatable objects (elf(5), the kernel's
// Documentation/bpf/llvm_reloc.rst), every access checked, since a file may hold anything.
//
// Maps stand in the section "maps" as native/bpf/heddle.h declares them, constants in ".rodata", the licence in
// "license"; every other section with code is one program. Calls between programs' functions are not supported.
import type { MapShape } from "./map.ts";

/** A file that is not such an object, or needs what this reader does not know. */
export class MalformedObject extends Error {
  override name = "MalformedObject";
}

/** A place in a program's code where the kernel wants the descriptor of a map. */
export interface Reference {
  /** Byte offset of the instruction (a 16-byte load). */
  at: number;
  /** Name of a map, or an offset into the constants. */
  to: { map: string } | { constant: number };
}

/** One program. */
export interface ProgramCode {
  /** Name of its section, which says what kind it is: "cgroup/connect4". */
  section: string;
  name: string;
  instructions: Uint8Array;
  references: Reference[];
}

/** One constant: where it is in the section, and how long, bytes. */
export interface ConstantPlace {
  offset: number;
  size: number;
}

/** What there is in an object. */
export interface BpfObject {
  license: string;
  programs: ProgramCode[];
  maps: Map<string, MapShape>;
  /** The section ".rodata", empty where there is none, and where in it each named constant is. */
  constants: { bytes: Uint8Array; places: Map<string, ConstantPlace> };
}

interface Section {
  name: string;
  type: number;
  flags: number;
  offset: number;
  size: number;
  link: number;
  info: number;
}

interface Symbol {
  name: string;
  type: number;
  section: number;
  value: number;
  size: number;
}

const MOST_BYTES = 4 * 1024 * 1024;
const MOST_SECTIONS = 256;
const MOST_SYMBOLS = 4096;
const MOST_NAME = 255;
const SECTION = { symbols: 2, noBits: 8, rela: 4, rel: 9 } as const;
const SYMBOL_FUNCTION = 2;
const FLAG_CODE = 4;
/** The one kind of relocation that maps and constants are reached by. */
const R_BPF_64_64 = 1;
/** First byte of the instruction that loads 64 bits: BPF_LD | BPF_IMM | BPF_DW. */
const LOAD_64 = 0x18;
/** struct heddle_map: five 32-bit numbers. */
const MAP_BYTES = 20;

const utf8 = new TextDecoder();

/** Reads an object. Throws MalformedObject. */
export function parseObject(bytes: Uint8Array): BpfObject {
  const reader = new ObjectReader(bytes);
  return reader.object();
}

class ObjectReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #sections: Section[];
  readonly #symbols: Symbol[];

  constructor(bytes: Uint8Array) {
    if (bytes.length > MOST_BYTES) throw new MalformedObject(`the file has more than ${MOST_BYTES} bytes`);
    // A Buffer of Node's is a Uint8Array whose `slice` does not copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#sections = this.#readSections();
    this.#symbols = this.#readSymbols();
  }

  object(): BpfObject {
    const constants = this.#section(".rodata");
    return {
      license: this.#textOf(this.#section("license")),
      programs: this.#programs(),
      maps: this.#maps(),
      constants: { bytes: constants ? this.#content(constants).slice() : new Uint8Array(), places: this.#places() },
    };
  }

  #slice(at: number, length: number): Uint8Array {
    if (at < 0 || length < 0 || at + length > this.#bytes.length) throw new MalformedObject("the file ends too early");
    return this.#bytes.subarray(at, at + length);
  }

  #u16(at: number): number {
    this.#slice(at, 2);
    return this.#view.getUint16(at, true);
  }

  #u32(at: number): number {
    this.#slice(at, 4);
    return this.#view.getUint32(at, true);
  }

  /** A 64-bit number that has to be a place or a size in a file of some megabytes. */
  #u64(at: number): number {
    const [low, high] = [this.#u32(at), this.#u32(at + 4)];
    if (high !== 0) throw new MalformedObject("the file holds a number that leads out of it");
    return low;
  }

  #readSections(): Section[] {
    // EI_MAG, EI_CLASS (64 bit), EI_DATA (little-endian); e_type REL; e_machine BPF.
    const magic = [0x7f, 0x45, 0x4c, 0x46, 2, 1];
    if (magic.some((byte, i) => this.#bytes[i] !== byte)) {
      throw new MalformedObject("the file is no little-endian ELF64 file");
    }
    if (this.#u16(16) !== 1 || this.#u16(18) !== 247) throw new MalformedObject("the file is no BPF object");
    const [table, size, count, names] = [this.#u64(40), this.#u16(58), this.#u16(60), this.#u16(62)];
    if (size !== 64) throw new MalformedObject(`section headers have ${size} bytes instead of 64`);
    if (count > MOST_SECTIONS) throw new MalformedObject(`the file has more than ${MOST_SECTIONS} sections`);
    const headers = Array.from({ length: count }, (_, i) => this.#readSection(table + i * size));
    const strings = headers[names];
    if (!strings) throw new MalformedObject("the file has no names of sections");
    return headers.map(({ nameAt, ...section }) => ({ ...section, name: this.#text(strings, nameAt) }));
  }

  #readSection(at: number): Omit<Section, "name"> & { nameAt: number } {
    const section = {
      nameAt: this.#u32(at),
      type: this.#u32(at + 4),
      flags: this.#u64(at + 8),
      offset: this.#u64(at + 24),
      size: this.#u64(at + 32),
      link: this.#u32(at + 40),
      info: this.#u32(at + 44),
    };
    if (section.type !== SECTION.noBits) this.#slice(section.offset, section.size);
    return section;
  }

  #section(name: string): Section | undefined {
    return this.#sections.find((section) => section.name === name && section.type !== SECTION.noBits);
  }

  #content(section: Section): Uint8Array {
    return this.#slice(section.offset, section.size);
  }

  #text(strings: Omit<Section, "name">, at: number): string {
    if (strings.type === SECTION.noBits || at >= strings.size) {
      throw new MalformedObject("a name is outside the table of names");
    }
    const length = Math.min(strings.size - at, MOST_NAME + 1);
    const bytes = this.#slice(strings.offset + at, length);
    const end = bytes.indexOf(0);
    if (end < 0) throw new MalformedObject(`a name has no end, or more than ${MOST_NAME} bytes`);
    return utf8.decode(bytes.subarray(0, end));
  }

  #textOf(section: Section | undefined): string {
    if (!section) throw new MalformedObject("the file states no licence");
    return utf8.decode(this.#content(section)).replace(/\0.*$/s, "");
  }

  #readSymbols(): Symbol[] {
    const table = this.#sections.find(({ type }) => type === SECTION.symbols);
    if (!table) throw new MalformedObject("the file has no symbols");
    const strings = this.#sections[table.link];
    if (!strings || table.size % 24 !== 0) throw new MalformedObject("the table of symbols is not whole");
    if (table.size / 24 > MOST_SYMBOLS) throw new MalformedObject(`the file has more than ${MOST_SYMBOLS} symbols`);
    return Array.from({ length: table.size / 24 }, (_, i) => {
      const at = table.offset + i * 24;
      return {
        name: this.#text(strings, this.#u32(at)),
        type: (this.#bytes[at + 4] ?? 0) & 0xf,
        section: this.#u16(at + 6),
        value: this.#u64(at + 8),
        size: this.#u64(at + 16),
      };
    });
  }

  /** Symbols with a name that stand in a section. */
  #symbolsIn(section: Section): Symbol[] {
    return this.#symbols.filter((symbol) => this.#sections[symbol.section] === section && symbol.name !== "");
  }

  #maps(): Map<string, MapShape> {
    const section = this.#section("maps");
    if (!section) return new Map();
    return new Map(
      this.#symbolsIn(section).map(({ name, value, size }) => {
        if (size !== MAP_BYTES || value % 4 !== 0 || value + size > section.size) {
          throw new MalformedObject(`map ${name} is not declared as heddle.h declares maps`);
        }
        const word = (i: number): number => this.#u32(section.offset + value + 4 * i);
        return [name, { type: word(0), keySize: word(1), valueSize: word(2), entries: word(3), flags: word(4) }];
      }),
    );
  }

  #places(): Map<string, ConstantPlace> {
    const section = this.#section(".rodata");
    if (!section) return new Map();
    return new Map(
      this.#symbolsIn(section).map(({ name, value, size }) => {
        if (value + size > section.size) throw new MalformedObject(`constant ${name} is outside its section`);
        return [name, { offset: value, size }];
      }),
    );
  }

  #programs(): ProgramCode[] {
    const code = this.#sections.filter(({ flags, size, type }) => type === 1 && flags & FLAG_CODE && size > 0);
    return code.map((section) => {
      const [first, ...others] = this.#symbolsIn(section).filter(({ type }) => type === SYMBOL_FUNCTION);
      if (!first || others.length > 0 || first.value !== 0 || first.size !== section.size || section.size % 8 !== 0) {
        throw new MalformedObject(`section ${section.name} is not one whole program`);
      }
      const instructions = this.#content(section).slice();
      const references = this.#references(section, instructions);
      return { section: section.name, name: first.name, instructions, references };
    });
  }

  #references(section: Section, instructions: Uint8Array): Reference[] {
    const own = this.#sections.filter(
      ({ type, info }) => (type === SECTION.rel || type === SECTION.rela) && this.#sections[info] === section,
    );
    return own.flatMap((table) => {
      if (table.type !== SECTION.rel || table.size % 16 !== 0) {
        throw new MalformedObject(`relocations of ${section.name} are of a form that clang does not make for BPF`);
      }
      return Array.from({ length: table.size / 16 }, (_, i) =>
        this.#reference(section, instructions, table.offset + i * 16),
      );
    });
  }

  #reference(section: Section, instructions: Uint8Array, entry: number): Reference {
    const [at, type, index] = [this.#u64(entry), this.#u32(entry + 8), this.#u32(entry + 12)];
    const symbol = this.#symbols[index];
    const target = symbol && this.#sections[symbol.section];
    const whole = at % 8 === 0 && at + 16 <= instructions.length && instructions[at] === LOAD_64;
    if (type !== R_BPF_64_64 || !symbol || !target || !whole) {
      throw new MalformedObject(
        `${section.name} refers to ${symbol?.name || "something"} at byte ${at} in a way that is not supported: ` +
          "a program may use its maps and constants, and no function that is not inlined",
      );
    }
    if (target.name === "maps") return { at, to: { map: symbol.name } };
    if (target.name !== ".rodata") {
      throw new MalformedObject(`${section.name} refers to section ${target.name || "(none)"}, which is not supported`);
    }
    // A reference to the section as a whole has its offset in the instruction.
    const inside = new DataView(instructions.buffer, instructions.byteOffset).getUint32(at + 4, true);
    if (symbol.value + inside >= target.size) throw new MalformedObject("a reference leads out of the constants");
    return { at, to: { constant: symbol.value + inside } };
  }
}
