// Owns a kernel for tests of one socket's behaviour: what it is sent is kept, what it answers the test says.
import { Encoder } from "../encoder.ts";
import { Packet } from "../packet.ts";
import type { Receiver, Transport } from "../transport.ts";

/** A message that was sent, taken apart. */
export interface SentMessage {
  type: number;
  flags: number;
  sequence: number;
}

export const PORT = 4711;

/** A transport without a kernel. Answers arrive when the test says so, or at once by `answer`. */
export class ScriptedTransport implements Transport {
  receiveBuffer = 1 << 20;
  sendBuffer = 1 << 20;
  port = PORT;
  receiver?: Receiver;
  held = false;
  closed = false;
  /** Messages of each send. */
  sent: SentMessage[][] = [];
  /** What send says instead of sending: a negative errno for a datagram of that many bytes. */
  refuse: (bytes: number) => number | undefined = () => undefined;
  /** Called (later, as a kernel's answers come) with each send. */
  answer: ((messages: SentMessage[]) => void) | undefined;

  send(bytes: Uint8Array): number {
    const refusal = this.refuse(bytes.length);
    if (refusal !== undefined) return refusal;
    const messages = [...messagesOf(bytes)];
    this.sent.push(messages);
    if (this.answer !== undefined) setImmediate(this.answer, messages);
    return bytes.length;
  }

  filter(): number {
    return 0;
  }

  hold(held: boolean): void {
    this.held = held;
  }

  close(): void {
    this.closed = true;
  }

  /** Has a datagram arrive. */
  arrive(...messages: Uint8Array[]): void {
    const bytes = Uint8Array.from(messages.flatMap((message) => [...message]));
    this.receiver?.datagram(new Packet(bytes), 0, bytes.length);
  }
}

function* messagesOf(bytes: Uint8Array): Generator<SentMessage> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += (view.getUint32(at, true) + 3) & ~3) {
    yield {
      type: view.getUint16(at + 4, true),
      flags: view.getUint16(at + 6, true),
      sequence: view.getUint32(at + 8, true),
    };
  }
}

/** The message, addressed to the transport's port. */
export function addressed(bytes: Uint8Array, port = PORT): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(12, port, true);
  return bytes;
}

/** NLMSG_ERROR for a request: errno 0 acknowledges. With `text`, an extended ack that blames `offset`. */
export function errorFor(sequence: number, errno: number, text?: string, offset?: number): Uint8Array {
  const encoder = new Encoder();
  const at = encoder.message(2, text === undefined ? 0x100 : 0x300, sequence, 20);
  encoder.setS32(at, -errno);
  encoder.setU32(at + 4, 16);
  encoder.text(1, text);
  encoder.u32(2, offset);
  encoder.finish(at);
  return addressed(encoder.written());
}

/** NLMSG_DONE for a dump. */
export function done(sequence: number, flags = 0, errno = 0): Uint8Array {
  const encoder = new Encoder();
  const at = encoder.message(3, 2 | flags, sequence, 4);
  encoder.setS32(at, -errno);
  encoder.finish(at);
  return addressed(encoder.written());
}
