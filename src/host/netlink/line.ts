// Owns the order of things on one socket: one conversation with the kernel at a time, the others waiting their turn.
import { constants } from "node:os";
import { HEADER_LENGTH } from "./constants.ts";
import { NetlinkError } from "./errors.ts";
import { MalformedMessage, type Packet } from "./packet.ts";
import type { Receiver, Transport } from "./transport.ts";

/** A message of the kernel's to this socket. Its payload lies between `at` and `end`. */
export interface Arrival {
  type: number;
  flags: number;
  sequence: number;
  packet: Packet;
  at: number;
  end: number;
}

/** A question and its answers. What it throws fails it. */
export interface Conversation {
  /** Sends the (first) question; says whether there is anything to wait for. */
  begin(line: Line): boolean;
  /** Takes a message; says whether there is more to wait for. */
  message(arrival: Arrival, line: Line): boolean;
  /** Something was lost (a positive errno); says whether there is more to wait for. */
  trouble(errno: number, line: Line): boolean;
  fail(error: Error): void;
}

/** A socket's conversations, in the order in which they were asked for. */
export class Line implements Receiver {
  readonly transport: Transport;
  #waiting: Conversation[] = [];
  #current: Conversation | undefined;
  #sequence = 0;
  #closed = false;

  constructor(transport: Transport) {
    this.transport = transport;
    transport.receiver = this;
  }

  /** Has the conversation held, now or after those that were asked for before. */
  ask(conversation: Conversation): void {
    if (this.#closed) return conversation.fail(closedError());
    this.#waiting.push(conversation);
    if (this.#current === undefined) this.#next();
  }

  /** Takes back a conversation that has not begun; says whether it was still waiting. */
  withdraw(conversation: Conversation): boolean {
    const at = this.#waiting.indexOf(conversation);
    if (at >= 0) this.#waiting.splice(at, 1);
    return at >= 0;
  }

  /** The first of `count` sequence numbers in a row that no late answer carries. */
  sequences(count = 1): number {
    if (this.#sequence + count > 0xffffffff) this.#sequence = 0;
    const first = this.#sequence + 1;
    this.#sequence += count;
    return first;
  }

  /** Closes the socket; conversations that are not over fail. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.transport.close();
    const open = this.#current === undefined ? this.#waiting : [this.#current, ...this.#waiting];
    this.#current = undefined;
    this.#waiting = [];
    for (const conversation of open) conversation.fail(closedError());
  }

  datagram(packet: Packet, at: number, end: number): void {
    const { port } = this.transport;
    while (this.#current !== undefined && end - at >= HEADER_LENGTH) {
      const length = packet.view.getUint32(at, true);
      if (length < HEADER_LENGTH || length > end - at) {
        this.#step((current) => {
          current.fail(new MalformedMessage(`a message of ${length} bytes does not fit into its datagram`));
          return false;
        });
        return;
      }
      const arrival = {
        type: packet.view.getUint16(at + 4, true),
        flags: packet.view.getUint16(at + 6, true),
        sequence: packet.view.getUint32(at + 8, true),
        packet,
        at: at + HEADER_LENGTH,
        end: at + length,
      };
      if (packet.view.getUint32(at + 12, true) === port) this.#hear(this.#current, arrival);
      at += (length + 3) & ~3;
    }
  }

  trouble(errno: number): void {
    this.#step((current) => current.trouble(errno, this));
  }

  #next(): void {
    this.#current = this.#waiting.shift();
    // An idle socket neither keeps the process alive nor itself: who forgets to close it leaks nothing.
    this.transport.hold(this.#current !== undefined);
    if (this.#current !== undefined) this.#step((current) => current.begin(this));
  }

  /** Hands a message over: what #step does, without a function for each of a hundred thousand. */
  #hear(current: Conversation, arrival: Arrival): void {
    let more = false;
    try {
      more = current.message(arrival, this);
    } catch (error) {
      current.fail(error as Error);
    }
    if (!more && this.#current === current) this.#next();
  }

  /** Lets the conversation go on; when it is over or throws, the next one begins. */
  #step(go: (current: Conversation) => boolean): void {
    const current = this.#current;
    if (current === undefined) return;
    let more = false;
    try {
      more = go(current);
    } catch (error) {
      current.fail(error as Error);
    }
    if (!more && this.#current === current) this.#next();
  }
}

function closedError(): NetlinkError {
  return new NetlinkError({ errno: constants.errno.EBADF, object: "netlink socket", kernelMessage: "it is closed" });
}
