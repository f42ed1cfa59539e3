// Owns hearing ARP on a link, of any sort of hardware: who asks for whom (RFC 826).
import { FrameArena, FrameSocket } from "../frames.ts";
import { formatAddress } from "../../model/ip.ts";

/** ETH_P_ARP and ETH_P_IP (linux/if_ether.h). */
const ARP_TYPE = 0x0806;
const IPV4 = 0x0800;
/** Offset that stands for the frame's protocol, wherever the link's header has it (SKF_AD_OFF, linux/filter.h). */
const PROTOCOL_OF_FRAME = -0x1000 >>> 0;
/** Bytes before an ARP packet, by the type of the link (linux/if_arp.h): Ethernet; IP over InfiniBand. */
const HEADER_BYTES: Readonly<Record<number, number>> = { 1: 14, 32: 4 };

/** What a host has said by ARP. */
export interface ArpHeard {
  /** Its own address; absent for a probe (RFC 5227), which has none yet. */
  sender?: string;
  /** Whom it asks for; absent for an answer. */
  target?: string;
}

/** Whether ARP is heard on links of a type. */
export function hearsArp(linkType: number): boolean {
  return HEADER_BYTES[linkType] !== undefined;
}

/** Hears a link until it is closed. Throws HostError: EPERM without CAP_NET_RAW, ENODEV where the link has gone. */
export function hearArp(index: number, linkType: number, hear: (heard: ArpHeard) => void): () => void {
  const socket = FrameSocket.onLink(index, onlyArp());
  const arena = new FrameArena();
  const before = HEADER_BYTES[linkType] ?? 0;
  socket.onReadable = () => {
    const count = socket.receive(arena);
    for (let slot = 0; slot < count; slot++) {
      const at = arena.at(slot);
      const heard = readArp(arena.bytes.subarray(at + before, at + Math.max(arena.lengths[slot] as number, before)));
      if (heard !== undefined) hear(heard);
    }
  };
  return () => socket.close();
}

/** What an ARP packet says; undefined when it is short, of other addresses than IPv4's, or neither question nor answer. */
export function readArp(bytes: Uint8Array): ArpHeard | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint8(4);
  if (view.getUint16(2) !== IPV4 || view.getUint8(5) !== 4 || bytes.length < 8 + 2 * (length + 4)) return undefined;
  const operation = view.getUint16(6);
  if (operation !== 1 && operation !== 2) return undefined;
  const sender = formatAddress(bytes.slice(8 + length, 12 + length));
  const target = formatAddress(bytes.slice(12 + 2 * length, 16 + 2 * length));
  return {
    ...(sender === "0.0.0.0" ? {} : { sender }),
    ...(operation === 1 && target !== sender ? { target } : {}),
  };
}

/** Classic BPF: ld proto; jeq ARP; give it, or nothing. */
function onlyArp(): Uint8Array {
  const words = [
    [0x28, 0, 0, PROTOCOL_OF_FRAME],
    [0x15, 0, 1, ARP_TYPE],
    [0x06, 0, 0, 0x40000],
    [0x06, 0, 0, 0],
  ] as const;
  const bytes = new Uint8Array(words.length * 8);
  const view = new DataView(bytes.buffer);
  const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  for (const [i, [code, whenTrue, whenFalse, value]] of words.entries()) {
    view.setUint16(i * 8, code, little);
    view.setUint8(i * 8 + 2, whenTrue);
    view.setUint8(i * 8 + 3, whenFalse);
    view.setUint32(i * 8 + 4, value, little);
  }
  return bytes;
}
