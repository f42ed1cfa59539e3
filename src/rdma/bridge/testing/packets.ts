// Owns a forwarder with groups of every sort, and packets for it, for tests.
import { parseAddress } from "../../../model/ip.ts";
import { FAULT } from "../../codec/fault.ts";
import { icrcIsRight } from "../../codec/icrc.ts";
import { locateEthernet, locateInfiniband } from "../../codec/locate.ts";
import { PacketParts } from "../../codec/packet-parts.ts";
import type { PacketFields } from "../../codec/build-packet.ts";
import { readPacket } from "../../codec/read-packet.ts";
import { DROP_NAMES, PASSED } from "../drops.ts";
import { Forwarder } from "../forwarder.ts";
import { BridgedGroup } from "../group.ts";
import { TAKEN } from "../messages.ts";
import { groupMac, makeMgid } from "../mgid.ts";
import { ROOM_BYTES } from "../rewrite.ts";

export const bytesOf = (text: string): Uint8Array => parseAddress(text) as Uint8Array;
export const MAC = Uint8Array.of(2, 0, 0, 0, 0, 1);
export const GID = bytesOf("fe80::20:102");

/** A group that is joined on both sides. */
export function group(index: number, address: string, change: Partial<BridgedGroup> = {}): BridgedGroup {
  const bytes = bytesOf(address);
  const made = new BridgedGroup(index, {
    name: address,
    way: "both",
    ethernet: { address: bytes, mac: groupMac(bytes), qKey: 0x01234567, pKey: 0xffff, hopLimit: 17 },
    mgid: makeMgid({ format: "rdma-cm", group: bytes, pKey: 0xffff, scope: 2 }),
    ...change,
  });
  made.infiniband = { mlid: 0xc005, qKey: 0x0b1b, pKey: 0xffff, sl: 3, hopLimit: 0, mtu: 2048 };
  return made;
}

/** A bridge of the groups that has all of them, or those that `serves` says. */
export function forwarder(
  groups: readonly BridgedGroup[],
  serves: (one: BridgedGroup) => boolean = () => true,
): Forwarder {
  const ethernet = { mac: MAC, ipv4: bytesOf("192.0.2.1"), ipv6: bytesOf("fd00:2::1"), mtu: 1500 };
  return new Forwarder(groups, ethernet, { lid: 7, gid: GID, qpn: 0x4942 }, { serves });
}

/** What the other side gets, or why it gets nothing. */
export type Passed = { fields: PacketFields; icrc: boolean; bytes: Uint8Array } | string;

/** Gives a packet to a bridge as a port would: in a slot with room before. */
export function pass(bridge: Forwarder, from: "ethernet" | "infiniband", packet: Uint8Array): Passed {
  const slot = new Uint8Array(ROOM_BYTES + packet.length + ROOM_BYTES).fill(0xa5);
  slot.set(packet, ROOM_BYTES);
  const to = ROOM_BYTES + packet.length;
  const reason =
    from === "ethernet" ? bridge.fromEthernet(slot, ROOM_BYTES, to) : bridge.fromInfiniband(slot, ROOM_BYTES, to);
  if (reason === TAKEN) return "taken";
  if (reason !== PASSED) return DROP_NAMES[reason] as string;
  const bytes = slot.slice(bridge.at, bridge.at + bridge.length);
  const parts = new PacketParts();
  const locate = from === "ethernet" ? locateInfiniband : locateEthernet;
  const fault = locate(parts, bytes, 0, bytes.length);
  if (fault !== FAULT.none) throw new Error(`the bridge made a packet with fault ${fault}`);
  return { fields: readPacket(parts, bytes), icrc: icrcIsRight(parts, bytes), bytes };
}
