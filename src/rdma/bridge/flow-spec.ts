// Owns how a flow is written down for the addon (native/addon/flow.h): the headers that its packets come with and get, and the
// registers of the ICRC behind both.
import { BTH_BYTES, DETH_BYTES } from "../codec/bth.ts";
import { u16, u8 } from "../codec/bytes.ts";
import { ETHERNET_BYTES, ETHERTYPE } from "../codec/ethernet.ts";
import { GRH_BYTES } from "../codec/grh.ts";
import { icrcHead } from "../codec/icrc.ts";
import { IPV4_BYTES } from "../codec/ipv4.ts";
import { LNH, LRH_BYTES, lrhNext } from "../codec/lrh.ts";
import { PacketParts } from "../codec/packet-parts.ts";
import { UDP_BYTES } from "../codec/udp.ts";

/** Bytes that a head has at most, up to behind the DETH, in whole words. */
export const HEAD_BYTES = 88;
/** From the BTH to behind the DETH. */
const TRANSPORT_BYTES = BTH_BYTES + DETH_BYTES;
/** Where the two heads are in a flow, and its length. */
const HEADS = { came: 20, made: 20 + HEAD_BYTES } as const;
const SPEC_BYTES = 20 + 2 * HEAD_BYTES;
const FLAG = { leased: 1, numbered: 2 } as const;

/** What a packet begins with. */
interface Format {
  /** As the addon calls it. */
  number: number;
  parts: PacketParts;
  /** Where lengths and the like stand that the ICRC covers and each packet has its own of: offset, bits that vary. */
  varies: readonly (readonly [at: number, bits: number])[];
}

function format(number: number, parts: Partial<PacketParts> & { bth: number }, varies: Format["varies"]): Format {
  const flags = [parts.bth + 1, 0xf0] as const;
  const psn = [9, 10, 11].map((at) => [parts.bth + at, 0xff] as const);
  return { number, parts: Object.assign(new PacketParts(), parts), varies: [...varies, flags, ...psn] };
}

const IP = ETHERNET_BYTES;
const [UDP4, UDP6, GRH] = [IP + IPV4_BYTES, IP + GRH_BYTES, LRH_BYTES];
const length = (at: number): (readonly [number, number])[] => [
  [at, 0xff],
  [at + 1, 0xff],
];

const FORMATS = {
  ipv4: format(0, { ipv4: IP, udp: UDP4, bth: UDP4 + UDP_BYTES }, [
    ...length(IP + 2),
    ...length(IP + 4),
    ...length(UDP4 + 4),
  ]),
  ipv6: format(1, { ipv6: IP, udp: UDP6, bth: UDP6 + UDP_BYTES }, [...length(IP + 4), ...length(UDP6 + 4)]),
  local: format(2, { lrh: 0, bth: LRH_BYTES }, [
    [4, 0x07],
    [5, 0xff],
  ]),
  global: format(3, { lrh: 0, grh: GRH, bth: GRH + GRH_BYTES }, length(GRH + 4)),
} as const;

function formatOf(native: boolean, head: Uint8Array): Format | undefined {
  if (native) {
    const next = lrhNext(head, 0);
    return next === LNH.grh ? FORMATS.global : next === LNH.bth ? FORMATS.local : undefined;
  }
  const type = u16(head, ETHERNET_BYTES - 2);
  return type === ETHERTYPE.ipv4 ? FORMATS.ipv4 : type === ETHERTYPE.ipv6 ? FORMATS.ipv6 : undefined;
}

/** Flows as bytes, one after the other in one array. */
export class FlowSpec {
  readonly bytes = new Uint8Array(SPEC_BYTES);
  /** What a packet came with: its first bytes, before it was changed. */
  readonly head = this.bytes.subarray(HEADS.came, HEADS.came + HEAD_BYTES);
  readonly #made = this.bytes.subarray(HEADS.made, HEADS.made + HEAD_BYTES);
  readonly #words = new Uint32Array(this.bytes.buffer);
  readonly #scratch = new Uint8Array(HEAD_BYTES);

  /**
   * Writes down that packets with the head get the one that stands at `at`, on the other side. False where such packets are in
   * no format of flows.
   */
  write(native: boolean, bytes: Uint8Array, at: number, limits: FlowLimits): boolean {
    const came = formatOf(native, this.head);
    if (came === undefined) return false;
    this.#made.set(bytes.subarray(at, at + HEAD_BYTES));
    const made = formatOf(!native, this.#made);
    if (made === undefined) return false;
    this.bytes[0] = came.number;
    this.bytes[1] = made.number;
    this.bytes[2] = (limits.leased ? FLAG.leased : 0) | (limits.numbered ? FLAG.numbered : 0);
    this.#words[1] = this.#register(came, this.head);
    this.#words[2] = this.#register(made, this.#made);
    this.#words[3] = limits.mostPayload;
    this.#words[4] = limits.mostTransport;
    return true;
  }

  /** The register of the ICRC behind a head, all that varies left out. */
  #register({ parts, varies }: Format, head: Uint8Array): number {
    const plain = this.#scratch;
    plain.set(head);
    for (const [at, bits] of varies) plain[at] = u8(plain, at) & ~bits;
    return icrcHead(parts, plain, parts.bth + TRANSPORT_BYTES);
  }
}

/** What holds for the packets of a flow. */
export interface FlowLimits {
  /** Bytes. */
  mostPayload: number;
  /** Bytes from the BTH to behind the ICRC. */
  mostTransport: number;
  /** They are passed on only while this bridge has its groups. */
  leased: boolean;
  /** They get a sequence number of the bridge's. */
  numbered: boolean;
}
