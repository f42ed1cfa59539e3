// Owns records whose fields are stretches of bits: how a table of fields becomes reading and writing.
//
// Records are the subnet administrator's, a few for each session. They are made anew for each message, and the table is
// worth more than the speed.
import { copyBytes, setU64, u64, u8, within } from "./bytes.ts";

interface FieldPlace {
  /** The bits of the component mask that stand for the field, by their first and how many; none without one. */
  component?: number;
  components?: number;
}

/** A number of at most 32 bits. */
interface BitsField extends FieldPlace {
  type: "bits";
  /** Bits from the start of the record. */
  bit: number;
  bits: number;
}

/** A number of 64 bits. */
interface WideField extends FieldPlace {
  type: "wide";
  at: number;
}

/** Bytes as they are: a GID, a name. */
interface BytesField extends FieldPlace {
  type: "bytes";
  at: number;
  length: number;
}

type Field = BitsField | WideField | BytesField;

/** A record: how long it is, and its fields by name. */
export interface Layout<Fields extends Record<string, Field> = Record<string, Field>> {
  bytes: number;
  fields: Fields;
}

/** The values of a record. */
export type RecordOf<L extends Layout> = {
  -readonly [Name in keyof L["fields"]]: L["fields"][Name] extends { type: "bits" }
    ? number
    : L["fields"][Name] extends { type: "wide" }
      ? bigint
      : Uint8Array;
};

/** A number of `bits` bits that starts `bit` bits into the byte `at`. */
export function bits(at: number, bit: number, width: number, component?: number): BitsField {
  return { type: "bits", bit: at * 8 + bit, bits: width, ...(component === undefined ? {} : { component }) };
}

/** A number of 64 bits at the byte `at`. */
export function wide(at: number, component?: number, components = 1): WideField {
  return { type: "wide", at, ...(component === undefined ? {} : { component, components }) };
}

/** `length` bytes at the byte `at`. */
export function bytesAt(at: number, length: number, component?: number, components = 1): BytesField {
  return { type: "bytes", at, length, ...(component === undefined ? {} : { component, components }) };
}

/** Reads the record at `at`, which is there as a whole; reserved bits are passed over. */
export function readRecord<L extends Layout>(layout: L, bytes: Uint8Array, at: number): RecordOf<L> {
  const record: Record<string, number | bigint | Uint8Array> = {};
  for (const [name, field] of Object.entries(layout.fields)) {
    if (field.type === "bits") record[name] = getBits(bytes, at, field.bit, field.bits);
    else if (field.type === "wide") record[name] = u64(bytes, at + field.at);
    // A copy in any case: the slice of a Buffer would be a view.
    else record[name] = new Uint8Array(bytes.subarray(at + field.at, at + field.at + field.length));
  }
  return record as RecordOf<L>;
}

/** Writes a record of the given values at `at`, all else zero. RangeError for a value that its field cannot hold. */
export function writeRecord<L extends Layout>(
  layout: L,
  bytes: Uint8Array,
  at: number,
  values: Partial<RecordOf<L>>,
): void {
  bytes.fill(0, at, at + layout.bytes);
  for (const [name, field] of Object.entries(layout.fields)) {
    const value = (values as Record<string, number | bigint | Uint8Array | undefined>)[name];
    if (value === undefined) continue;
    if (field.type === "bits") setBits(bytes, at, field.bit, field.bits, value as number);
    else if (field.type === "wide") setU64(bytes, at + field.at, value as bigint);
    else copyWhole(bytes, at + field.at, value as Uint8Array, field.length, name);
  }
}

/** The component mask that says which of the record's fields are given (IBA vol 1, 15.2.1). Fields without a bit are not in it. */
export function componentMask<L extends Layout>(layout: L, values: Partial<RecordOf<L>>): bigint {
  let mask = 0n;
  for (const [name, { component, components = 1 }] of Object.entries(layout.fields)) {
    if ((values as Record<string, unknown>)[name] === undefined) continue;
    if (component === undefined) continue;
    mask |= ((1n << BigInt(components)) - 1n) << BigInt(component);
  }
  return mask;
}

function copyWhole(bytes: Uint8Array, at: number, value: Uint8Array, length: number, name: string): void {
  if (value.length !== length) throw new RangeError(`${name} has ${value.length} bytes instead of ${length}`);
  copyBytes(bytes, at, value, 0, length);
}

function getBits(bytes: Uint8Array, at: number, bit: number, width: number): number {
  const last = (bit + width - 1) >> 3;
  let value = 0;
  // At most five bytes, which a number holds exactly.
  for (let i = bit >> 3; i <= last; i++) value = value * 256 + u8(bytes, at + i);
  return Math.floor(value / 2 ** (7 - ((bit + width - 1) & 7))) % 2 ** width;
}

function setBits(bytes: Uint8Array, at: number, bit: number, width: number, value: number): void {
  let rest = within(value, 2 ** width - 1);
  for (let end = bit + width; end > bit;) {
    const last = end - 1;
    const here = Math.min(end - bit, (last & 7) + 1);
    const shift = 7 - (last & 7);
    const mask = ((1 << here) - 1) << shift;
    const byte = at + (last >> 3);
    bytes[byte] = (u8(bytes, byte) & ~mask) | ((rest % 2 ** here) << shift);
    rest = Math.floor(rest / 2 ** here);
    end -= here;
  }
}
