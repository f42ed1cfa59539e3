// Owns a whole packet taken apart by the codec's readers: the opposite of build-packet.ts.
import { Bth, Deth, readBth, readDeth } from "./bth.ts";
import { u32 } from "./bytes.ts";
import { Ethernet, ETHERNET_BYTES, isVlanType, readEthernet, readVlan, Vlan, VLAN_BYTES } from "./ethernet.ts";
import { Grh, readGrh } from "./grh.ts";
import { Ipv4, readIpv4 } from "./ipv4.ts";
import { Lrh, readLrh } from "./lrh.ts";
import { isUd } from "./opcodes.ts";
import type { PacketParts } from "./packet-parts.ts";
import { readUdp, Udp } from "./udp.ts";
import type { PacketFields, Wire } from "./build-packet.ts";

/** The fields of a packet that was located without a fault; what its wire does not have is as new. */
export function readPacket(parts: PacketParts, bytes: Uint8Array, at = 0): PacketFields {
  const fields: PacketFields = {
    wire: wireOf(parts),
    ethernet: new Ethernet(),
    vlans: [],
    ipv4: new Ipv4(),
    grh: new Grh(),
    udp: new Udp(),
    checksum: false,
    lrh: new Lrh(),
    bth: new Bth(),
    deth: new Deth(),
    immediate: 0,
    extension: new Uint8Array(),
    payload: bytes.slice(parts.payload, parts.payloadEnd),
  };
  if (parts.lrh >= 0) readLrh(bytes, parts.lrh, fields.lrh);
  else {
    readEthernet(bytes, at, fields.ethernet);
    fields.vlans = readVlans(bytes, at + ETHERNET_BYTES, fields.ethernet.type);
  }
  if (parts.ipv4 >= 0) readIpv4(bytes, parts.ipv4, fields.ipv4);
  if (parts.ipv6 >= 0) readGrh(bytes, parts.ipv6, fields.grh);
  if (parts.grh >= 0) readGrh(bytes, parts.grh, fields.grh);
  if (parts.udp >= 0) {
    readUdp(bytes, parts.udp, fields.udp);
    fields.checksum = fields.udp.checksum !== 0;
  }
  readBth(bytes, parts.bth, fields.bth);
  if (isUd(fields.bth.opcode)) readDeth(bytes, parts.deth, fields.deth);
  else fields.extension = bytes.slice(parts.bth + 12, parts.payload);
  if (parts.imm >= 0) fields.immediate = u32(bytes, parts.imm);
  return fields;
}

function wireOf({ lrh, grh, ipv4 }: PacketParts): Wire {
  if (lrh >= 0) return grh >= 0 ? "ib-global" : "ib-local";
  return grh >= 0 ? "rocev1" : ipv4 >= 0 ? "roce-ipv4" : "roce-ipv6";
}

function readVlans(bytes: Uint8Array, at: number, type: number): Vlan[] {
  const vlans: Vlan[] = [];
  for (let next = type; isVlanType(next); at += VLAN_BYTES) {
    const vlan = new Vlan();
    readVlan(bytes, at, vlan);
    vlans.push(vlan);
    next = vlan.type;
  }
  return vlans;
}
