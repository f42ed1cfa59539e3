// Owns the Ethernet header (IEEE 802.3) and VLAN tags (802.1Q, 802.1ad).
import { copyBytes, setU16, u16, within } from "./bytes.ts";

export const ETHERNET_BYTES = 14;
export const VLAN_BYTES = 4;

export const ETHERTYPE = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  /** The tag of a provider's bridge, before the customer's. */
  providerVlan: 0x88a8,
  rocev1: 0x8915,
} as const;

/** Fields of an Ethernet header without tags. */
export class Ethernet {
  readonly destination = new Uint8Array(6);
  readonly source = new Uint8Array(6);
  type = 0;
}

/** Reads the header at `at`; `type` is that of a tag where there is one. */
export function readEthernet(bytes: Uint8Array, at: number, into: Ethernet): void {
  copyBytes(into.destination, 0, bytes, at, 6);
  copyBytes(into.source, 0, bytes, at + 6, 6);
  into.type = u16(bytes, at + 12);
}

/** Writes the header at `at`. RangeError for a type that its field cannot hold. */
export function writeEthernet(bytes: Uint8Array, at: number, from: Ethernet): void {
  copyBytes(bytes, at, from.destination, 0, 6);
  copyBytes(bytes, at + 6, from.source, 0, 6);
  setU16(bytes, at + 12, from.type);
}

/** A hardware address as people write it. */
export function macText(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** Whether a frame's type says that a VLAN tag follows. */
export function isVlanType(type: number): boolean {
  return type === ETHERTYPE.vlan || type === ETHERTYPE.providerVlan;
}

/** Fields of a VLAN tag, without the type that announces it. */
export class Vlan {
  /** Priority, 0–7. */
  priority = 0;
  dropEligible = false;
  /** 0–4095; 0 stands for none. */
  id = 0;
  /** The type of what follows. */
  type = 0;
}

/** Reads the four bytes after the type that announced a tag. */
export function readVlan(bytes: Uint8Array, at: number, into: Vlan): void {
  const tag = u16(bytes, at);
  into.priority = tag >> 13;
  into.dropEligible = (tag & 0x1000) !== 0;
  into.id = tag & 0x0fff;
  into.type = u16(bytes, at + 2);
}

/** Writes the four bytes after the type that announces a tag. RangeError for a value that its field cannot hold. */
export function writeVlan(bytes: Uint8Array, at: number, from: Vlan): void {
  const priority = within(from.priority, 7) << 13;
  setU16(bytes, at, priority | (from.dropEligible ? 0x1000 : 0) | within(from.id, 0x0fff));
  setU16(bytes, at + 2, from.type);
}
