// Owns which frames the kernel gives to the bridge, as a program of classic BPF (Linux Documentation/networking/filter.rst).
//
// RoCEv2 to IP groups, IGMP and MLD, and the hellos of other bridges; where messages between hosts are bridged, RoCEv2 to the link's own
// hardware address as well, ARP, and neighbour discovery. None that carries a VLAN's tag, which is another network. The kernel has taken tags
// out of the frames, and tells them beside.
import { NEIGHBOUR } from "../../probes/nd.ts";
import { ETHERTYPE } from "../codec/ethernet.ts";
import { PROTOCOL } from "../codec/ipv4.ts";
import { ROCE_PORT } from "../codec/udp.ts";
import { HELLO_ETHERTYPE } from "./hello.ts";

/** Instructions: BPF_LD|BPF_H|BPF_ABS and the like (linux/bpf_common.h). */
const LOAD = { half: 0x28, byte: 0x30, halfAtHeader: 0x48 } as const;
const HEADER_LENGTH = 0xb1;
const JUMP = { equal: 0x15, set: 0x45 } as const;
const MASK = 0x54;
const GIVE = 0x06;
/** Offsets that stand for what is known beside the frame (SKF_AD_OFF and SKF_AD_VLAN_TAG, linux/filter.h). */
const VLAN_TAG = (-0x1000 + 44) >>> 0;
/** What the kernel says of a frame's destination (SKF_AD_PKTTYPE; linux/if_packet.h): the link itself, or another host. */
const PACKET_TYPE = (-0x1000 + 4) >>> 0;
const PACKET = { host: 0, otherHost: 3 } as const;
const ALL = 0x40000;

type Line = [code: number, value: number, jumpTrue?: string, jumpFalse?: string] | [label: string];

/** The program; `hosts`: with what is for single hosts. */
export function socketFilter(hosts = false): Uint8Array {
  const [single4, single6] = hosts ? (["own4", "own6"] as const) : (["drop", "drop"] as const);
  return assemble([
    [LOAD.half, VLAN_TAG],
    [MASK, 0x0fff],
    [JUMP.equal, 0, "untagged", "drop"],
    ["untagged"],
    [LOAD.half, 12],
    [JUMP.equal, HELLO_ETHERTYPE, "give"],
    [JUMP.equal, ETHERTYPE.ipv4, "ipv4"],
    [JUMP.equal, ETHERTYPE.ipv6, "ipv6"],
    [JUMP.equal, ETHERTYPE.arp, hosts ? "neighbour" : "drop", "drop"],
    ["ipv4"],
    [LOAD.byte, 23],
    [JUMP.equal, PROTOCOL.igmp, "give"],
    [JUMP.equal, PROTOCOL.udp, "ipv4-group", "drop"],
    ["ipv4-group"],
    [LOAD.byte, 30],
    [MASK, 0xf0],
    [JUMP.equal, 0xe0, "whole", single4],
    ["own4"],
    [LOAD.half, PACKET_TYPE],
    [JUMP.equal, PACKET.host, "whole", "drop"],
    ["whole"],
    [LOAD.half, 20],
    [JUMP.set, 0x1fff, "drop"],
    [HEADER_LENGTH, 14],
    [LOAD.halfAtHeader, 16],
    [JUMP.equal, ROCE_PORT, "give", "drop"],
    ["ipv6"],
    [LOAD.byte, 20],
    [JUMP.equal, PROTOCOL.hopByHop, "options"],
    [JUMP.equal, PROTOCOL.udp, "ipv6-group"],
    [JUMP.equal, PROTOCOL.icmpv6, hosts ? "icmpv6" : "drop", "drop"],
    // MLD always has options before it (RFC 3810, 5).
    ["options"],
    [LOAD.byte, 54],
    [JUMP.equal, PROTOCOL.icmpv6, "give", "drop"],
    ["icmpv6"],
    [LOAD.byte, 54],
    [JUMP.equal, NEIGHBOUR.solicitation, "neighbour"],
    [JUMP.equal, NEIGHBOUR.advertisement, "neighbour", "drop"],
    ["ipv6-group"],
    [LOAD.byte, 38],
    [JUMP.equal, 0xff, "ipv6-port", single6],
    ["own6"],
    [LOAD.half, PACKET_TYPE],
    [JUMP.equal, PACKET.host, "ipv6-port", "drop"],
    ["ipv6-port"],
    [LOAD.half, 56],
    [JUMP.equal, ROCE_PORT, "give", "drop"],
    ["neighbour"],
    [LOAD.half, PACKET_TYPE],
    [JUMP.equal, PACKET.otherHost, "drop", "give"],
    ["give"],
    [GIVE, ALL],
    ["drop"],
    [GIVE, 0],
  ]);
}

/** Instructions of 8 bytes as the kernel of this machine reads them. */
function assemble(lines: readonly Line[]): Uint8Array {
  const places = new Map<string, number>();
  const instructions: Exclude<Line, [string]>[] = [];
  for (const line of lines) {
    if (line.length === 1) places.set(line[0], instructions.length);
    else instructions.push(line);
  }
  const bytes = new Uint8Array(instructions.length * 8);
  const view = new DataView(bytes.buffer);
  const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  for (const [i, [code, value, jumpTrue, jumpFalse]] of instructions.entries()) {
    view.setUint16(i * 8, code, little);
    bytes[i * 8 + 2] = distance(places, i, jumpTrue);
    bytes[i * 8 + 3] = distance(places, i, jumpFalse);
    view.setUint32(i * 8 + 4, value, little);
  }
  return bytes;
}

function distance(places: ReadonlyMap<string, number>, from: number, label: string | undefined): number {
  return label === undefined ? 0 : (places.get(label) as number) - from - 1;
}
