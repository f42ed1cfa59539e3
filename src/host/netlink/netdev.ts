// Owns the question what links can do with frames of programs (XDP): the generic netlink family "netdev" of Linux 6.3
// (include/uapi/linux/netdev.h, genetlink.h).
import { constants } from "node:os";
import type { NamespaceFd } from "../native.ts";
import { eachAttribute } from "./packet.ts";
import { dump } from "./dump.ts";
import { Line } from "./line.ts";
import type { Packet } from "./packet.ts";
import { openTransport } from "./transport.ts";

/** What a link can do with frames, as its driver tells it. */
export interface FrameFeatures {
  /** Index of the link. */
  index: number;
  /** Programs get its frames before the kernel makes packets of them, and may send them by another link. */
  receives: boolean;
  /** It sends frames that programs at other links give it. */
  sends: boolean;
}

const NETLINK_GENERIC = 16;
/** Type of the messages about families, which is the only one that is fixed (GENL_ID_CTRL). */
const CONTROL = 16;
const GET_FAMILY = 3;
const FAMILY_ID = 1;
const FAMILY_NAME = 2;
const DEVICE_GET = 1;
const DEVICE_INDEX = 1;
const DEVICE_FEATURES = 3;
/** Bits of NETDEV_A_DEV_XDP_FEATURES (enum netdev_xdp_act), all in the lower half of its 64. */
const BASIC = 1;
const REDIRECT = 2;
const SEND = 4;
/** struct genlmsghdr: command, version, two bytes unused. */
const HEADER_LENGTH = 4;

/** What each link can do; none on kernels that do not tell (before 6.3). Rejects with NetlinkError, HostError. */
export async function listFrameFeatures(namespace: NamespaceFd): Promise<FrameFeatures[]> {
  const transport = openTransport({ namespace, protocol: NETLINK_GENERIC });
  const line = new Line(transport);
  try {
    const families = await ask(line, "families of generic netlink", CONTROL, GET_FAMILY, decodeFamily);
    const family = families.find(({ name }) => name === "netdev");
    return family ? await ask(line, "features of links", family.id, DEVICE_GET, decodeFeatures) : [];
  } finally {
    line.close();
  }
}

async function ask<T>(
  line: Line,
  object: string,
  type: number,
  command: number,
  decode: (packet: Packet, at: number, end: number) => T | undefined,
): Promise<T[]> {
  return dump(line, {
    object,
    type,
    encode(encoder, flags, sequence) {
      const header = encoder.message(type, flags, sequence, HEADER_LENGTH);
      encoder.setU8(header, command);
      encoder.setU8(header + 1, 1);
      encoder.finish(header);
    },
    decode,
    none: [constants.errno.EOPNOTSUPP],
  });
}

/** Reads a family's name and number. Throws MalformedMessage. */
export function decodeFamily(packet: Packet, at: number, end: number): { id: number; name: string } | undefined {
  packet.need(at, HEADER_LENGTH, end);
  const family = { id: 0, name: "" };
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    if (type === FAMILY_ID) family.id = packet.u16(start, length);
    else if (type === FAMILY_NAME) family.name = packet.text(start, length);
  });
  return family.id === 0 ? undefined : family;
}

/** Reads what one link can do. Throws MalformedMessage. */
export function decodeFeatures(packet: Packet, at: number, end: number): FrameFeatures {
  packet.need(at, HEADER_LENGTH, end);
  const link: FrameFeatures = { index: 0, receives: false, sends: false };
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    if (type === DEVICE_INDEX) link.index = packet.u32(start, length);
    else if (type === DEVICE_FEATURES) {
      packet.need(start, 8, start + length);
      const bits = packet.view.getUint32(start, true);
      link.receives = (bits & (BASIC | REDIRECT)) === (BASIC | REDIRECT);
      link.sends = (bits & SEND) !== 0;
    }
  });
  return link;
}
