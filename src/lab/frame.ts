// Owns the decoding of Ethernet frames as far as the lab's judgement needs it. Pure.
import { formatAddress } from "../model/ip.ts";

interface Ends {
  /** Hardware addresses in lower case with colons. */
  sourceMac: string;
  destinationMac: string;
}

/** An ARP packet; `sender` asks for `target`, or tells its own address to it. */
interface ArpFrame extends Ends {
  kind: "arp-request" | "arp-reply";
  sender: string;
  target: string;
}

/** Neighbour discovery: `target` is the address that is looked for or told of. */
interface NeighbourFrame extends Ends {
  kind: "neighbour-solicitation" | "neighbour-advertisement";
  source: string;
  destination: string;
  target: string;
}

interface EchoFrame extends Ends {
  kind: "echo-request" | "echo-reply";
  source: string;
  destination: string;
  id: number;
  sequence: number;
}

/** A TCP segment or a UDP datagram. `flags` are TCP's: the low byte, SYN is 2. */
interface PortFrame extends Ends {
  kind: "tcp" | "udp";
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  flags: number;
}

interface OtherFrame extends Ends {
  kind: "other";
  /** EtherType. */
  type: number;
}

export type Frame = ArpFrame | NeighbourFrame | EchoFrame | PortFrame | OtherFrame;

const ARP = 0x0806;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const IPV6_HEADER = 40;

/** Decodes a frame, which may be cut off; what is cut, fragmented or unknown is "other". Undefined below 14 bytes. */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < 14) return undefined;
  const ends = { destinationMac: macText(bytes.subarray(0, 6)), sourceMac: macText(bytes.subarray(6, 12)) };
  const type = word(bytes, 12);
  const rest = bytes.subarray(14);
  const packet =
    type === ARP ? decodeArp(rest) : type === IPV4 ? decodeIpv4(rest) : type === IPV6 ? decodeIpv6(rest) : undefined;
  return packet ? { ...ends, ...packet } : { ...ends, kind: "other", type };
}

type Packet = Frame extends infer F ? (F extends Ends ? Omit<F, keyof Ends> : never) : never;

function decodeArp(bytes: Uint8Array): Packet | undefined {
  const operation = word(bytes, 6);
  if (bytes.length < 28 || word(bytes, 2) !== IPV4 || (operation !== 1 && operation !== 2)) return undefined;
  const kind = operation === 1 ? "arp-request" : "arp-reply";
  return { kind, sender: formatAddress(bytes.subarray(14, 18)), target: formatAddress(bytes.subarray(24, 28)) };
}

function decodeIpv4(bytes: Uint8Array): Packet | undefined {
  const header = ((bytes[0] ?? 0) & 0x0f) * 4;
  const fragment = word(bytes, 6) & 0x1fff;
  if (bytes.length < header || header < 20 || fragment !== 0) return undefined;
  const source = formatAddress(bytes.subarray(12, 16));
  const destination = formatAddress(bytes.subarray(16, 20));
  return decodeTransport(bytes[9] ?? 0, bytes.subarray(header), source, destination);
}

function decodeIpv6(bytes: Uint8Array): Packet | undefined {
  if (bytes.length < IPV6_HEADER) return undefined;
  const source = formatAddress(bytes.subarray(8, 24));
  const destination = formatAddress(bytes.subarray(24, 40));
  return decodeTransport(bytes[6] ?? 0, bytes.subarray(IPV6_HEADER), source, destination);
}

function decodeTransport(protocol: number, bytes: Uint8Array, source: string, destination: string): Packet | undefined {
  if ((protocol === 6 && bytes.length >= 14) || (protocol === 17 && bytes.length >= 8)) {
    const ports = { sourcePort: word(bytes, 0), destinationPort: word(bytes, 2) };
    const tcp = protocol === 6;
    return { kind: tcp ? "tcp" : "udp", source, destination, ...ports, flags: tcp ? (bytes[13] ?? 0) : 0 };
  }
  if (bytes.length < 8 || (protocol !== 1 && protocol !== 58)) return undefined;
  const type = bytes[0] ?? 0;
  const [request, reply] = protocol === 1 ? [8, 0] : [128, 129];
  if (type === request || type === reply) {
    const kind = type === request ? "echo-request" : "echo-reply";
    return { kind, source, destination, id: word(bytes, 4), sequence: word(bytes, 6) };
  }
  if (protocol === 58 && (type === 135 || type === 136) && bytes.length >= 24) {
    const kind = type === 135 ? "neighbour-solicitation" : "neighbour-advertisement";
    return { kind, source, destination, target: formatAddress(bytes.subarray(8, 24)) };
  }
  return undefined;
}

function word(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

function macText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
