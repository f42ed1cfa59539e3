// Owns datagrams that the bridge itself makes, whole: the ones of management on Ethernet, and IP over InfiniBand.
import { Bth, BTH_BYTES, Deth, DETH_BYTES, writeBth, writeDeth } from "../codec/bth.ts";
import { Ethernet, ETHERNET_BYTES, ETHERTYPE, writeEthernet } from "../codec/ethernet.ts";
import { setU16 } from "../codec/bytes.ts";
import { Grh, GRH_BYTES, GRH_NEXT_BTH, writeGrh } from "../codec/grh.ts";
import { computeIcrc, ICRC_BYTES, setIcrc } from "../codec/icrc.ts";
import { Ipv4, IPV4_BYTES, PROTOCOL, writeIpv4 } from "../codec/ipv4.ts";
import { locateEthernet, locateInfiniband } from "../codec/locate.ts";
import { FIRST_MLID, LNH, Lrh, LRH_BYTES, writeLrh } from "../codec/lrh.ts";
import { UD_SEND_ONLY } from "../codec/opcodes.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import { ROCE_PORT, Udp, UDP_BYTES, udpChecksum, writeUdp } from "../codec/udp.ts";
import { VCRC_BYTES } from "../codec/vcrc.ts";
import type { EthernetTarget, InfinibandTarget, TransportTarget } from "./rewrite.ts";
import { ipBytes } from "./rewrite.ts";

/** Where queue pair 1's datagrams come from on RoCEv2: Linux takes the flow label 0 for them. */
const SOURCE_PORT = 0xc000;

/** A frame of RoCEv2. `target.sourceMac` and the like say from whom to whom. */
export function roceDatagram(target: EthernetTarget, payload: Uint8Array): Uint8Array {
  const { source, destination } = target;
  const pad = -payload.length & 3;
  const transport = BTH_BYTES + DETH_BYTES + payload.length + pad + ICRC_BYTES;
  const ip = ETHERNET_BYTES;
  const udp = ip + ipBytes(destination);
  const bytes = new Uint8Array(udp + UDP_BYTES + transport);
  const ethernet = Object.assign(new Ethernet(), {
    type: destination.length === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6,
  });
  ethernet.destination.set(target.mac);
  ethernet.source.set(target.sourceMac);
  writeEthernet(bytes, 0, ethernet);
  const length = UDP_BYTES + transport;
  if (destination.length === 4) {
    const fields = { totalLength: IPV4_BYTES + length, ttl: target.hopLimit, protocol: PROTOCOL.udp };
    const header = Object.assign(new Ipv4(), { ...fields, tos: target.tos, dontFragment: true });
    header.source.set(source);
    header.destination.set(destination);
    writeIpv4(bytes, ip, header);
  } else {
    const fields = { payloadLength: length, hopLimit: target.hopLimit, nextHeader: PROTOCOL.udp };
    const header = Object.assign(new Grh(), { ...fields, trafficClass: target.tos });
    header.sgid.set(source);
    header.dgid.set(destination);
    writeGrh(bytes, ip, header);
  }
  writeUdp(bytes, udp, Object.assign(new Udp(), { sourcePort: SOURCE_PORT, destinationPort: ROCE_PORT, length }));
  writeTransport(bytes, udp + UDP_BYTES, target, payload, pad);
  const parts = new PacketParts();
  locateEthernet(parts, bytes, 0, bytes.length);
  setIcrc(bytes, parts.icrc, computeIcrc(parts, bytes));
  if (destination.length === 16) setU16(bytes, udp + 6, udpChecksum(bytes, udp, 6));
  return bytes;
}

/** A native packet with a GRH where it is to a group, without one where it is not; 2 bytes for a VCRC are free behind it. */
export function nativeDatagram(target: InfinibandTarget, payload: Uint8Array): { bytes: Uint8Array; length: number } {
  const pad = -payload.length & 3;
  const transport = BTH_BYTES + DETH_BYTES + payload.length + pad + ICRC_BYTES;
  const global = target.dlid >= FIRST_MLID;
  const bth = LRH_BYTES + (global ? GRH_BYTES : 0);
  const length = bth + transport;
  const bytes = new Uint8Array(length + VCRC_BYTES);
  const { dlid, slid, sl } = target;
  const next = global ? LNH.grh : LNH.bth;
  writeLrh(bytes, 0, Object.assign(new Lrh(), { dlid, slid, sl, next, words: length >> 2 }));
  if (global) {
    const header = Object.assign(new Grh(), { payloadLength: transport, nextHeader: GRH_NEXT_BTH });
    header.hopLimit = target.hopLimit;
    header.sgid.set(target.sgid);
    header.dgid.set(target.dgid);
    writeGrh(bytes, LRH_BYTES, header);
  }
  writeTransport(bytes, bth, target, payload, pad);
  const parts = new PacketParts();
  locateInfiniband(parts, bytes, 0, length);
  setIcrc(bytes, parts.icrc, computeIcrc(parts, bytes));
  return { bytes, length };
}

function writeTransport(
  bytes: Uint8Array,
  at: number,
  target: TransportTarget,
  payload: Uint8Array,
  pad: number,
): void {
  const { pKey, destQp, qKey, srcQp } = target;
  writeBth(
    bytes,
    at,
    Object.assign(new Bth(), { opcode: UD_SEND_ONLY, pad, pKey, destQp, psn: Math.max(target.psn, 0) }),
  );
  writeDeth(bytes, at + BTH_BYTES, Object.assign(new Deth(), { qKey, srcQp }));
  bytes.set(payload, at + BTH_BYTES + DETH_BYTES);
}
