// Owns packets for tests of the programs that read them: IPv4 and IPv6 with all that may stand between the addresses and
// the ports.
import { familyOf, parseAddress } from "../../../model/ip.ts";
import type { Flow } from "../../../model/spread-hash.ts";

/** What is unusual about a packet. */
export interface Oddities {
  /** Bytes of IPv4 options, a multiple of 4, at most 40. */
  options?: number;
  /** IPv6 extension headers by number, in their order: 0, 43, 60, 51, 135. */
  extensions?: readonly number[];
  /** A fragment: its offset in units of 8 bytes, and whether more come. */
  fragment?: { offset: number; more: boolean };
  /** Bytes behind the ports. */
  payload?: Uint8Array;
}

const IPV4_FIXED = 20;
const IPV6_FIXED = 40;
const AUTHENTICATION = 51;
const FRAGMENT = 44;
const WITH_PORTS = new Set([6, 17, 33, 132, 136]);
const ECHO: Record<number, number> = { 1: 8, 58: 128 };

/** The IP packet of a flow. */
export function packetOf(flow: Flow, odd: Oddities = {}): Uint8Array {
  const body = bodyOf(flow, odd.payload ?? new Uint8Array(32));
  return familyOf(flow.source) === 4 ? packet4(flow, odd, body) : packet6(flow, odd, body);
}

/** The packet in an Ethernet frame to nobody (whom the loopback device takes for itself). */
export function frameOf(packet: Uint8Array): Uint8Array {
  const header = new Uint8Array(14);
  const type = (packet[0] ?? 0) >> 4 === 4 ? 0x0800 : 0x86dd;
  header.set([type >> 8, type & 0xff], 12);
  return joined(header, packet);
}

/** An ICMP error that quotes a packet, from somebody on its way to its sender. */
export function errorAbout(packet: Uint8Array, from: string, to: string, type: number): Uint8Array {
  const family = familyOf(from);
  const head = new Uint8Array(8);
  head[0] = type;
  const quoted = family === 4 ? packet.subarray(0, ((packet[0] ?? 0) & 15) * 4 + 8) : packet;
  const flow = { source: from, destination: to, protocol: family === 4 ? 1 : 58 };
  const body = joined(head, quoted);
  return family === 4 ? packet4(flow, {}, body) : packet6(flow, {}, body);
}

function bodyOf({ protocol, ports, echo }: Flow, payload: Uint8Array): Uint8Array {
  const head = new Uint8Array(20);
  const view = new DataView(head.buffer);
  if (WITH_PORTS.has(protocol)) {
    view.setUint16(0, ports?.source ?? 0);
    view.setUint16(2, ports?.destination ?? 0);
  } else if (protocol in ECHO) {
    // Without an identifier it is something that asks nobody: a redirect of IPv4, a router's advertisement of IPv6.
    head[0] = echo === undefined ? (protocol === 1 ? 5 : 134) : (ECHO[protocol] as number);
    view.setUint16(4, echo ?? 0);
  }
  return joined(head, payload);
}

function packet4(flow: Flow, { options = 0, fragment }: Oddities, body: Uint8Array): Uint8Array {
  const header = new Uint8Array(IPV4_FIXED + options).fill(1, IPV4_FIXED);
  const view = new DataView(header.buffer);
  header[0] = 0x40 | (header.length / 4);
  view.setUint16(2, header.length + body.length);
  if (fragment) view.setUint16(6, (fragment.more ? 0x2000 : 0) | fragment.offset);
  else view.setUint16(6, 0x4000);
  header.set([64, flow.protocol], 8);
  header.set(parseAddress(flow.source) as Uint8Array, 12);
  header.set(parseAddress(flow.destination) as Uint8Array, 16);
  return joined(header, body);
}

function packet6(flow: Flow, { extensions = [], fragment }: Oddities, body: Uint8Array): Uint8Array {
  const numbers = [...extensions, ...(fragment ? [FRAGMENT] : [])];
  const parts = numbers.map((number, i) => {
    // One of 16 bytes, but for the fragment header, which has no length.
    const part = new Uint8Array(number === FRAGMENT ? 8 : 16);
    part[0] = numbers[i + 1] ?? flow.protocol;
    if (number !== FRAGMENT) part[1] = number === AUTHENTICATION ? 2 : 1;
    else if (fragment) new DataView(part.buffer).setUint16(2, (fragment.offset << 3) | (fragment.more ? 1 : 0));
    return part;
  });
  const header = new Uint8Array(IPV6_FIXED);
  header[0] = 0x60;
  const rest = joined(...parts, body);
  new DataView(header.buffer).setUint16(4, rest.length);
  header.set([numbers[0] ?? flow.protocol, 64], 6);
  header.set(parseAddress(flow.source) as Uint8Array, 8);
  header.set(parseAddress(flow.destination) as Uint8Array, 24);
  return joined(header, rest);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
