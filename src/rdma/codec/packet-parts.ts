// Owns where the parts of a packet are: one object that is filled for each packet in turn.

/**
 * Offsets of the headers of one packet, −1 for one that it does not have or that was not captured. Filled by
 * locate.ts; what it found before it met a fault stays.
 */
export class PacketParts {
  /** Type of the frame behind any VLAN tags; 0 on InfiniBand. */
  etherType = 0;
  /** Where the frame's first tag is, behind the type that announces it. */
  vlan = -1;
  lrh = -1;
  grh = -1;
  ipv4 = -1;
  ipv6 = -1;
  udp = -1;
  bth = -1;
  deth = -1;
  imm = -1;
  payload = -1;
  /** Behind the payload; padding may follow. Not beyond what was captured. */
  payloadEnd = -1;
  icrc = -1;
  vcrc = -1;
  /** Behind the ICRC, by the packet's own lengths; the bytes may end before. */
  end = -1;

  /** Forgets the packet before. */
  clear(): void {
    this.etherType = 0;
    this.vlan = -1;
    this.lrh = -1;
    this.grh = -1;
    this.ipv4 = -1;
    this.ipv6 = -1;
    this.udp = -1;
    this.bth = -1;
    this.deth = -1;
    this.imm = -1;
    this.payload = -1;
    this.payloadEnd = -1;
    this.icrc = -1;
    this.vcrc = -1;
    this.end = -1;
  }
}
