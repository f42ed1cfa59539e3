// Owns the frame by which bridges of the same fabrics know of each other on Ethernet.
//
//     Ethernet (type 0x88B5, to 03:68:64:6c:62:72) | "HDLB" | version:8 flags:8 peers:8 rsv:8 | name:32 | groups:32
//     | own id:64 | ids of the peers that the sender takes for active, 64 each
import { copyBytes, setU16, setU32, setU64, setU8, u16, u32, u64, u8 } from "../codec/bytes.ts";
import { ETHERNET_BYTES } from "../codec/ethernet.ts";

/** A type that IEEE 802 leaves to local use (IEEE 802, 9.2.3). */
export const HELLO_ETHERTYPE = 0x88b5;
/** A group address of local administration: only bridges listen to it. */
export const HELLO_MAC = Uint8Array.of(0x03, 0x68, 0x64, 0x6c, 0x62, 0x72);
/** More bridges side by side than this are refused: each of them keeps still. */
export const MOST_PEERS = 15;

const MAGIC = 0x48444c42;
const VERSION = 1;
const ACTIVE = 0x01;
const HEADER_BYTES = 24;
const ID_BYTES = 8;

/** What a bridge says of itself. */
export interface Hello {
  /** Drawn anew whenever a bridge starts. */
  id: bigint;
  /** It passes packets on, or may. */
  active: boolean;
  /** Hash of the section's name: bridges with the same one share the groups. */
  name: number;
  /** Hash of all groups and their ways. */
  groups: number;
  /** Ids of those that the sender takes for active. */
  peers: readonly bigint[];
}

/** The whole frame. */
export function writeHello(hello: Hello, source: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ETHERNET_BYTES + HEADER_BYTES + hello.peers.length * ID_BYTES);
  copyBytes(bytes, 0, HELLO_MAC, 0, 6);
  copyBytes(bytes, 6, source, 0, 6);
  setU16(bytes, 12, HELLO_ETHERTYPE);
  const at = ETHERNET_BYTES;
  setU32(bytes, at, MAGIC);
  setU8(bytes, at + 4, VERSION);
  setU8(bytes, at + 5, hello.active ? ACTIVE : 0);
  setU8(bytes, at + 6, hello.peers.length);
  setU32(bytes, at + 8, hello.name);
  setU32(bytes, at + 12, hello.groups);
  setU64(bytes, at + 16, hello.id);
  for (const [i, id] of hello.peers.entries()) setU64(bytes, at + HEADER_BYTES + i * ID_BYTES, id);
  return bytes;
}

/** Whether the frame at `at` is for bridges, whatever it says. */
export function isHello(bytes: Uint8Array, at: number, to: number): boolean {
  return at + ETHERNET_BYTES <= to && u16(bytes, at + 12) === HELLO_ETHERTYPE;
}

/** Reads the frame from `at` up to `to`; undefined when it is another's, of another version, or broken. */
export function readHello(bytes: Uint8Array, at: number, to: number): Hello | undefined {
  const start = at + ETHERNET_BYTES;
  if (start + HEADER_BYTES > to || u32(bytes, start) !== MAGIC || u8(bytes, start + 4) !== VERSION) return undefined;
  const count = u8(bytes, start + 6);
  const ids = start + HEADER_BYTES;
  if (count > MOST_PEERS || ids + count * ID_BYTES > to) return undefined;
  return {
    id: u64(bytes, start + 16),
    active: (u8(bytes, start + 5) & ACTIVE) !== 0,
    name: u32(bytes, start + 8),
    groups: u32(bytes, start + 12),
    peers: Array.from({ length: count }, (_, i) => u64(bytes, ids + i * ID_BYTES)),
  };
}

/** A 32-bit hash of text (FNV-1a): equal on every bridge. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
