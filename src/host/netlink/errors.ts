// Owns what the kernel says of a request that it refuses: struct nlmsgerr and its extended ack (linux/netlink.h).
import { HostError, type Failure } from "../error.ts";
import { NLM_F, NLMSG, TYPE_MASK } from "./constants.ts";
import { eachAttribute, type Packet } from "./packet.ts";

/** What an extended ack says beside its text. */
export interface Blame {
  /** Where in the request the offending attribute starts, in bytes from the message's header. */
  offset?: number;
  /** Type of the attribute that stands there. */
  attribute?: number;
  /** Type of an attribute that is missing, and where the nest starts that it is missing in. */
  missing?: { attribute: number; nest?: number };
}

/** A netlink request that failed. */
export class NetlinkError extends HostError {
  override name = "NetlinkError";
  readonly blame: Blame;

  constructor(failure: Failure, blame: Blame = {}) {
    super(failure);
    this.blame = blame;
  }
}

/** An answer with an errno: 0 is an acknowledgement. */
export interface Answer extends Blame {
  /** Positive. */
  errno: number;
  kernelMessage?: string;
}

// NLMSGERR_ATTR_* (linux/netlink.h).
const MSG = 1;
const OFFS = 2;
const MISS_TYPE = 5;
const MISS_NEST = 6;

/**
 * Reads the payload of an NLMSG_ERROR, or of an NLMSG_DONE, which ends a dump with an errno of its own. Throws
 * MalformedMessage.
 */
export function decodeAnswer(packet: Packet, type: number, flags: number, at: number, end: number): Answer {
  // Kernels end some dumps without a number.
  if (type === NLMSG.DONE && end - at < 4) return { errno: 0 };
  packet.need(at, 4, end);
  const errno = -packet.view.getInt32(at, true) | 0;
  if ((flags & NLM_F.ACK_TLVS) === 0 || errno === 0) return { errno };
  const answer: Answer = { errno };
  let missing: number | undefined;
  let nest: number | undefined;
  eachAttribute(
    packet,
    type === NLMSG.DONE ? at + 4 : afterRequest(packet, flags, at, end),
    end,
    (tlv, start, size) => {
      if (tlv === MSG) answer.kernelMessage = packet.text(start, size);
      else if (tlv === OFFS) answer.offset = packet.u32(start, size);
      else if (tlv === MISS_TYPE) missing = packet.u32(start, size);
      else if (tlv === MISS_NEST) nest = packet.u32(start, size);
    },
  );
  if (missing !== undefined)
    answer.missing = nest === undefined ? { attribute: missing } : { attribute: missing, nest };
  return answer;
}

/** Where the attributes start: behind the request's header, or behind all of the request where it is echoed. */
function afterRequest(packet: Packet, flags: number, at: number, end: number): number {
  packet.need(at + 4, 16, end);
  const echoed = (flags & NLM_F.CAPPED) === 0 ? packet.view.getUint32(at + 4, true) : 16;
  if (echoed > end - at) return end;
  return Math.min(end, at + 4 + ((echoed + 3) & ~3));
}

/** The error of an answer; `request` is the message that it answers, to find the attribute that is to blame. */
export function toError(answer: Answer, object: string, request?: Uint8Array): NetlinkError {
  const { errno, kernelMessage, offset, missing } = answer;
  const blame: Blame = {};
  if (offset !== undefined) {
    blame.offset = offset;
    if (request !== undefined && offset >= 16 && offset + 4 <= request.length) {
      const type = (request[offset + 2] as number) | ((request[offset + 3] as number) << 8);
      blame.attribute = type & TYPE_MASK;
    }
  }
  if (missing !== undefined) blame.missing = missing;
  return new NetlinkError(kernelMessage === undefined ? { errno, object } : { errno, object, kernelMessage }, blame);
}
