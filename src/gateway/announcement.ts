// Owns the packet by which a link tells its neighbours that an address is here now (gratuitous ARP).

/** EtherType of ARP. */
export const ARP_PROTOCOL = 0x0806;

/** Link layers that have ARP, by their number there, which is the kernel's own (RFC 826; RFC 4391 section 9.1). */
const HARDWARE: ReadonlySet<number> = new Set([1, 32]);

const REQUEST = 1;
const IPV4 = 0x0800;

/** A packet to be sent by a link, without the header of the link layer. */
export interface Announcement {
  to: Uint8Array;
  bytes: Uint8Array;
}

/**
 * The announcement of an IPv4 address: a request for the address by the address itself (RFC 5227 section 3), which every
 * neighbour that knows it takes to heart. Undefined for links that have no ARP. `hardware` is the type of the link
 * (ARPHRD_*), `own` and `broadcast` are its hardware addresses.
 */
export function makeAnnouncement(
  hardware: number,
  own: Uint8Array,
  broadcast: Uint8Array,
  ip: Uint8Array,
): Announcement | undefined {
  if (!HARDWARE.has(hardware)) return undefined;
  const bytes = new Uint8Array(8 + 2 * (own.length + ip.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, hardware);
  view.setUint16(2, IPV4);
  bytes[4] = own.length;
  bytes[5] = ip.length;
  view.setUint16(6, REQUEST);
  bytes.set(own, 8);
  bytes.set(ip, 8 + own.length);
  // The hardware address that is asked for stays zero.
  bytes.set(ip, 8 + 2 * own.length + ip.length);
  return { to: broadcast, bytes };
}
