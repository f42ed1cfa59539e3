// Owns hearing what neighbours on a link say of addresses, whatever sort of hardware it is: ARP and ND.
import type { Family } from "../../model/ip.ts";
import { ARP_PROTOCOL, readArp } from "../../probes/arp.ts";
import { ICMPV6, IPV6_HEADER, IPV6_PROTOCOL, NEIGHBOUR, NEXT_HEADER_AT, readNd } from "../../probes/nd.ts";
import type { NeighbourHeard } from "../../probes/nd.ts";
import { assemble, DROP, JUMP_IF_EQUAL, KEEP, LOAD, RETURN } from "../classic-bpf.ts";
import { ALL_GROUPS, FrameArena, FrameSocket } from "../frames.ts";

/** Offsets that stand for the frame's protocol, and for its network header, wherever the link's header has them (linux/filter.h). */
const PROTOCOL_OF_FRAME = -0x1000;
const NETWORK = -0x100000;
/** Bytes before a packet, by the type of the link (linux/if_arp.h): Ethernet; IP over InfiniBand. */
const HEADER_BYTES: Readonly<Record<number, number>> = { 1: 14, 32: 4 };
const ETHERNET = 1;

/** Whether neighbours are heard on links of a type. */
export function hearsNeighbours(linkType: number): boolean {
  return HEADER_BYTES[linkType] !== undefined;
}

/**
 * Hears neighbours of one IP version on a link until it is closed. On Ethernet also what is for groups that this host is not
 * in; on InfiniBand a group is heard by its members only. Throws HostError: EPERM without CAP_NET_RAW, ENODEV where the link
 * has gone.
 */
export function hearNeighbours(
  { index, type }: { index: number; type: number },
  family: Family,
  hear: (heard: NeighbourHeard) => void,
): () => void {
  const groups = family === 6 && type === ETHERNET ? ALL_GROUPS : undefined;
  const socket = FrameSocket.onLink(index, family === 4 ? onlyArp() : onlyNd(), groups);
  const read = family === 4 ? readArp : readNd;
  const arena = new FrameArena();
  const before = HEADER_BYTES[type] ?? 0;
  socket.onReadable = () => {
    const count = socket.receive(arena);
    for (let slot = 0; slot < count; slot++) {
      const at = arena.at(slot);
      const heard = read(arena.bytes.subarray(at + before, at + Math.max(arena.lengths[slot] as number, before)));
      if (heard !== undefined) hear(heard);
    }
  };
  return () => socket.close();
}

function onlyArp(): Uint8Array {
  return assemble([
    [LOAD.half, 0, 0, PROTOCOL_OF_FRAME],
    [JUMP_IF_EQUAL, 0, 1, ARP_PROTOCOL],
    [RETURN, 0, 0, KEEP],
    [RETURN, 0, 0, DROP],
  ]);
}

function onlyNd(): Uint8Array {
  return assemble([
    [LOAD.half, 0, 0, PROTOCOL_OF_FRAME],
    [JUMP_IF_EQUAL, 0, 6, IPV6_PROTOCOL],
    [LOAD.byte, 0, 0, NETWORK + NEXT_HEADER_AT],
    [JUMP_IF_EQUAL, 0, 4, ICMPV6],
    [LOAD.byte, 0, 0, NETWORK + IPV6_HEADER],
    [JUMP_IF_EQUAL, 1, 0, NEIGHBOUR.solicitation],
    [JUMP_IF_EQUAL, 0, 1, NEIGHBOUR.advertisement],
    [RETURN, 0, 0, KEEP],
    [RETURN, 0, 0, DROP],
  ]);
}
