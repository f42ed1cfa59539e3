// Owns the adverts of virtual routers, as they come by a link: VRRP of version 2 (RFC 3768) and 3 (RFC 5798).
import { formatAddress } from "../model/ip.ts";
import type { Family } from "../model/ip.ts";
import type { Advert } from "../model/picture.ts";

/** The IP protocol, and where the header of either IP version says it. */
export const VRRP = { protocol: 112, at: { 4: 9, 6: 6 } } as const;

const ADVERTISEMENT = 1;
const HEADER6 = 40;
/** What no router has passed on (RFC 5798 section 5.1.1.3). To one host alone, keepalived sends IPv6 adverts with fewer. */
const HOPS = 255;
/** What comes before the addresses. */
const FIXED = 8;

/** The advert in a packet that begins with its IP header; undefined for what is none, or not whole. */
export function readAdvert(family: Family, packet: Uint8Array): Omit<Advert, "link"> | undefined {
  const start = family === 4 ? ((packet[0] ?? 0) & 0x0f) * 4 : HEADER6;
  if (packet.length < start + FIXED || start < 20 || (packet[0] ?? 0) >>> 4 !== family) return undefined;
  const [hops, protocol] = family === 4 ? [packet[8], packet[9]] : [packet[7], packet[6]];
  const toGroup = family === 4 ? (packet[16] ?? 0) >>> 4 === 0xe : packet[24] === 0xff;
  if ((toGroup && hops !== HOPS) || protocol !== VRRP.protocol) return undefined;
  const body = packet.subarray(start);
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const [kind, id, priority, count] = [body[0], body[1], body[2], body[3]] as [number, number, number, number];
  const version = kind >>> 4;
  if ((kind & 0x0f) !== ADVERTISEMENT || id === 0) return undefined;
  if (version !== 3 && (version !== 2 || family === 6)) return undefined;
  const size = family === 4 ? 4 : 16;
  if (body.length < FIXED + count * size) return undefined;
  const source = family === 4 ? packet.subarray(12, 16) : packet.subarray(8, 24);
  return {
    family,
    source: formatAddress(source),
    version,
    id,
    priority,
    // Version 2 says seconds, version 3 hundredths of them, in twelve bits.
    intervalMs: version === 2 ? (body[5] as number) * 1000 : (view.getUint16(4) & 0x0fff) * 10,
    addresses: Array.from({ length: count }, (_, i) =>
      formatAddress(body.subarray(FIXED + i * size, FIXED + (i + 1) * size)),
    ),
  };
}
