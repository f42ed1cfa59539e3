// Owns the pcapng format (draft-ietf-opsawg-pcapng): sections, interfaces, and the three blocks that hold packets.
import { BrokenCapture, MORE, MOST_PACKET_BYTES } from "./captured-packet.ts";
import type { CapturedPacket, RecordReader } from "./captured-packet.ts";
import { setPacket } from "./pcap.ts";

/** The first number of a file. */
export const PCAPNG_MAGIC = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;

const BLOCK = { section: PCAPNG_MAGIC, interface: 1, oldPacket: 2, simplePacket: 3, packet: 6 } as const;
const OPTION = { end: 0, resolution: 9, offset: 14 } as const;
/** Length of a block without a body: its type, and its length twice. */
const FRAME_BYTES = 12;
/** Longer blocks are refused, in bytes: they would have to be held. */
const MOST_BLOCK_BYTES = 4 * 1024 * 1024;
const MOST_INTERFACES = 4096;

interface Interface {
  linkType: number;
  snap: number;
  /** Parts of a second that times are in. */
  unitsPerSecond: bigint;
  /** Added to times, in seconds. */
  offset: bigint;
}

/** A reader of blocks: it remembers the section's byte order and interfaces. */
export function openPcapng(): RecordReader {
  let littleEndian = false;
  let interfaces: Interface[] = [];
  return (bytes, at, to, into) => {
    if (at + FRAME_BYTES > to) return MORE;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, to - at);
    const isSection = view.getUint32(0) === BLOCK.section;
    if (isSection) {
      littleEndian = view.getUint32(8, true) === BYTE_ORDER;
      if (!littleEndian && view.getUint32(8) !== BYTE_ORDER) throw new BrokenCapture("has no mark of its byte order");
      interfaces = [];
    }
    const length = view.getUint32(4, littleEndian);
    if (length < FRAME_BYTES || length % 4 !== 0 || length > MOST_BLOCK_BYTES) {
      throw new BrokenCapture(`says that it is ${length} bytes long`);
    }
    if (length > to - at) return MORE;
    if (view.getUint32(length - 4, littleEndian) !== length) throw new BrokenCapture("ends with another length");
    const block = new DataView(bytes.buffer, bytes.byteOffset + at, length);
    const type = isSection ? BLOCK.section : view.getUint32(0, littleEndian);
    if (type === BLOCK.interface) {
      if (interfaces.length === MOST_INTERFACES) throw new BrokenCapture(`is interface ${MOST_INTERFACES + 1}`);
      interfaces.push(readInterface(block, littleEndian));
    }
    const packet = readPacket(block, type, littleEndian, interfaces, bytes, at, into);
    return { bytes: length, packet };
  };
}

function readInterface(block: DataView, littleEndian: boolean): Interface {
  need(block, 20);
  const face = {
    linkType: block.getUint16(8, littleEndian),
    snap: block.getUint32(12, littleEndian),
    unitsPerSecond: 1_000_000n,
    offset: 0n,
  };
  for (let at = 16; at + 4 <= block.byteLength - 4;) {
    const option = block.getUint16(at, littleEndian);
    const length = block.getUint16(at + 2, littleEndian);
    if (option === OPTION.end) break;
    if (at + 4 + length > block.byteLength - 4) throw new BrokenCapture("has an option that does not fit");
    if (option === OPTION.resolution && length === 1) face.unitsPerSecond = units(block.getUint8(at + 4));
    if (option === OPTION.offset && length === 8) face.offset = block.getBigInt64(at + 4, littleEndian);
    at += 4 + ((length + 3) & ~3);
  }
  return face;
}

/** Negative powers of 2 with the highest bit, of 10 without. */
function units(resolution: number): bigint {
  const power = BigInt(resolution & 0x7f);
  return (resolution & 0x80) !== 0 ? 2n ** power : 10n ** power;
}

function readPacket(
  block: DataView,
  type: number,
  littleEndian: boolean,
  interfaces: readonly Interface[],
  bytes: Uint8Array,
  at: number,
  into: CapturedPacket,
): boolean {
  const simple = type === BLOCK.simplePacket;
  if (!simple && type !== BLOCK.packet && type !== BLOCK.oldPacket) return false;
  need(block, simple ? 16 : 32);
  const id = simple ? 0 : type === BLOCK.packet ? block.getUint32(8, littleEndian) : block.getUint16(8, littleEndian);
  const face = interfaces[id];
  if (!face) throw new BrokenCapture(`is of interface ${id}, which was not described`);
  const data = simple ? 12 : 28;
  const wire = block.getUint32(data - 4, littleEndian);
  // A simple packet does not say how much was kept: what the interface keeps.
  const kept = simple ? Math.min(wire, face.snap === 0 ? wire : face.snap) : block.getUint32(data - 8, littleEndian);
  if (kept > MOST_PACKET_BYTES || data + kept > block.byteLength - 4) {
    throw new BrokenCapture(`says that ${kept} bytes of a packet follow`);
  }
  const time = simple
    ? 0n
    : (BigInt(block.getUint32(12, littleEndian)) << 32n) | BigInt(block.getUint32(16, littleEndian));
  into.seconds = Number(time / face.unitsPerSecond + face.offset);
  into.nanoseconds = Number(((time % face.unitsPerSecond) * 1_000_000_000n) / face.unitsPerSecond);
  setPacket(into, face.linkType, bytes, at + data, at + data + kept, wire);
  return true;
}

function need(block: DataView, bytes: number): void {
  if (block.byteLength < bytes) throw new BrokenCapture("is too short for what it is");
}
