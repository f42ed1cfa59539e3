// Owns the groups of a bridge as the path of packets sees them, and finding the one that a packet is for.
import { u32 } from "../codec/bytes.ts";
import { Tally } from "./drops.ts";
import { Senders } from "./senders.ts";

/** Which way a group's messages are passed on. */
export const WAYS = ["both", "to-infiniband", "to-ethernet"] as const;
export type Way = (typeof WAYS)[number];

/** What packets to a group on InfiniBand have, as its record says. */
export interface InfinibandGroup {
  mlid: number;
  qKey: number;
  pKey: number;
  sl: number;
  hopLimit: number;
  /** Bytes of payload. */
  mtu: number;
  /** Gigabits per second at which members may send; absent where the code is none that is known. */
  rate?: number;
}

/** What packets to a group on Ethernet have. */
export interface EthernetGroup {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly mac: Uint8Array;
  readonly qKey: number;
  readonly pKey: number;
  readonly hopLimit: number;
}

/** Why a group cannot be had on InfiniBand. */
export interface GroupTrouble {
  why: string;
  /**
   * Where a group is there that is another than was asked for, or more than the port can carry: then what is wanted is the
   * port's MTU (bytes) or rate (gigabits per second).
   */
  differs: { what: "Q_Key" | "P_Key" | "SL" | "MTU" | "rate"; wanted: number; has: number }[];
}

/** A code point of IP, and the service level that stands for it on InfiniBand. */
export interface ServiceClass {
  /** 0–63. */
  dscp: number;
  /** 0–15. */
  sl: number;
}

/** One group, on both sides. */
export class BridgedGroup {
  /** Index among the groups of the bridge. */
  readonly index: number;
  /** As the file writes it. */
  readonly name: string;
  readonly way: Way;
  readonly ethernet: EthernetGroup;
  readonly mgid: Uint8Array;
  readonly classes: readonly ServiceClass[];
  /** Absent while the port is not in the group on InfiniBand. */
  infiniband: InfinibandGroup | undefined;
  /** Why the port is not in the group. */
  trouble: GroupTrouble | undefined;
  /** What the group has otherwise than the file says, though the port is in it. */
  differs: GroupTrouble["differs"] = [];
  readonly toInfiniband = new Tally();
  readonly toEthernet = new Tally();
  readonly senders = { ethernet: new Senders(), infiniband: new Senders() };

  constructor(
    index: number,
    options: Pick<BridgedGroup, "name" | "way" | "ethernet" | "mgid"> & { classes?: readonly ServiceClass[] },
  ) {
    this.index = index;
    this.name = options.name;
    this.way = options.way;
    this.ethernet = options.ethernet;
    this.mgid = options.mgid;
    this.classes = options.classes ?? [];
  }
}

/** Groups by the address that packets to them have: an IP address, or an MGID. */
export class GroupIndex {
  /** By the last four bytes, which different groups seldom share. */
  readonly #byEnd = new Map<number, { address: Uint8Array; group: BridgedGroup }[]>();

  constructor(groups: readonly BridgedGroup[], addressOf: (group: BridgedGroup) => Uint8Array) {
    for (const group of groups) {
      const address = addressOf(group);
      const end = u32(address, address.length - 4);
      const same = this.#byEnd.get(end) ?? [];
      same.push({ address, group });
      this.#byEnd.set(end, same);
    }
  }

  /** The group whose address stands at `at`, `length` bytes long. */
  find(bytes: Uint8Array, at: number, length: number): BridgedGroup | undefined {
    const same = this.#byEnd.get(u32(bytes, at + length - 4));
    if (same === undefined) return undefined;
    for (const { address, group } of same) if (isAt(address, bytes, at, length)) return group;
    return undefined;
  }
}

function isAt(address: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (address.length !== length) return false;
  for (let i = 0; i < length; i++) if (address[i] !== bytes[at + i]) return false;
  return true;
}

/** Whether a packet of one partition key is for a holder of the other: same partition, and one a full member (IBA 10.9.3). */
export function pKeysMatch(a: number, b: number): boolean {
  return (a & 0x7fff) === (b & 0x7fff) && ((a | b) & 0x8000) !== 0;
}
