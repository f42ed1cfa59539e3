// Owns the way from a packet to its bucket, as the programs have it (native/bpf/spread.h): what explains a packet's way
// and what tests the programs ask it here.
import { parseAddress } from "./ip.ts";
import { SPREAD_BOUNDS } from "./spread-program.ts";

/** What a packet is hashed by. */
export interface Flow {
  /** Addresses of one IP version. */
  source: string;
  destination: string;
  /** IP protocol number; of IPv6, behind the extension headers. */
  protocol: number;
  /** Absent for protocols without ports, and for fragments. */
  ports?: { source: number; destination: number };
  /** Identifier of an echo request or reply, in the place of ports. */
  echo?: number;
}

const MASK = (1n << 64n) - 1n;
/** 2^64 divided by the golden ratio: consecutive numbers come out far apart. */
const MULTIPLIER = 0x9e3779b97f4a7c15n;

/** The hash of a flow, 64 bits. `key` is the spread's, 16 bytes. */
export function hashFlow(key: Uint8Array, flow: Flow): bigint {
  const keys = words(key);
  const [source, destination] = [mustParse(flow.source), mustParse(flow.destination)];
  const addresses = new Uint8Array(2 * source.length);
  addresses.set(source);
  addresses.set(destination, source.length);
  let hash = keys[0] ?? 0n;
  for (const word of words(addresses)) hash = mix(hash, word);
  hash = mix(hash, (keys[1] ?? 0n) ^ BigInt(flow.protocol));
  const ports = portsOf(flow);
  return ports === undefined ? hash : mix(hash, (1n << 32n) | ports);
}

/** The bucket of a hash, 0 to 1023: its highest bits, which every bit of the flow has a part in. */
export function bucketOf(hash: bigint): number {
  const shift = BigInt(64 - Math.log2(SPREAD_BOUNDS.buckets));
  return Number(((hash * MULTIPLIER) & MASK) >> shift);
}

/** Who of `order`, the members that can carry packets, takes the packets of one that cannot; 0 for nobody. */
export function standInOf(hash: bigint, order: readonly number[]): number {
  return order[Number(((hash & 0xffffffn) * BigInt(order.length)) >> 24n)] ?? 0;
}

function mix(hash: bigint, word: bigint): bigint {
  const mixed = ((hash ^ word) * MULTIPLIER) & MASK;
  return mixed ^ (mixed >> 32n);
}

/** As they stand in the packet, read as one little-endian number. */
function portsOf({ ports, echo }: Flow): bigint | undefined {
  const swapped = (port: number): number => ((port & 0xff) << 8) | (port >> 8);
  if (echo !== undefined) return BigInt(swapped(echo));
  if (!ports) return undefined;
  return BigInt(swapped(ports.source)) | (BigInt(swapped(ports.destination)) << 16n);
}

function words(bytes: Uint8Array): bigint[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 8 }, (_, i) => view.getBigUint64(8 * i, true));
}

function mustParse(address: string): Uint8Array {
  const bytes = parseAddress(address);
  if (!bytes) throw new RangeError(`not an address: ${address}`);
  return bytes;
}

/** A spread as far as it decides about packets. */
export interface Placed {
  /** 16 bytes. */
  key: Uint8Array;
  /** Who has each bucket, or takes it over with the next packet. */
  members: Uint8Array;
  /** Numbers of the members that can carry packets, and whom they stand in for each other by, as the program has it. */
  up: readonly number[];
  order: readonly number[];
}

/** The bucket of a flow, and the number of the member that it goes by; 0 when none can carry it. */
export function decideMember({ key, members, up, order }: Placed, flow: Flow): { bucket: number; member: number } {
  const hash = hashFlow(key, flow);
  const bucket = bucketOf(hash);
  const own = members[bucket] ?? 0;
  return { bucket, member: up.includes(own) ? own : standInOf(hash, order) };
}
