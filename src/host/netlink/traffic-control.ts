// Owns filters and queueing disciplines as messages, as far as BPF programs at links need them: struct tcmsg and TCA_*
// (linux/rtnetlink.h, linux/pkt_cls.h), both ways.
import type { Encoder } from "./encoder.ts";
import { NESTED } from "./constants.ts";
import { eachAttribute, type Packet } from "./packet.ts";

/** A queueing discipline of a link. */
export interface QdiscMessage {
  /** Index of the link. */
  index: number;
  handle: number;
  parent: number;
  kind: string;
}

/** A filter at a hook of a link. */
export interface FilterMessage {
  /** Index of the link. */
  index: number;
  /** Where it is: CLSACT.ingress, CLSACT.egress, or a class. */
  parent: number;
  /** Lower is asked first. */
  priority: number;
  /** EtherType that it is for; 3 (ETH_P_ALL) for all. */
  protocol: number;
  /** 0 asks the kernel for one, and stands for all of the priority. */
  handle: number;
  /** "bpf", "u32", "flower". */
  kind: string;
  /** Of the kind "bpf", to make one: descriptor of a program. */
  programFd?: number;
  /** Of the kind "bpf", as the kernel tells it: the program's id. */
  program?: number;
  /** Of the kind "bpf": a name for people. */
  name?: string;
}

/** The qdisc without a queue that hooks of a link hang on, and the hooks (linux/pkt_sched.h). */
export const CLSACT = { parent: 0xfffffff1, handle: 0xffff0000, ingress: 0xfffffff2, egress: 0xfffffff3 } as const;

/** ETH_P_ALL. */
export const ALL_PROTOCOLS = 3;

const HEADER_LENGTH = 20;
const KIND = 1;
const OPTIONS = 2;
// TCA_BPF_* (linux/pkt_cls.h).
const BPF_FD = 6;
const BPF_NAME = 7;
const BPF_FLAGS = 8;
const BPF_ID = 11;
/** The program's answer is the verdict (TCA_BPF_FLAG_ACT_DIRECT). */
const DIRECT = 1;

/** Reads a queueing discipline. Throws MalformedMessage. */
export function decodeQdisc(packet: Packet, at: number, end: number): QdiscMessage {
  packet.need(at, HEADER_LENGTH, end);
  const { view } = packet;
  const message: QdiscMessage = {
    index: view.getInt32(at + 4, true),
    handle: view.getUint32(at + 8, true),
    parent: view.getUint32(at + 12, true),
    kind: "",
  };
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    if (type === KIND) message.kind = packet.text(start, length);
  });
  return message;
}

/** Reads a filter. Throws MalformedMessage. */
export function decodeFilter(packet: Packet, at: number, end: number): FilterMessage {
  packet.need(at, HEADER_LENGTH, end);
  const { view } = packet;
  const message: FilterMessage = {
    index: view.getInt32(at + 4, true),
    handle: view.getUint32(at + 8, true),
    parent: view.getUint32(at + 12, true),
    protocol: view.getUint16(at + 16, false),
    priority: view.getUint16(at + 18, true),
    kind: "",
  };
  eachAttribute(packet, at + HEADER_LENGTH, end, (type, start, length) => {
    if (type === KIND) message.kind = packet.text(start, length);
    // What stands in the options is the kind's own, which comes first.
    else if (type === OPTIONS && message.kind === "bpf") decodeBpf(packet, message, start, start + length);
  });
  return message;
}

function decodeBpf(packet: Packet, message: FilterMessage, at: number, end: number): void {
  eachAttribute(packet, at, end, (type, start, length) => {
    if (type === BPF_ID) message.program = packet.u32(start, length);
    else if (type === BPF_NAME) message.name = packet.text(start, length);
  });
}

/** Appends a whole message of a type such as RTM_NEWQDISC. */
export function encodeQdisc(
  encoder: Encoder,
  type: number,
  flags: number,
  sequence: number,
  message: QdiscMessage,
): void {
  const header = encoder.message(type, flags, sequence, HEADER_LENGTH);
  encoder.setS32(header + 4, message.index);
  encoder.setU32(header + 8, message.handle);
  encoder.setU32(header + 12, message.parent);
  encoder.text(KIND, message.kind);
  encoder.finish(header);
}

/** Appends a whole message of a type such as RTM_NEWTFILTER. Throws RangeError for a value that its field cannot hold. */
export function encodeFilter(
  encoder: Encoder,
  type: number,
  flags: number,
  sequence: number,
  message: FilterMessage,
): void {
  const header = encoder.message(type, flags, sequence, HEADER_LENGTH);
  encoder.setS32(header + 4, message.index);
  encoder.setU32(header + 8, message.handle);
  encoder.setU32(header + 12, message.parent);
  // Network byte order for the one half, the host's for the other.
  encoder.setU16(header + 16, ((message.protocol & 0xff) << 8) | (message.protocol >> 8));
  encoder.setU16(header + 18, message.priority);
  encoder.text(KIND, message.kind);
  if (message.programFd !== undefined) {
    const options = encoder.nest(OPTIONS | NESTED);
    encoder.u32(BPF_FD, message.programFd);
    encoder.text(BPF_NAME, message.name);
    encoder.u32(BPF_FLAGS, DIRECT);
    encoder.endNest(options);
  }
  encoder.finish(header);
}
