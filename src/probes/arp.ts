// Owns the packets by which an IPv4 neighbour is asked for and answers, by Ethernet and InfiniBand (RFC 826; RFC 4391
// section 9.1).
import { formatAddress } from "../model/ip.ts";
import type { NeighbourHeard } from "./nd.ts";

/** EtherType of ARP. */
export const ARP_PROTOCOL = 0x0806;

/** Link layers that have ARP, by their number there, which is the kernel's own. */
const HARDWARE: ReadonlySet<number> = new Set([1, 32]);

const REQUEST = 1;
export const ARP_REPLY = 2;
/** Where a packet says what it is. */
export const ARP_OPERATION_AT = 6;
const IPV4 = 0x0800;
const NOBODY = "0.0.0.0";

/** Who asks: a link by its type (ARPHRD_*) and hardware address, and its IPv4 address, of zeros where it has none. */
export interface ArpAsker {
  hardware: number;
  own: Uint8Array;
  ip: Uint8Array;
}

/** The question who has an IPv4 address; undefined for links that have no ARP. */
export function makeArpQuestion({ hardware, own, ip }: ArpAsker, target: Uint8Array): Uint8Array | undefined {
  if (!HARDWARE.has(hardware)) return undefined;
  const bytes = new Uint8Array(8 + 2 * (own.length + ip.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, hardware);
  view.setUint16(2, IPV4);
  bytes[4] = own.length;
  bytes[5] = ip.length;
  view.setUint16(ARP_OPERATION_AT, REQUEST);
  bytes.set(own, 8);
  bytes.set(ip, 8 + own.length);
  // The hardware address that is asked for stays zero.
  bytes.set(target, 8 + 2 * own.length + ip.length);
  return bytes;
}

/** What a neighbour says by ARP; undefined for what is broken, or neither question nor answer of IPv4. */
export function readArp(bytes: Uint8Array): NeighbourHeard | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [hardwareLength, length] = [bytes[4] as number, bytes[5] as number];
  if (view.getUint16(2) !== IPV4 || length !== 4 || bytes.length < 8 + 2 * (hardwareLength + length)) return undefined;
  const operation = view.getUint16(ARP_OPERATION_AT);
  if (operation !== REQUEST && operation !== ARP_REPLY) return undefined;
  const at = 8 + hardwareLength;
  const sender = formatAddress(bytes.slice(at, at + length));
  const target = formatAddress(bytes.slice(at + length + hardwareLength, at + 2 * length + hardwareLength));
  return {
    // Who probes (RFC 5227 section 2.1.1) has none yet.
    ...(sender === NOBODY ? {} : { present: sender }),
    ...(operation === REQUEST && target !== sender ? { wanted: target } : {}),
  };
}
