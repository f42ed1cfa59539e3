// Owns dumps: asking for all objects of a kind, again when the kernel says that they changed meanwhile.
import { constants } from "node:os";
import { NLM_F, NLMSG } from "./constants.ts";
import { Encoder } from "./encoder.ts";
import { decodeAnswer, NetlinkError, toError } from "./errors.ts";
import type { Arrival, Conversation, Line } from "./line.ts";
import type { Packet } from "./packet.ts";

/** How often a dump is asked for before its object is said to change too fast. */
const MOST_ATTEMPTS = 20;

export interface DumpQuestion<T> {
  /** What is listed, to stand in an error: "routes". */
  object: string;
  /** Type of the messages that answer (RTM_NEW*). */
  type: number;
  /** Appends the question, with the message flags and the sequence number given. */
  encode(encoder: Encoder, flags: number, sequence: number): void;
  /** Reads one object; undefined when it is none of those that were asked for. */
  decode(packet: Packet, at: number, end: number): T | undefined;
  /** Errnos that mean "there are none": ENOENT for a routing table that is not there. */
  none?: readonly number[];
}

/** Lists what the question asks for. Rejects with NetlinkError, MalformedMessage, or the signal's reason. */
export async function dump<T>(line: Line, question: DumpQuestion<T>, signal?: AbortSignal): Promise<T[]> {
  signal?.throwIfAborted();
  return new Promise<T[]>((resolve, reject) => {
    const conversation = new Dump(question, resolve, reject);
    if (signal !== undefined) {
      const stop = () => {
        // One that has begun is heard to its end, unheeded: the kernel allows no other on the socket until then.
        line.withdraw(conversation);
        conversation.abandon();
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      conversation.over = () => signal.removeEventListener("abort", stop);
    }
    line.ask(conversation);
  });
}

class Dump<T> implements Conversation {
  readonly #question: DumpQuestion<T>;
  readonly #resolve: (objects: T[]) => void;
  readonly #reject: (error: Error) => void;
  #objects: T[] = [];
  #sequence = 0;
  #attempts = 0;
  #broken = false;
  #abandoned = false;
  #error: Error | undefined;
  over: (() => void) | undefined;

  constructor(question: DumpQuestion<T>, resolve: (objects: T[]) => void, reject: (error: Error) => void) {
    this.#question = question;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  abandon(): void {
    this.#abandoned = true;
    this.#objects = [];
  }

  begin(line: Line): boolean {
    const encoder = new Encoder(64);
    this.#sequence = line.sequences();
    this.#attempts++;
    this.#broken = false;
    this.#objects = [];
    this.#question.encode(encoder, NLM_F.REQUEST | NLM_F.DUMP, this.#sequence);
    const sent = line.transport.send(encoder.written());
    if (sent >= 0) return true;
    this.fail(new NetlinkError({ errno: sent, object: this.#question.object }));
    return false;
  }

  message({ type, flags, sequence, packet, at, end }: Arrival, line: Line): boolean {
    if (sequence !== this.#sequence) return true;
    if ((flags & NLM_F.DUMP_INTR) !== 0) this.#broken = true;
    if (type === NLMSG.DONE || type === NLMSG.ERROR) {
      const answer = decodeAnswer(packet, type, flags, at, end);
      if (answer.errno !== 0 && this.#question.none?.includes(answer.errno) !== true) {
        this.#error ??= toError(answer, this.#question.object);
      }
      return this.#end(line);
    }
    if (type !== this.#question.type || this.#abandoned || this.#error !== undefined) return true;
    try {
      const object = this.#question.decode(packet, at, end);
      if (object !== undefined) this.#objects.push(object);
    } catch (error) {
      // Heard to its end all the same: another question would be refused with EBUSY.
      this.#error = error as Error;
    }
    return true;
  }

  trouble(errno: number): boolean {
    // What the receive buffer had no room for is a gap in the list, but the kernel goes on with the dump.
    if (errno === constants.errno.ENOBUFS) {
      this.#broken = true;
      return true;
    }
    this.fail(new NetlinkError({ errno, object: this.#question.object }));
    return false;
  }

  fail(error: Error): void {
    this.over?.();
    this.#reject(error);
  }

  #end(line: Line): boolean {
    if (this.#abandoned) return false;
    if (this.#error !== undefined) {
      this.fail(this.#error);
      return false;
    }
    if (!this.#broken) {
      this.over?.();
      this.#resolve(this.#objects);
      return false;
    }
    if (this.#attempts < MOST_ATTEMPTS) return this.begin(line);
    const kernelMessage = `it changed during each of ${MOST_ATTEMPTS} attempts to list it`;
    this.fail(new NetlinkError({ errno: constants.errno.EAGAIN, object: this.#question.object, kernelMessage }));
    return false;
  }
}
