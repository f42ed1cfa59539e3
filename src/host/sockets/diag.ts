// Owns the kernel's view of open sockets: listing them with their marks and owners, and closing one (sock_diag(7)).
//
// Sources: include/uapi/linux/inet_diag.h, sock_diag.h; net/ipv4/inet_diag.c.
import { constants } from "node:os";
import type { Family } from "../../model/ip.ts";
import type { NamespaceFd } from "../native.ts";
import { NLM_F, NLMSG } from "../netlink/constants.ts";
import { dump } from "../netlink/dump.ts";
import { Encoder } from "../netlink/encoder.ts";
import { decodeAnswer, NetlinkError, toError } from "../netlink/errors.ts";
import type { Arrival, Conversation } from "../netlink/line.ts";
import { Line } from "../netlink/line.ts";
import { eachAttribute } from "../netlink/packet.ts";
import type { Packet } from "../netlink/packet.ts";
import { openTransport } from "../netlink/transport.ts";

const NETLINK_SOCK_DIAG = 4;
const BY_FAMILY = 20;
const DESTROY = 21;
/** Bytes of struct inet_diag_req_v2, inet_diag_msg and inet_diag_sockid. */
const SIZE = { request: 56, answer: 72, id: 48 } as const;
const ATTRIBUTE = { bytecode: 1, mark: 15, cgroup: 21 } as const;
const AF = { 4: 2, 6: 10 } as const;
const ALL_STATES = 0xffffffff;

/** States of a TCP socket that matter here (net/tcp_states.h); connected UDP sockets are "established". */
export const STATE = { established: 1, timeWait: 6, close: 7, listen: 10 } as const;

/** IP protocols whose sockets are listed. */
export const PROTOCOL = { tcp: 6, udp: 17 } as const;

/** An open socket. */
export interface OpenSocket {
  family: Family;
  protocol: number;
  state: number;
  sourcePort: number;
  /** Absent where the kernel does not tell (without CAP_NET_ADMIN); otherwise 0 for none. */
  mark?: number;
  /** The user that owns it. */
  uid: number;
  inode: number;
  /** Id of its control group of version 2, decimal; absent on kernels before 5.9. */
  cgroup?: string;
  /** Names it to the kernel: struct inet_diag_sockid. */
  id: Uint8Array;
}

/** The sockets of a namespace. */
export interface SocketTable {
  /** TCP and UDP sockets of both families; with `marked`, those whose mark has any of the bits. Rejects with HostError. */
  list(marked?: number, signal?: AbortSignal): Promise<OpenSocket[]>;
  /** Closes a socket: its owner gets ECONNABORTED, the far end of a connection a reset. One that is gone is no error. */
  destroy(socket: OpenSocket): Promise<void>;
  close(): void;
}

/** Opens the table of a namespace. Throws HostError. */
export function openSocketTable(namespace: NamespaceFd): SocketTable {
  const line = new Line(openTransport({ namespace, protocol: NETLINK_SOCK_DIAG, sendBuffer: 1 << 16 }));
  return {
    async list(marked, signal) {
      const lists: OpenSocket[][] = [];
      for (const family of [4, 6] as const) {
        for (const protocol of [PROTOCOL.tcp, PROTOCOL.udp]) {
          lists.push(await listSockets(line, family, protocol, marked, signal));
        }
      }
      return lists.flat();
    },
    destroy: (socket) => destroySocket(line, socket),
    close: () => line.close(),
  };
}

async function listSockets(
  line: Line,
  family: Family,
  protocol: number,
  marked: number | undefined,
  signal?: AbortSignal,
): Promise<OpenSocket[]> {
  return dump(
    line,
    {
      object: `IPv${family} sockets`,
      type: BY_FAMILY,
      encode(encoder, flags, sequence) {
        const at = encodeRequest(encoder, BY_FAMILY, flags, sequence, family, protocol);
        if (marked !== undefined) encoder.raw(ATTRIBUTE.bytecode, markedWith(marked));
        encoder.finish(at);
      },
      decode: (packet, at, end) => {
        const socket = decodeSocket(packet, at, end, protocol);
        // Whoever may not see marks may not filter by them either.
        return marked === undefined || ((socket.mark ?? 0) & marked) !== 0 ? socket : undefined;
      },
      // A kernel without this protocol has no sockets of it.
      none: [constants.errno.ENOENT],
    },
    signal,
  );
}

/** Begins a request with its fixed part, whose place it gives. */
function encodeRequest(
  encoder: Encoder,
  type: number,
  flags: number,
  sequence: number,
  family: Family,
  protocol: number,
): number {
  const at = encoder.message(type, flags, sequence, SIZE.request);
  encoder.setU8(at, AF[family]);
  encoder.setU8(at + 1, protocol);
  encoder.setU32(at + 4, ALL_STATES);
  return at;
}

/**
 * The kernel's little program that keeps sockets whose mark has any bit of the mask: where none is set it goes on to a
 * jump four bytes beyond the end, which refuses; otherwise to the end (struct inet_diag_bc_op, inet_diag_bc_run).
 */
function markedWith(mask: number): Uint8Array {
  const [MARK_CONDITION, JUMP] = [10, 1];
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  const operation = (at: number, code: number, yes: number, no: number): void => {
    bytes[at] = code;
    bytes[at + 1] = yes;
    view.setUint16(at + 2, no, true);
  };
  operation(0, MARK_CONDITION, 12, 16);
  view.setUint32(8, mask, true);
  operation(12, JUMP, 4, 8);
  return bytes;
}

function decodeSocket(packet: Packet, at: number, end: number, protocol: number): OpenSocket {
  packet.need(at, SIZE.answer, end);
  const { view } = packet;
  const socket: OpenSocket = {
    family: view.getUint8(at) === AF[6] ? 6 : 4,
    protocol,
    state: view.getUint8(at + 1),
    sourcePort: view.getUint16(at + 4, false),
    uid: view.getUint32(at + 64, true),
    inode: view.getUint32(at + 68, true),
    id: packet.copy(at + 4, SIZE.id),
  };
  eachAttribute(packet, at + SIZE.answer, end, (type, start, length) => {
    if (type === ATTRIBUTE.mark) socket.mark = packet.u32(start, length);
    if (type === ATTRIBUTE.cgroup && length === 8) socket.cgroup = view.getBigUint64(start, true).toString();
  });
  return socket;
}

async function destroySocket(line: Line, socket: OpenSocket): Promise<void> {
  return new Promise((resolve, reject) => line.ask(new Destruction(socket, resolve, reject)));
}

class Destruction implements Conversation {
  readonly #socket: OpenSocket;
  readonly #resolve: () => void;
  readonly #reject: (error: Error) => void;
  #sequence = 0;

  constructor(socket: OpenSocket, resolve: () => void, reject: (error: Error) => void) {
    this.#socket = socket;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  begin(line: Line): boolean {
    const { family, protocol, id } = this.#socket;
    const encoder = new Encoder(128);
    this.#sequence = line.sequences();
    const at = encodeRequest(encoder, DESTROY, NLM_F.REQUEST | NLM_F.ACK, this.#sequence, family, protocol);
    encoder.copy(at + 8, id);
    encoder.finish(at);
    const sent = line.transport.send(encoder.written());
    if (sent < 0) this.fail(new NetlinkError({ errno: sent, object: "socket" }));
    return sent >= 0;
  }

  message({ type, flags, sequence, packet, at, end }: Arrival): boolean {
    if (sequence !== this.#sequence || type !== NLMSG.ERROR) return true;
    const answer = decodeAnswer(packet, type, flags, at, end);
    if (answer.errno === 0 || answer.errno === constants.errno.ENOENT) this.#resolve();
    else this.fail(toError(answer, "socket"));
    return false;
  }

  trouble(errno: number): boolean {
    this.fail(new NetlinkError({ errno, object: "socket" }));
    return false;
  }

  fail(error: Error): void {
    this.#reject(error);
  }
}
