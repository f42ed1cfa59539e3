// Owns what an adapter of the model takes in: the checks that a real one makes before a message is anybody's.
import { Bth, BTH_BYTES, Deth, readBth, readDeth } from "../codec/bth.ts";
import { u16 } from "../codec/bytes.ts";
import { FAULT } from "../codec/fault.ts";
import { GRH_DGID } from "../codec/grh.ts";
import { icrcIsRight } from "../codec/icrc.ts";
import { locateInfiniband } from "../codec/locate.ts";
import { FIRST_MLID } from "../codec/lrh.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import { vcrcIsRight } from "../codec/vcrc.ts";
import { pKeysMatch } from "../bridge/group.ts";
import { MULTICAST_QP } from "../bridge/translate.ts";

/** Why an adapter drops a packet (IBA vol 1, 9.6 and 7.8). */
export const ADAPTER_DROPS = ["broken", "vcrc", "icrc", "lid", "too-big", "p-key", "not-attached", "q-key"] as const;
export type AdapterDrop = (typeof ADAPTER_DROPS)[number];

/** A queue pair's attachment to a group. */
export interface Attachment {
  mgid: Uint8Array;
  mlid: number;
  qKey: number;
}

/** The receiving half of an adapter with one port. */
export class Adapter {
  lid = 0;
  /** Partition keys of the port. */
  pKeys: readonly number[] = [0xffff];
  /** Bytes of payload. */
  mtu = 4096;
  readonly drops: Record<AdapterDrop, number> = Object.fromEntries(ADAPTER_DROPS.map((name) => [name, 0])) as Record<
    AdapterDrop,
    number
  >;
  readonly #attached = new Map<string, Attachment>();
  readonly #parts = new PacketParts();
  readonly #bth = new Bth();
  readonly #deth = new Deth();

  attach(attachment: Attachment): void {
    this.#attached.set(toKey(attachment.mgid), attachment);
  }

  detach(mgid: Uint8Array): void {
    this.#attached.delete(toKey(mgid));
  }

  /** Whether the packet from its LRH at `at` up to behind its VCRC is for a queue pair of this port. */
  takes(bytes: Uint8Array, at: number, to: number): boolean {
    const wrong = this.#judge(bytes, at, to);
    if (wrong !== undefined) this.drops[wrong]++;
    return wrong === undefined;
  }

  #judge(bytes: Uint8Array, at: number, to: number): AdapterDrop | undefined {
    const parts = this.#parts;
    const fault = locateInfiniband(parts, bytes, at, to);
    if (parts.vcrc < 0 || !vcrcIsRight(parts, bytes)) return "vcrc";
    if (fault !== FAULT.none || parts.deth < 0) return "broken";
    const dlid = u16(bytes, at + 2);
    if (dlid !== this.lid && dlid < FIRST_MLID) return "lid";
    if (!icrcIsRight(parts, bytes)) return "icrc";
    if (parts.payloadEnd - parts.payload > this.mtu) return "too-big";
    readBth(bytes, parts.bth, this.#bth);
    if (!this.pKeys.some((own) => pKeysMatch(own, this.#bth.pKey))) return "p-key";
    if (dlid < FIRST_MLID) return undefined;
    if (parts.grh < 0 || this.#bth.destQp !== MULTICAST_QP) return "not-attached";
    const attached = this.#attached.get(toKey(bytes.subarray(parts.grh + GRH_DGID, parts.grh + GRH_DGID + 16)));
    if (attached?.mlid !== dlid) return "not-attached";
    readDeth(bytes, parts.bth + BTH_BYTES, this.#deth);
    return this.#deth.qKey === attached.qKey ? undefined : "q-key";
  }
}

function toKey(mgid: Uint8Array): string {
  return String.fromCharCode(...mgid);
}
