// Owns datagrams: the interface that conversations and watchers speak through, and the addon's socket behind it.
import { constants } from "node:os";
import { HostError } from "../error.ts";
import { addon, OWN_NAMESPACE, type NamespaceFd, type NativeSocket } from "../native.ts";
import { NETLINK_ROUTE } from "./constants.ts";
import { Packet } from "./packet.ts";

/** Who gets what a transport receives. Neither function may keep the packet. */
export interface Receiver {
  /** One datagram; its messages lie between `at` and `end`. */
  datagram(packet: Packet, at: number, end: number): void;
  /**
   * Something was lost: ENOBUFS when the receive buffer ran over, EMSGSIZE when a datagram was too long (positive).
   * An overrun is told when the socket has been emptied: until then the kernel goes on dropping messages in silence,
   * and whoever looked again sooner would miss those.
   */
  trouble(errno: number): void;
}

/** One netlink socket. */
export interface Transport {
  /** What the kernel charges messages that wait to be received against, bytes. */
  readonly receiveBuffer: number;
  /** What the kernel charges a message to send against, bytes. */
  readonly sendBuffer: number;
  /** Port id, which answers carry. */
  readonly port: number;
  receiver?: Receiver;
  /** Sends one datagram: the number of bytes, or the negative errno. */
  send(bytes: Uint8Array): number;
  /** Has the kernel drop datagrams that a classic BPF program does not want: 0, or the negative errno. */
  filter(program: Uint8Array): number;
  /** While held, the socket keeps the process alive and is not garbage. */
  hold(held: boolean): void;
  /** May be called any number of times. */
  close(): void;
}

export interface TransportOptions {
  /** Descriptor of the network namespace; absent means the one of the process. It may be closed afterwards. */
  namespace?: NamespaceFd;
  /** Which part of the kernel to talk to (NETLINK_*); absent means routing. */
  protocol?: number;
  /** Multicast groups to join, by number (RTNLGRP_*). */
  groups?: readonly number[];
  /** Bytes to ask for; the kernel grants at most net.core.rmem_max without CAP_NET_ADMIN on the host. */
  receiveBuffer?: number;
  sendBuffer?: number;
}

const MEBIBYTE = 1024 * 1024;
/** Errors that a socket survives: something was lost, or the kernel was out of memory for the moment. */
const SURVIVED: ReadonlySet<number> = new Set([constants.errno.ENOBUFS, constants.errno.ENOMEM]);

/** Opens a netlink socket. Throws HostError. */
export function openTransport(options: TransportOptions = {}): Transport {
  const { namespace = OWN_NAMESPACE, protocol = NETLINK_ROUTE, groups = [] } = options;
  const { receiveBuffer = 8 * MEBIBYTE, sendBuffer = 4 * MEBIBYTE } = options;
  const socket = addon().openSocket(protocol, groups, namespace, receiveBuffer, sendBuffer);
  if (typeof socket === "number") throw new HostError({ errno: socket, object: "netlink socket" });
  return new NativeTransport(socket);
}

class NativeTransport implements Transport {
  readonly #socket: NativeSocket;
  receiver?: Receiver;

  constructor(socket: NativeSocket) {
    this.#socket = socket;
    socket.receive = (error, count) => this.#receive(error, count);
  }

  get receiveBuffer(): number {
    return this.#socket.receiveBuffer;
  }

  get sendBuffer(): number {
    return this.#socket.sendBuffer;
  }

  get port(): number {
    return this.#socket.port;
  }

  send(bytes: Uint8Array): number {
    return addon().send(this.#socket, bytes);
  }

  filter(program: Uint8Array): number {
    return addon().filterSocket(this.#socket, program);
  }

  hold(held: boolean): void {
    addon().holdSocket(this.#socket, held);
  }

  close(): void {
    addon().closeSocket(this.#socket);
  }

  #receive(error: number, count: number): void {
    if (error < 0) {
      // A socket that fails otherwise would fail again at once, for ever.
      if (!SURVIVED.has(-error)) this.close();
      this.receiver?.trouble(-error);
      return;
    }
    const { lengths, slots, packet } = arena();
    for (let i = 0; i < count; i++) {
      const length = lengths[i] as number;
      const at = i * (slots.length / lengths.length);
      if (length > 0) this.receiver?.datagram(packet, at, at + length);
      else if (length < 0) this.receiver?.trouble(constants.errno.EMSGSIZE);
    }
  }
}

interface Arena {
  buffer: ArrayBuffer;
  lengths: Int32Array;
  slots: Uint8Array;
  packet: Packet;
}

let known: Arena | undefined;

/** The addon's receive arena: 32-bit lengths, one a slot, negative for a truncated datagram; then the slots. */
function arena(): Arena {
  const buffer = addon().arena();
  if (known?.buffer !== buffer) {
    const count = addon().slots;
    const slots = new Uint8Array(buffer, count * 4);
    known = { buffer, lengths: new Int32Array(buffer, 0, count), slots, packet: new Packet(slots) };
  }
  return known;
}
