// Owns what a capture file says of one packet, whatever its format.

/** What a packet's bytes begin with. */
export type LinkLayer = "ethernet" | "infiniband" | "linux-sll" | "linux-sll2" | "unknown";

/** One packet of a capture. Filled anew for each: what is to be kept is to be copied. */
export class CapturedPacket {
  /** From 1, as other tools count. */
  number = 0;
  /** Since 1970. */
  seconds = 0;
  nanoseconds = 0;
  linkLayer: LinkLayer = "unknown";
  /** Where the bytes are that were kept: from `from` up to `to`. */
  bytes: Uint8Array = new Uint8Array();
  from = 0;
  to = 0;
  /** Length on the wire; more than was kept where the capture was limited. */
  wireBytes = 0;
}

/** What a reader of one format makes of the bytes from `at` up to `to`. */
export interface Taken {
  /** Bytes that were used up; 0 when more are needed before anything can be said. */
  bytes: number;
  /** They held a packet. */
  packet: boolean;
}

/** The format of a file: reads record after record. Throws BrokenCapture. */
export type RecordReader = (bytes: Uint8Array, at: number, to: number, into: CapturedPacket) => Taken;

/** More bytes are needed. */
export const MORE: Taken = { bytes: 0, packet: false };

/** A packet that says that it is longer is a lie; no link has frames as long, in bytes. */
export const MOST_PACKET_BYTES = 262_144;

/** A file that is no capture, or is broken; the message is the end of a sentence about the file. */
export class BrokenCapture extends Error {
  override name = "BrokenCapture";
}

/** Link types of pcap and pcapng that are understood (https://www.tcpdump.org/linktypes.html). ERF is apart. */
const LINK_LAYERS: Readonly<Record<number, LinkLayer>> = {
  1: "ethernet",
  113: "linux-sll",
  247: "infiniband",
  276: "linux-sll2",
};

/** The link type whose packets are ERF records. */
export const LINK_TYPE_ERF = 197;

/** What packets of a link type begin with. */
export function linkLayerOf(linkType: number): LinkLayer {
  return LINK_LAYERS[linkType] ?? "unknown";
}
