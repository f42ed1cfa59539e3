// Owns frames with messages about multicast groups, as hosts and queriers send them, for tests.
import { parseAddress } from "../../../model/ip.ts";
import { setU16, setU8 } from "../../codec/bytes.ts";
import { Ethernet, ETHERNET_BYTES, ETHERTYPE, writeEthernet } from "../../codec/ethernet.ts";
import { GRH_BYTES, GRH_SGID, Grh, writeGrh } from "../../codec/grh.ts";
import { GROUP_RECORD } from "../../codec/group-record.ts";
import { addPseudoHeader, addWords, foldChecksum } from "../../codec/internet-checksum.ts";
import { Ipv4, IPV4_BYTES, PROTOCOL, writeIpv4 } from "../../codec/ipv4.ts";
import { writeIgmpQuery, writeIgmpReport, writeMldQuery, writeMldReport } from "../../codec/membership.ts";

/** Of the frame: its hardware address, and what else tests change. */
export interface Sender {
  address: string;
  mac?: readonly number[];
  hopLimit?: number;
}

/** What a record says, with its sources. */
export type Said = [type: keyof typeof GROUP_RECORD, group: string, ...sources: string[]];

const MAC = [2, 0, 0, 0, 0, 9];
/** The router alert of IPv6 and two bytes of padding, in a header of eight bytes (RFC 2711). */
const ROUTER_ALERT = [PROTOCOL.icmpv6, 0, 5, 2, 0, 0, 1, 0];

function bytesOf(address: string): Uint8Array {
  return parseAddress(address) as Uint8Array;
}

function isIpv6(address: string): boolean {
  return address.includes(":");
}

/** A frame around what `write` writes at an offset; it gives where that ends. */
function frame(
  { address, mac = MAC, hopLimit = 1 }: Sender,
  write: (bytes: Uint8Array, at: number, ip: number) => number,
): Uint8Array {
  const bytes = new Uint8Array(1500);
  const six = isIpv6(address);
  const ethernet = Object.assign(new Ethernet(), { type: six ? ETHERTYPE.ipv6 : ETHERTYPE.ipv4 });
  ethernet.source.set(mac);
  writeEthernet(bytes, 0, ethernet);
  const ip = ETHERNET_BYTES;
  if (!six) {
    const end = write(bytes, ip + IPV4_BYTES, ip);
    const header = Object.assign(new Ipv4(), { totalLength: end - ip, ttl: hopLimit, protocol: PROTOCOL.igmp });
    header.source.set(bytesOf(address));
    writeIpv4(bytes, ip, header);
    return bytes.slice(0, end);
  }
  const at = ip + GRH_BYTES;
  bytes.set(ROUTER_ALERT, at);
  const header = Object.assign(new Grh(), { nextHeader: PROTOCOL.hopByHop, hopLimit });
  header.sgid.set(bytesOf(address));
  // The checksum covers the addresses, so that they come first.
  writeGrh(bytes, ip, header);
  const end = write(bytes, at + ROUTER_ALERT.length, ip);
  writeGrh(bytes, ip, Object.assign(header, { payloadLength: end - at }));
  return bytes.slice(0, end);
}

/** A report of IGMPv3, or of MLDv2. */
export function report(from: Sender, ...said: Said[]): Uint8Array {
  const records = said.map(([type, group, ...sources]) => {
    return { type: GROUP_RECORD[type], group: bytesOf(group), sources: sources.map(bytesOf) };
  });
  return frame(from, (bytes, at, ip) =>
    isIpv6(from.address) ? writeMldReport(bytes, at, ip + GRH_SGID, records) : writeIgmpReport(bytes, at, records),
  );
}

/** A message of the older versions: type, code, group. */
export function old(from: Sender, type: number, group: string, code = 0): Uint8Array {
  return frame(from, (bytes, at, ip) => {
    const address = bytesOf(group);
    const six = address.length === 16;
    const end = at + (six ? 24 : 8);
    setU8(bytes, at, type);
    if (six) setU16(bytes, at + 4, code);
    else setU8(bytes, at + 1, code);
    bytes.set(address, end - address.length);
    const sum = six ? addPseudoHeader(bytes, ip + GRH_SGID, 32, PROTOCOL.icmpv6, end - at) : 0;
    setU16(bytes, at + 2, foldChecksum(addWords(sum, bytes, at, end)));
    return end;
  });
}

/** A question of IGMPv3, or of MLDv2, to all or about a group. */
export function query(
  from: Sender,
  { responseCode, robustness, intervalCode }: Record<"responseCode" | "robustness" | "intervalCode", number>,
  group = isIpv6(from.address) ? "::" : "0.0.0.0",
): Uint8Array {
  const asked = { group: bytesOf(group), responseCode, robustness, intervalCode, suppress: false, sources: [] };
  return frame(from, (bytes, at, ip) =>
    isIpv6(from.address) ? writeMldQuery(bytes, at, ip + GRH_SGID, asked) : writeIgmpQuery(bytes, at, asked),
  );
}
