// Owns the names of IP protocols that the file, and commands, have.
import type { Family } from "./ip.ts";

/** Numbers by name (IANA, Assigned Internet Protocol Numbers). */
export const IP_PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  sctp: 132,
  udplite: 136,
};

/** The number of a protocol that the schema let pass; ICMP means the family's own. */
export function protocolNumber(protocol: string | number, family: Family): number {
  if (protocol === "icmp" && family === 6) return IP_PROTOCOLS["icmpv6"] as number;
  return typeof protocol === "number" ? protocol : (IP_PROTOCOLS[protocol] as number);
}
