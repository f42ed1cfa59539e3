// Owns cyclic redundancy checks: the tables, a run over bytes, and the effect of bytes that follow.
//
// Both CRCs of InfiniBand are reflected, so one loop serves them; each has tables of its own.

/** Eight tables of 256 entries, one for each byte of a step of eight. */
export type CrcTables = Uint32Array;

/** Tables for a reflected polynomial of at most 32 bits. */
function makeTables(polynomial: number): CrcTables {
  const tables = new Uint32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let register = i;
    for (let bit = 0; bit < 8; bit++) register = (register >>> 1) ^ (register & 1 ? polynomial : 0);
    tables[i] = register;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256] as number;
    tables[i] = (before >>> 8) ^ (tables[before & 0xff] as number);
  }
  return tables;
}

const CRC32_POLYNOMIAL = 0xedb88320;

/** The polynomial of ICRC (IBA vol 1, 7.8.1), which is that of Ethernet and zlib. */
export const CRC32 = makeTables(CRC32_POLYNOMIAL);

/** The polynomial of VCRC, 0x100B (IBA vol 1, 7.8.2), reflected. */
export const CRC16 = makeTables(0xd008);

/** The register after one more byte. Registers are signed 32-bit numbers here, which V8 keeps unboxed. */
export function crcByte(tables: CrcTables, register: number, byte: number): number {
  return (tables[(register ^ byte) & 0xff] as number) ^ (register >>> 8);
}

/** The register after the bytes from `from` up to `to`, which must lie in the array. */
export function crcBytes(tables: CrcTables, register: number, bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  for (; at + 8 <= to; at += 8) {
    const first =
      register ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    register =
      (tables[1792 + (first & 0xff)] as number) ^
      (tables[1536 + ((first >>> 8) & 0xff)] as number) ^
      (tables[1280 + ((first >>> 16) & 0xff)] as number) ^
      (tables[1024 + (first >>> 24)] as number) ^
      (tables[768 + (bytes[at + 4] as number)] as number) ^
      (tables[512 + (bytes[at + 5] as number)] as number) ^
      (tables[256 + (bytes[at + 6] as number)] as number) ^
      (tables[bytes[at + 7] as number] as number);
  }
  for (; at < to; at++) register = crcByte(tables, register, bytes[at] as number);
  return register;
}

/** The product of two polynomials modulo that of CRC-32; the highest bit is x⁰, as in the register. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 32; bit++) {
    product ^= (a >> 31) & b;
    a <<= 1;
    b = (b >>> 1) ^ (-(b & 1) & CRC32_POLYNOMIAL);
  }
  return product;
}

/** The number of lengths in each of the two tables of powers; their product bounds what can be shifted over. */
const STEP = 256;
/** SHIFTS[n] is x to the power of 8 n; SHIFTS[256 + n] to the power of 8 · 256 n. */
const SHIFTS = makeShifts();

function makeShifts(): Int32Array {
  const shifts = new Int32Array(2 * STEP);
  const fill = (from: number, by: number): void => {
    shifts[from] = 1 << 31;
    for (let n = 1; n < STEP; n++) shifts[from + n] = multiply(shifts[from + n - 1] as number, by);
  };
  fill(0, 1 << 23);
  fill(STEP, multiply(shifts[STEP - 1] as number, 1 << 23));
  return shifts;
}

/**
 * What a difference in the CRC-32 register becomes after `length` further bytes, 0–65535, whichever they are: the same
 * amount of work for any length. RangeError for a longer one.
 */
export function shiftCrc32(register: number, length: number): number {
  if (length < 0 || length >= STEP * STEP) throw new RangeError(`${length} bytes are more than a packet has`);
  const shifted = multiply(register, SHIFTS[length % STEP] as number);
  return length < STEP ? shifted : multiply(shifted, SHIFTS[STEP + (length >>> 8)] as number);
}
