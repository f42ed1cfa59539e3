// Owns the pcap format (draft-ietf-opsawg-pcap): both byte orders, microseconds and nanoseconds.
import { LINK_TYPE_ERF, linkLayerOf, MORE, MOST_PACKET_BYTES, BrokenCapture } from "./captured-packet.ts";
import type { CapturedPacket, RecordReader } from "./captured-packet.ts";
import { openErf } from "./erf.ts";

/** The file's header. */
export const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;

/** Magic numbers as they stand in the file, with what they say. */
const MAGIC = new Map([
  [0xa1b2c3d4, { littleEndian: false, unit: 1000 }],
  [0xd4c3b2a1, { littleEndian: true, unit: 1000 }],
  [0xa1b23c4d, { littleEndian: false, unit: 1 }],
  [0x4d3cb2a1, { littleEndian: true, unit: 1 }],
]);

/** Whether a file that begins with this number, most significant byte first, is pcap. */
export function isPcap(magic: number): boolean {
  return MAGIC.has(magic);
}

/** The reader of the records behind a header, which is given as a whole. */
export function openPcap(header: Uint8Array): RecordReader {
  const start = viewOf(header, 0, header.length);
  const { littleEndian, unit } = MAGIC.get(start.getUint32(0)) as { littleEndian: boolean; unit: number };
  // The upper half may tell of frame check sequences, which no length of a header counts.
  const linkType = start.getUint32(20, littleEndian) & 0xffff;
  return (bytes, at, to, into) => {
    if (at + RECORD_HEADER_BYTES > to) return MORE;
    const view = viewOf(bytes, at, RECORD_HEADER_BYTES);
    const length = view.getUint32(8, littleEndian);
    if (length > MOST_PACKET_BYTES) throw new BrokenCapture(`says that ${length} bytes of a packet follow`);
    const from = at + RECORD_HEADER_BYTES;
    if (from + length > to) return MORE;
    into.seconds = view.getUint32(0, littleEndian);
    into.nanoseconds = view.getUint32(4, littleEndian) * unit;
    setPacket(into, linkType, bytes, from, from + length, view.getUint32(12, littleEndian));
    return { bytes: RECORD_HEADER_BYTES + length, packet: true };
  };
}

/** Fills in what a packet of the link type is that was kept from `from` up to `to`. The file's time is set already. */
export function setPacket(
  into: CapturedPacket,
  linkType: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  wireBytes: number,
): void {
  if (linkType === LINK_TYPE_ERF) {
    // The record's own time, which is finer, takes the place of the file's, as with other tools.
    openErf(bytes, from, to, into);
    return;
  }
  into.linkLayer = linkLayerOf(linkType);
  into.bytes = bytes;
  into.from = from;
  into.to = to;
  into.wireBytes = Math.max(wireBytes, to - from);
}

function viewOf(bytes: Uint8Array, at: number, length: number): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset + at, length);
}
