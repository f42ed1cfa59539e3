// Owns a bridge under hostile packets: what it is given, and what has to hold whatever it is given.
import { Arp, ARP, ARP_BYTES, writeArp } from "../../codec/arp.ts";
import { bthDestQp } from "../../codec/bth.ts";
import { setU16, setU24, u16, u32, u8 } from "../../codec/bytes.ts";
import { CM_ATTRIBUTE } from "../../codec/cm.ts";
import { ETHERTYPE } from "../../codec/ethernet.ts";
import { PROTOCOL } from "../../codec/ipv4.ts";
import { FAULT } from "../../codec/fault.ts";
import { icrcIsRight } from "../../codec/icrc.ts";
import { IPOIB_ARP_BYTES, IPOIB_BYTES, IpoibArp, writeIpoib, writeIpoibArp } from "../../codec/ipoib.ts";
import { locateEthernet, locateInfiniband } from "../../codec/locate.ts";
import { PacketParts } from "../../codec/packet-parts.ts";
import { computeVcrc, setVcrc, VCRC_BYTES } from "../../codec/vcrc.ts";
import { AddressQuestions } from "../address-questions.ts";
import { DROP_NAMES, PASSED } from "../drops.ts";
import { Flows } from "../flows.ts";
import type { WrittenTable } from "../flows.ts";
import { Forwarder } from "../forwarder.ts";
import { isHello, readHello, writeHello } from "../hello.ts";
import { TAKEN } from "../messages.ts";
import { ROOM_BYTES } from "../rewrite.ts";
import { MOST_EXCHANGES } from "../sidr.ts";
import {
  gidOf,
  gsiMessage,
  IB,
  ibMessage,
  MessageStand,
  QKEY,
  ROCE,
  roceMessage,
  sidrRep,
  sidrReq,
} from "./message-stand.ts";
import { Dice, mutate } from "./mutate.ts";
import type { Dictionary, Input } from "./mutate.ts";
import { neighbourDatagrams, neighbourFrames } from "./neighbour-packets.ts";
import { bytesOf, GID, group, MAC } from "./packets.ts";

/** Requests one after the other, more than a host may ask; how many others come before, on average. */
const FLOOD = 1000;
const MEAN_BEFORE_FLOOD = 20_000;
const MOST_HOSTS = 16;
const BOUNDS = { most: 128, mostOfHost: 4, idleMs: 4000 };
/** The slot that a packet is given in, with what must stay as it is around it. */
const SLOT = 8192;
/** What the bridge reads of IP over InfiniBand. */
const IPOIB_TYPES: readonly number[] = [ETHERTYPE.arp, ETHERTYPE.ipv6];
/** Packets that were passed on a moment ago, of which others are made. */
const MOST_PASSED = 16;
const IPOIB_QPN = 0x4950;
const CANARY = 0xa5;
const OTHER = { address: "192.0.2.11", mac: Uint8Array.of(2, 0, 0, 0, 0, 0x11) };

/** A table of flows that passes packets on by itself. */
export interface FlowTableUnderTest extends WrittenTable {
  /** `seals`: what it makes has a VCRC. */
  readonly kind: { seals?: boolean };
  pass(bytes: Uint8Array, at: number, length: number): MadePacket | undefined;
}

interface MadePacket {
  at: number;
  length: number;
  payloadBytes: number;
}

type Way = "toInfiniband" | "toEthernet";

/** What became of packets: reasons, and `passed`, `taken`. */
export type Became = Map<string, number>;

export class Fuzz {
  readonly became: Became = new Map();
  readonly stand = new MessageStand({ bounds: BOUNDS, mostHosts: MOST_HOSTS, rules: { immediateQpn: true } });
  /** Inputs that others are made of; those that met new code are added. */
  readonly corpus: Input[];
  readonly #dice: Dice;
  readonly #dictionary: Dictionary;
  readonly #questions: AddressQuestions;
  readonly #slot = new Uint8Array(SLOT + 2 * ROOM_BYTES);
  /** The same packet, as the table of flows gets it. */
  readonly #twin = new Uint8Array(SLOT + 2 * ROOM_BYTES);
  readonly #tables: Partial<Record<Way, FlowTableUnderTest>> = {};
  /** The last that were passed on; none where there are no tables. */
  readonly #passed: Input[] = [];
  /** Packets that a flow was known for. */
  relayed = 0;
  readonly #parts = new PacketParts();
  #count = 0;
  #again = 0;

  /** With tables of flows, what they do is compared with what is done without them. */
  constructor(seed: number, openTable?: (way: Way, sequence: Uint32Array) => FlowTableUnderTest) {
    this.#dice = new Dice(seed);
    const { stand } = this;
    const groups = [group(0, "239.37.0.1"), group(1, "ff05::37:1")];
    const { ethernet, infiniband } = stand.forwarder;
    Object.assign(stand, { forwarder: new Forwarder(groups, ethernet, infiniband, { serves: () => true }) });
    this.#questions = new AddressQuestions(
      stand.hosts,
      { sendFrame: () => {}, sendIpoib: () => {}, sendIpoibGroup: () => {} },
      ethernet,
      {
        qpn: IPOIB_QPN,
        gid: GID,
      },
    );
    stand.forwarder.messages = stand.messages;
    const { forwarder, flows } = stand;
    forwarder.flows = flows;
    for (const way of ["toInfiniband", "toEthernet"] as const) {
      const table = openTable?.(way, this.#sequence(way));
      if (table === undefined) continue;
      this.#tables[way] = table;
      flows[way] = new Flows(table, way, forwarder[way]);
    }
    stand.forwarder.ipoib = { takes: (bytes, parts) => this.#takesIpoib(bytes, parts) };
    const { corpus, dictionary } = this.#seeds(groups.map(({ mgid }) => mgid));
    this.corpus = corpus;
    this.#dictionary = dictionary;
  }

  /** A new input; now and then many right ones, as in a flood. */
  next(): Input {
    const dice = this.#dice;
    // The first two are requests for queue pairs.
    if (this.#again > 0 && this.#again-- > 0) return this.corpus[dice.below(2)] as Input;
    if (dice.below(MEAN_BEFORE_FLOOD) === 0) this.#again = FLOOD;
    if (this.#passed.length > 0 && dice.below(3) === 0) return this.#likePassed();
    return mutate(dice, this.#alive(dice.pick(this.corpus)), dice.pick(this.corpus), this.#dictionary);
  }

  /** One that was passed on a moment ago, or almost: there may be a flow for it. */
  #likePassed(): Input {
    const dice = this.#dice;
    const like = dice.pick(this.#passed);
    if (dice.below(4) === 0) return mutate(dice, like, dice.pick(this.corpus), this.#dictionary);
    const bytes = like.bytes.slice();
    const place = dice.below(bytes.length);
    if (dice.below(2) === 0) bytes[place] = u8(bytes, place) ^ (1 << dice.below(8));
    if (like.kind !== "infiniband" || dice.below(4) === 0) return { ...like, bytes };
    locateInfiniband(this.#parts, bytes, 0, bytes.length);
    const { vcrc } = this.#parts;
    if (vcrc >= 0) setVcrc(bytes, vcrc, computeVcrc(bytes, 0, vcrc));
    return { ...like, bytes };
  }

  /** Mostly, a message is for a queue pair that there is at the moment. */
  #alive(input: Input): Input {
    const { kind, bytes } = input;
    if (kind === "management" || this.#dice.below(4) === 0) return input;
    const find = kind === "ethernet" ? locateEthernet : locateInfiniband;
    if (find(this.#parts, bytes, 0, bytes.length) !== FAULT.none || bthDestQp(bytes, this.#parts.bth) < 2) return input;
    const far = kind === "ethernet" ? "infiniband" : "ethernet";
    const some = [...this.stand.sessions.endpoints].filter(({ host, qKey }) => host.side === far && qKey >= 0);
    if (some.length === 0) return input;
    const { qpn, alias } = this.#dice.pick(some);
    const changed = bytes.slice();
    setU24(changed, this.#parts.bth + 5, kind === "ethernet" ? qpn : alias);
    return { kind, bytes: changed };
  }

  /** Gives an input to the bridge. Throws when something does not hold. */
  give(input: Input): void {
    const { stand } = this;
    if ((this.#count++ & 0xff) === 0) this.#passTime();
    stand.messages.nowMs = stand.nowMs;
    if (input.kind === "management") {
      this.#tell(stand.messages.managementFromInfiniband(input.bytes, input.lid, stand.forwarder.infiniband));
    } else this.#packet(input.kind, input.bytes);
    this.#answer();
    stand.mads.length = stand.sought.length = stand.left.length = stand.written.length = 0;
  }

  /** What must not grow. Throws when it has. */
  checkBounds(): void {
    const { hosts, sessions, sidr } = this.stand;
    const ends = [...hosts].reduce((sum, { endpoints }) => sum + endpoints.size, 0);
    const asked = [...hosts].reduce((sum, host) => sum + host.requests, 0);
    if (hosts.count > MOST_HOSTS || [...hosts].length !== hosts.count) throw new Error(`${hosts.count} hosts`);
    if (sessions.count > BOUNDS.most) throw new Error(`${sessions.count} sessions`);
    if (sessions.endpoints.count !== ends) throw new Error(`${ends} endpoints of ${sessions.endpoints.count}`);
    if (sidr.count > MOST_EXCHANGES || sidr.count !== asked)
      throw new Error(`${sidr.count} requests, ${asked} of hosts`);
    for (const host of hosts) {
      const own = [...sessions].filter(({ client }) => client === host).length;
      if (own !== host.sessions || own > BOUNDS.mostOfHost || host.endpoints.size > BOUNDS.mostOfHost) {
        throw new Error(`${host.name}: ${own} sessions of ${host.sessions}, ${host.endpoints.size} endpoints`);
      }
    }
  }

  /** Now and then an asked host answers as it should, so that there are sessions. */
  #answer(): void {
    const asked = this.stand.mads.at(-1);
    if (asked === undefined || u16(asked.mad, 16) !== CM_ATTRIBUTE.sidrReq || this.#dice.below(4) > 0) return;
    const qpn = 0x51 + this.#dice.below(this.#dice.pick([2, 32]));
    const answer = sidrRep(asked.mad, { qpn });
    const { messages, forwarder } = this.stand;
    if (asked.to === IB.address) this.#tell(messages.managementFromInfiniband(answer, 9, forwarder.infiniband));
    else this.#packet("ethernet", gsiMessage(ROCE, IB, answer));
  }

  #packet(kind: "ethernet" | "infiniband", bytes: Uint8Array): void {
    const slot = this.#slot.fill(CANARY, 0, bytes.length + 2 * ROOM_BYTES + 8);
    slot.set(bytes, ROOM_BYTES);
    const to = ROOM_BYTES + bytes.length;
    const { forwarder, nowMs } = this.stand;
    if (kind === "ethernet" && isHello(slot, ROOM_BYTES, to)) return void readHello(slot, ROOM_BYTES, to);
    const type = kind === "ethernet" && bytes.length >= 14 ? u16(bytes, 12) : 0;
    if (type === ETHERTYPE.arp || (type === ETHERTYPE.ipv6 && bytes[20] === PROTOCOL.icmpv6)) {
      return this.#questions.takeFrame(slot, ROOM_BYTES, to, nowMs);
    }
    const find = kind === "ethernet" ? locateEthernet : locateInfiniband;
    const was = find(this.#parts, bytes, 0, bytes.length) === FAULT.none && icrcIsRight(this.#parts, bytes);
    const way = kind === "ethernet" ? "toInfiniband" : "toEthernet";
    const made = this.#relay(way, to);
    const reason =
      kind === "ethernet"
        ? forwarder.fromEthernet(slot, ROOM_BYTES, to)
        : forwarder.fromInfiniband(slot, ROOM_BYTES, to);
    this.#tell(reason);
    for (let i = to; i < to + 8; i++) if (slot[i] !== CANARY) throw new Error("bytes behind the packet were written");
    if (reason === PASSED) this.#checkPassed(kind, slot, to, was);
    if (reason === PASSED && this.#tables[way] !== undefined) {
      this.#passed.push({ kind, bytes: bytes.slice() });
      if (this.#passed.length > MOST_PASSED) this.#passed.shift();
    }
    if (made !== undefined) this.#checkRelayed(made, reason, this.#tables[way]?.kind.seals === true);
  }

  /** Lets the table have the packet first; its sequence numbers are not used up by that. */
  #relay(way: Way, to: number): MadePacket | undefined {
    const table = this.#tables[way];
    if (table === undefined) return undefined;
    const sequence = this.#sequence(way);
    const [next = 0] = sequence;
    this.#twin.set(this.#slot);
    const made = table.pass(this.#twin, ROOM_BYTES, to - ROOM_BYTES);
    sequence[0] = next;
    const end = made === undefined ? to : Math.max(to, made.at + made.length);
    for (let i = end; i < to + 8; i++)
      if (this.#twin[i] !== CANARY) throw new Error("bytes behind the packet were written");
    if (made === undefined && !isSame(this.#twin, 0, this.#slot.subarray(0, to)))
      throw new Error("what is none was changed");
    return made;
  }

  #checkRelayed({ at, length, payloadBytes }: MadePacket, reason: number, sealed: boolean): void {
    const { forwarder } = this.stand;
    this.relayed++;
    if (reason !== PASSED) throw new Error(`relayed, and dropped for ${DROP_NAMES[reason] ?? reason}`);
    const more = sealed ? VCRC_BYTES : 0;
    if (at !== forwarder.at || length !== forwarder.length + more || payloadBytes !== forwarder.payloadBytes) {
      throw new Error("the relayed packet is another one");
    }
    const slot = this.#slot.subarray(at, at + forwarder.length);
    if (!isSame(this.#twin, at, slot)) throw new Error("the relayed packet has other bytes");
    const vcrc = at + forwarder.length;
    if (sealed && u16(this.#twin, vcrc) !== swapped(computeVcrc(this.#slot, at, vcrc))) {
      throw new Error("the relayed packet has a wrong VCRC");
    }
  }

  #sequence(way: Way): Uint32Array {
    const { ethernet, infiniband } = this.stand.forwarder.sequences;
    return (way === "toInfiniband" ? infiniband : ethernet).next;
  }

  #checkPassed(kind: "ethernet" | "infiniband", slot: Uint8Array, to: number, was: boolean): void {
    const { at, length, infiniband, ethernet } = this.stand.forwarder;
    if (at < 0 || at + length > to) throw new Error("the packet does not lie where it came");
    const find = kind === "ethernet" ? locateInfiniband : locateEthernet;
    const fault = find(this.#parts, slot, at, at + length);
    if (fault !== FAULT.none) throw new Error(`a packet with fault ${fault} was passed on`);
    if (icrcIsRight(this.#parts, slot) !== was) throw new Error("damage was hidden, or made");
    if (kind === "ethernet") {
      const dlid = u16(slot, at + 2);
      const known = dlid >= 0xc000 || (this.stand.hosts.atLid(dlid)?.length ?? 0) > 0;
      if (!known || dlid === infiniband.lid || u16(slot, at + 6) !== infiniband.lid)
        throw new Error(`sent to LID ${dlid}`);
    } else if (isSame(slot, at, ethernet.mac) || !isSame(slot, at + 6, ethernet.mac)) throw new Error("sent to itself");
  }

  #passTime(): void {
    const { stand } = this;
    stand.pass(50);
    stand.flows.fold(stand.nowMs);
    // Hosts that are sought are found by and by, so that sessions come and go.
    if (this.#dice.below(4) > 0) return;
    const place = this.#dice.pick([ROCE, IB, OTHER]);
    const host = stand.hosts.find(bytesOf(place.address), 0, 4);
    if (host !== undefined) stand.answer(place);
  }

  #takesIpoib(bytes: Uint8Array, parts: PacketParts): boolean {
    if (
      parts.payload < 0 ||
      bthDestQp(bytes, parts.bth) !== IPOIB_QPN ||
      !IPOIB_TYPES.includes(u16(bytes, parts.payload))
    )
      return false;
    this.#questions.takeIpoib(bytes, parts.payload, parts.payloadEnd, u16(bytes, parts.lrh + 6), this.stand.nowMs);
    return true;
  }

  #tell(reason: number): void {
    const name = reason === PASSED ? "passed" : reason === TAKEN ? "taken" : (DROP_NAMES[reason] ?? "unnamed");
    this.became.set(name, (this.became.get(name) ?? 0) + 1);
  }

  /** Right packets of every sort, in an order that opens sessions. */
  #seeds(mgids: readonly Uint8Array[]): { corpus: Input[]; dictionary: Dictionary } {
    const { stand } = this;
    for (const place of [ROCE, IB, OTHER]) stand.answer(place);
    const corpus: Input[] = [];
    const ethernet = (bytes: Uint8Array): void => void corpus.push({ kind: "ethernet", bytes });
    const infiniband = (bytes: Uint8Array): void => void corpus.push({ kind: "infiniband", bytes });
    const management = (bytes: Uint8Array): void => void corpus.push({ kind: "management", bytes, lid: 9 });
    ethernet(gsiMessage(ROCE, IB, sidrReq(ROCE, IB, { requestId: 1 })));
    management(sidrReq(IB, ROCE, { requestId: 2 }));
    // Numbers of the bridge's own requests, as it gives them.
    for (let id = 0x5000; id < 0x5004; id++) {
      const request = sidrReq(ROCE, IB, { requestId: id });
      management(sidrRep(request, { qpn: 0x51 }));
      management(sidrRep(request, { status: 1 }));
      ethernet(gsiMessage(ROCE, IB, sidrRep(request, { qpn: 0x52 })));
    }
    const text = new Uint8Array(61).fill(7);
    for (const imm of [false, true]) {
      ethernet(
        roceMessage(ROCE, IB, text, (fields) => {
          fields.bth.destQp = 0x51;
          if (imm) Object.assign(fields, { immediate: fields.deth.srcQp }).bth.opcode = 0x65;
        }),
      );
      for (const alias of [0x400000, 0x400001, 0x400002]) {
        infiniband(ibMessage(IB, alias, text, ({ deth }) => (deth.srcQp = 0x51), imm ? "ib-global" : "ib-local"));
      }
    }
    ethernet(
      roceMessage(ROCE, IB, text, (fields) => {
        fields.bth.destQp = 0x51;
        fields.udp.sourcePort = 4791;
      }),
    );
    ethernet(roceMessage(ROCE, IB, new Uint8Array(2049), ({ bth }) => (bth.destQp = 0x51)));
    ethernet(roceMessage(OTHER, IB, text, ({ bth }) => (bth.destQp = 0x51)));
    const toGroup = { address: "239.37.0.1" };
    ethernet(roceMessage(ROCE, toGroup, text, ({ bth }) => (bth.destQp = 0xffffff)));
    for (const mgid of mgids) {
      infiniband(
        ibMessage(
          IB,
          0xffffff,
          text,
          ({ grh, lrh, deth }) => {
            grh.dgid.set(mgid);
            lrh.dlid = 0xc005;
            deth.qKey = 0x0b1b;
          },
          "ib-global",
        ),
      );
    }
    for (const operation of [ARP.request, ARP.reply]) {
      ethernet(arpFrame(operation));
      infiniband(ibMessage(IB, 0x4950, ipoibArp(operation)));
    }
    const [near6, far6] = [bytesOf("fd00:2::11"), bytesOf("fd00:2::77")];
    for (const frame of neighbourFrames(OTHER.mac, near6, far6)) ethernet(frame);
    for (const payload of neighbourDatagrams(gidOf(9), far6, near6)) infiniband(ibMessage(IB, 0x4950, payload));
    ethernet(writeHello({ id: 5n, active: true, name: 1, groups: 2, peers: [1n, 2n] }, OTHER.mac));
    for (const input of corpus) this.give(input);
    const addresses = [ROCE.address, IB.address, OTHER.address, "192.0.2.1", "239.37.0.1", "ff05::37:1", "fd00:2::1"];
    const dictionary: Dictionary = {
      1: [0x64, 0x65, 0x04, 0x03, 0x07, 0x11, 0x1b, 0x40, 0x45, 0x60, 4, 5],
      2: [
        0x17,
        0x18,
        4791,
        7,
        9,
        0xc005,
        0xc001,
        0xffff,
        0x7fff,
        ETHERTYPE.arp,
        ETHERTYPE.ipv4,
        ETHERTYPE.ipv6,
        0x8915,
      ],
      3: [0, 1, 0x51, 0x52, 0x400000, 0x400001, 0x408000, 0x4950, 0xffffff],
      4: [QKEY, 0x0b1b, 0x80010000, 1, 2, 0x5000, 0x5001, 0x5002, 0x5003, 0x0111_1267, u32(bytesOf(IB.address), 0)],
      bytes: [...addresses.map(bytesOf), ROCE.mac as Uint8Array, OTHER.mac, MAC, GID, gidOf(9), gidOf(10)],
    };
    return { corpus, dictionary };
  }
}

function arpFrame(operation: number): Uint8Array {
  const frame = new Uint8Array(14 + ARP_BYTES + 18);
  frame.fill(0xff, 0, 6);
  frame.set(OTHER.mac, 6);
  setU16(frame, 12, ETHERTYPE.arp);
  const arp = Object.assign(new Arp(), { operation });
  arp.sender.set(OTHER.mac);
  arp.senderIp.set(bytesOf(OTHER.address));
  arp.targetIp.set(bytesOf(IB.address));
  writeArp(frame, 14, arp);
  return frame;
}

function ipoibArp(operation: number): Uint8Array {
  const payload = new Uint8Array(IPOIB_BYTES + IPOIB_ARP_BYTES);
  writeIpoib(payload, 0, ETHERTYPE.arp);
  const arp = Object.assign(new IpoibArp(), { operation });
  arp.sender.qpn = 0x99;
  arp.sender.gid.set(gidOf(9));
  arp.senderIp.set(bytesOf(IB.address));
  arp.targetIp.set(bytesOf(ROCE.address));
  writeIpoibArp(payload, IPOIB_BYTES, arp);
  return payload;
}

function swapped(word: number): number {
  return ((word & 0xff) << 8) | (word >> 8);
}

function isSame(bytes: Uint8Array, at: number, address: Uint8Array): boolean {
  return address.every((byte, i) => bytes[at + i] === byte);
}
