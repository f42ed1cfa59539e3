// Owns which multicast GID on InfiniBand stands for an IP group.
//
//     RDMA-CM   ff 1s 40 01 | P_Key | 0 … 0 | lower 28 bits of IPv4     (60 01 for IPv6, lower 80 bits)
//     IPoIB     ff 1s 40 1b | P_Key | 0 … 0 | lower 28 bits of IPv4     (60 1b for IPv6; RFC 4391, 4)
//     port      ff 15 a0 1b | P_Key | 0 … 0 | port | IPv4
//     raw       as it is written
//
// Sources: Linux cma_set_mgid (drivers/infiniband/core/cma.c), ip_ib_mc_map and ipv6_ib_mc_map (include/net/ip.h, if_inet6.h).
import { copyBytes, setU16, u8 } from "../codec/bytes.ts";

/** How an MGID is made of a group. `raw` MGIDs are not made. */
export const MGID_FORMATS = ["rdma-cm", "ipoib", "port"] as const;
export type MgidFormat = (typeof MGID_FORMATS)[number];

/** Which of the two bits that make it: 4 for IPv4, 6 for IPv6. */
const SIGNATURE = { "rdma-cm": 0x4001, ipoib: 0x401b } as const;
const IPV6_BIT = 0x2000;
const PORT_SIGNATURE = 0xa01b;
/** Transient, of the site: what the convention with ports has. */
const PORT_PREFIX = 0xff15;
/** Bytes of the group that IPv6's MGIDs keep. */
const IPV6_KEPT = 10;

/** What an MGID is made of. */
export interface MgidParts {
  format: MgidFormat;
  /** 4 or 16 bytes; `port` knows IPv4 only. */
  group: Uint8Array;
  /** With the bit of full members, as MGIDs have it. */
  pKey: number;
  /** Scope of the fabric's broadcast group, 2 (link-local) unless it was made otherwise. */
  scope: number;
  /** UDP port, of the format with ports. */
  port?: number;
}

/** The MGID, 16 bytes. RangeError for IPv6 in the format with ports, and without a port. */
export function makeMgid({ format, group, pKey, scope, port }: MgidParts): Uint8Array {
  const mgid = new Uint8Array(16);
  setU16(mgid, 4, pKey | 0x8000);
  if (format === "port") {
    if (group.length !== 4 || port === undefined)
      throw new RangeError("an MGID with a port is made of IPv4 and a port");
    setU16(mgid, 0, PORT_PREFIX);
    setU16(mgid, 2, PORT_SIGNATURE);
    setU16(mgid, 10, port);
    copyBytes(mgid, 12, group, 0, 4);
    return mgid;
  }
  setU16(mgid, 0, 0xff10 | scope);
  setU16(mgid, 2, SIGNATURE[format] | (group.length === 16 ? IPV6_BIT : 0));
  if (group.length === 16) {
    copyBytes(mgid, 16 - IPV6_KEPT, group, 16 - IPV6_KEPT, IPV6_KEPT);
  } else {
    copyBytes(mgid, 12, group, 0, 4);
    mgid[12] = u8(group, 0) & 0x0f;
  }
  return mgid;
}

/** The hardware address of frames to an IP group, 6 bytes (RFC 1112, 6.4; RFC 2464, 7). */
export function groupMac(group: Uint8Array): Uint8Array {
  if (group.length === 16) return Uint8Array.of(0x33, 0x33, ...group.subarray(12));
  return Uint8Array.of(0x01, 0x00, 0x5e, u8(group, 1) & 0x7f, u8(group, 2), u8(group, 3));
}
