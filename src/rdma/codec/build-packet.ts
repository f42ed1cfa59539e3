// Owns whole packets made by the codec's writers: headers from their fields, lengths and CRCs as they follow.
import { BTH_BYTES, DETH_BYTES, IMM_BYTES, writeBth, writeDeth } from "./bth.ts";
import type { Bth, Deth } from "./bth.ts";
import { setU16, setU32 } from "./bytes.ts";
import { ETHERNET_BYTES, ETHERTYPE, VLAN_BYTES, writeEthernet, writeVlan } from "./ethernet.ts";
import type { Ethernet, Vlan } from "./ethernet.ts";
import { GRH_BYTES, GRH_NEXT_BTH, writeGrh } from "./grh.ts";
import type { Grh } from "./grh.ts";
import { computeIcrc, ICRC_BYTES, setIcrc } from "./icrc.ts";
import { IPV4_BYTES, PROTOCOL, writeIpv4 } from "./ipv4.ts";
import type { Ipv4 } from "./ipv4.ts";
import { locateEthernet, locateInfiniband } from "./locate.ts";
import { LNH, LRH_BYTES, writeLrh } from "./lrh.ts";
import type { Lrh } from "./lrh.ts";
import { isUd } from "./opcodes.ts";
import { PacketParts } from "./packet-parts.ts";
import { ROCE_PORT, UDP_BYTES, udpChecksum, writeUdp } from "./udp.ts";
import type { Udp } from "./udp.ts";
import { computeVcrc, setVcrc, VCRC_BYTES } from "./vcrc.ts";

export type Wire = "roce-ipv4" | "roce-ipv6" | "rocev1" | "ib-local" | "ib-global";

/** What a packet consists of. Only what its wire has is used; lengths, next headers and types are set here. */
export interface PacketFields {
  wire: Wire;
  ethernet: Ethernet;
  vlans: readonly Vlan[];
  ipv4: Ipv4;
  /** GRH or IPv6 header. */
  grh: Grh;
  udp: Udp;
  /** The datagram has a checksum. */
  checksum: boolean;
  lrh: Lrh;
  bth: Bth;
  deth: Deth;
  immediate: number;
  /** Headers between BTH and payload of opcodes that are not UD's. */
  extension: Uint8Array;
  payload: Uint8Array;
}

/** The bytes of the packet, with what is in the fields that follow from others. */
export function buildPacket(fields: PacketFields): Uint8Array {
  const { wire, vlans, ipv4, grh, udp, lrh, bth, deth, payload } = fields;
  const infiniband = wire === "ib-local" || wire === "ib-global";
  const ud = isUd(bth.opcode);
  bth.pad = -payload.length & 3;
  const extension = ud ? DETH_BYTES + (bth.opcode & 1 ? IMM_BYTES : 0) : fields.extension.length;
  const transport = BTH_BYTES + extension + payload.length + bth.pad + ICRC_BYTES;
  const bytes = new Uint8Array(200 + transport);
  let at = 0;
  if (infiniband) {
    lrh.next = wire === "ib-global" ? LNH.grh : LNH.bth;
    lrh.words = (LRH_BYTES + (wire === "ib-global" ? GRH_BYTES : 0) + transport) / 4;
    writeLrh(bytes, at, lrh);
    at += LRH_BYTES;
  } else {
    const type = { "roce-ipv4": ETHERTYPE.ipv4, "roce-ipv6": ETHERTYPE.ipv6, rocev1: ETHERTYPE.rocev1 }[wire];
    fields.ethernet.type = vlans.length > 0 ? (vlans.length > 1 ? ETHERTYPE.providerVlan : ETHERTYPE.vlan) : type;
    writeEthernet(bytes, at, fields.ethernet);
    at += ETHERNET_BYTES;
    for (const [i, vlan] of vlans.entries()) {
      vlan.type = i === vlans.length - 1 ? type : ETHERTYPE.vlan;
      writeVlan(bytes, at, vlan);
      at += VLAN_BYTES;
    }
  }
  udp.length = UDP_BYTES + transport;
  udp.destinationPort = ROCE_PORT;
  udp.checksum = 0;
  if (wire === "roce-ipv4") {
    ipv4.totalLength = IPV4_BYTES + udp.length;
    ipv4.protocol = PROTOCOL.udp;
    writeIpv4(bytes, at, ipv4);
    at += IPV4_BYTES;
  } else if (wire !== "ib-local") {
    grh.nextHeader = wire === "roce-ipv6" ? PROTOCOL.udp : GRH_NEXT_BTH;
    grh.payloadLength = wire === "roce-ipv6" ? udp.length : transport;
    writeGrh(bytes, at, grh);
    at += GRH_BYTES;
  }
  const udpAt = at;
  if (wire === "roce-ipv4" || wire === "roce-ipv6") at += UDP_BYTES;
  if (at > udpAt) writeUdp(bytes, udpAt, udp);
  writeBth(bytes, at, bth);
  at += BTH_BYTES;
  if (ud) {
    writeDeth(bytes, at, deth);
    if (bth.opcode & 1) setU32(bytes, at + DETH_BYTES, fields.immediate);
  } else bytes.set(fields.extension, at);
  at += extension;
  bytes.set(payload, at);
  at += payload.length + bth.pad;

  const parts = new PacketParts();
  const end = at + ICRC_BYTES + (infiniband ? VCRC_BYTES : 0);
  const fault = infiniband ? locateInfiniband(parts, bytes, 0, end) : locateEthernet(parts, bytes, 0, end);
  if (fault !== 0 || parts.icrc !== at) throw new Error(`a ${wire} packet was built with fault ${fault}`);
  setIcrc(bytes, at, computeIcrc(parts, bytes));
  if (infiniband) setVcrc(bytes, parts.vcrc, computeVcrc(bytes, 0, parts.vcrc));
  else if (fields.checksum && at > udpAt && parts.udp >= 0) {
    udp.checksum = udpChecksum(bytes, udpAt, wire === "roce-ipv4" ? 4 : 6);
    setU16(bytes, udpAt + 6, udp.checksum);
  }
  return bytes.slice(0, end);
}
