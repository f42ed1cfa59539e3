// Owns capture files made for tests: pcap in every flavour, ERF, pcapng.
import { setU16, setU32 } from "../bytes.ts";

/** Link types of pcap (https://www.tcpdump.org/linktypes.html). */
export const LINK_TYPE = { ethernet: 1, linuxSll: 113, erf: 197, infiniband: 247, linuxSll2: 276 } as const;

export interface PcapFlavour {
  linkType: number;
  littleEndian?: boolean;
  nanoseconds?: boolean;
  /** Bytes of each packet that are kept; all without it. */
  snap?: number;
}

/** A pcap file of the packets, a microsecond apart. */
export function writePcap(packets: readonly Uint8Array[], flavour: PcapFlavour): Uint8Array {
  const { linkType, littleEndian = true, nanoseconds = false, snap = 262_144 } = flavour;
  const kept = packets.map((packet) => packet.subarray(0, snap));
  const bytes = new Uint8Array(24 + kept.reduce((sum, { length }) => sum + 16 + length, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, littleEndian);
  view.setUint16(4, 2, littleEndian);
  view.setUint16(6, 4, littleEndian);
  view.setUint32(16, snap, littleEndian);
  view.setUint32(20, linkType, littleEndian);
  let at = 24;
  for (const [i, packet] of kept.entries()) {
    view.setUint32(at, 1_700_000_000, littleEndian);
    view.setUint32(at + 4, nanoseconds ? i * 1000 : i, littleEndian);
    view.setUint32(at + 8, packet.length, littleEndian);
    view.setUint32(at + 12, (packets[i] as Uint8Array).length, littleEndian);
    bytes.set(packet, at + 16);
    at += 16 + packet.length;
  }
  return bytes;
}

/** The type of ERF records that hold InfiniBand packets. */
export const ERF_INFINIBAND = 21;

/** An ERF record of a packet, with `extensions` extension headers. */
export function writeErf(packet: Uint8Array, type = ERF_INFINIBAND, extensions = 0): Uint8Array {
  const length = (16 + extensions * 8 + packet.length + 7) & ~7;
  const bytes = new Uint8Array(length);
  // 1.5 s after the epoch: fractions first, both least significant byte first.
  bytes.set([0, 0, 0, 0x80, 1, 0, 0, 0]);
  bytes[8] = type | (extensions > 0 ? 0x80 : 0);
  setU16(bytes, 10, length);
  setU16(bytes, 14, packet.length);
  for (let i = 0; i < extensions; i++) bytes[16 + i * 8] = i === extensions - 1 ? 0x03 : 0x83;
  bytes.set(packet, 16 + extensions * 8);
  return bytes;
}

/** A pcapng file, most significant byte first: two interfaces, the packets on the second, a block that nobody knows between. */
export function writePcapng(packets: readonly Uint8Array[], linkType: number): Uint8Array {
  const block = (type: number, body: Uint8Array): Uint8Array => {
    const length = 12 + ((body.length + 3) & ~3);
    const bytes = new Uint8Array(length);
    setU32(bytes, 0, type);
    setU32(bytes, 4, length);
    bytes.set(body, 8);
    setU32(bytes, length - 4, length);
    return bytes;
  };
  const section = Uint8Array.of(0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0, ...new Uint8Array(8).fill(0xff));
  // Option 9: times in nanoseconds. Option 0 ends.
  const options = [0, 9, 0, 1, 9, 0, 0, 0, 0, 0, 0, 0];
  const face = (type: number): Uint8Array => Uint8Array.of(type >> 8, type & 255, 0, 0, 0, 0, 0, 0, ...options);
  const blocks = [block(0x0a0d0d0a, section), block(1, face(1)), block(1, face(linkType)), block(0xbad, section)];
  for (const packet of packets) {
    const body = new Uint8Array(20 + packet.length);
    setU32(body, 0, 1);
    setU32(body, 8, 1_500_000_000);
    setU32(body, 12, packet.length);
    setU32(body, 16, packet.length);
    body.set(packet, 20);
    blocks.push(block(6, body));
  }
  const bytes = new Uint8Array(blocks.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const one of blocks) {
    bytes.set(one, at);
    at += one.length;
  }
  return bytes;
}
