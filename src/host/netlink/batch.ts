// Owns changes in batches: thousands of requests in a few sends, errors told apart by their sequence numbers.
//
// The kernel works a datagram off in order while it is being sent, answers every request that fails, and the last one
// because it alone asks for an acknowledgement. A chunk is therefore over when its last request is answered.
import { constants } from "node:os";
import { NLM_F, NLMSG } from "./constants.ts";
import { Encoder } from "./encoder.ts";
import { decodeAnswer, NetlinkError, toError } from "./errors.ts";
import type { Arrival, Conversation, Line } from "./line.ts";
import { describeRequest, encodeRequest, type Request } from "./requests.ts";

/** What became of a request: undefined when the kernel did it. */
export type Result = NetlinkError | undefined;

/** Bytes in one send: some 4,000 routes, for which the kernel holds the event loop up for about 20 ms. */
const MOST_BYTES = 256 * 1024;
/** Bytes of a route with its gateway, link and table. */
const TYPICAL_BYTES = 80;
/** What the kernel charges for one answer that waits to be received, at most, with its extended ack. */
const ANSWER_COST = 2048;

/** Has the kernel do the requests in order; one that fails does not stop those after it. Rejects with RangeError. */
export async function perform(line: Line, requests: readonly Request[]): Promise<Result[]> {
  if (requests.length === 0) return [];
  return new Promise<Result[]>((resolve, reject) => line.ask(new Batch(requests, resolve, reject)));
}

class Batch implements Conversation {
  readonly #requests: readonly Request[];
  readonly #resolve: (results: Result[]) => void;
  readonly #reject: (error: Error) => void;
  readonly #results: Result[];
  readonly #encoder: Encoder;
  /** Where each request starts among the bytes, and where the last one ends. */
  readonly #starts: number[] = [];
  #first = 0;
  /** The chunk that is out: requests from `#from` to before `#to`. */
  #from = 0;
  #to = 0;
  #mostBytes = MOST_BYTES;

  constructor(requests: readonly Request[], resolve: (results: Result[]) => void, reject: (error: Error) => void) {
    this.#requests = requests;
    this.#encoder = new Encoder(requests.length * TYPICAL_BYTES);
    this.#resolve = resolve;
    this.#reject = reject;
    this.#results = requests.map(() => undefined);
  }

  begin(line: Line): boolean {
    // All of them are encoded before any is sent: a value that no field can hold must not leave half a batch done.
    this.#first = line.sequences(this.#requests.length);
    let sequence = this.#first;
    for (const request of this.#requests) {
      this.#starts.push(this.#encoder.length);
      encodeRequest(this.#encoder, request, sequence++);
    }
    this.#starts.push(this.#encoder.length);
    this.#mostBytes = Math.min(MOST_BYTES, line.transport.sendBuffer - 64);
    return this.#send(line);
  }

  message({ type, flags, sequence, packet, at, end }: Arrival, line: Line): boolean {
    const i = sequence - this.#first;
    if (type !== NLMSG.ERROR || i < 0 || i >= this.#to) return true;
    const answer = decodeAnswer(packet, type, flags, at, end);
    if (answer.errno !== 0) {
      const bytes = this.#encoder.written().subarray(this.#starts[i], this.#starts[i + 1]);
      this.#results[i] = toError(answer, describeRequest(this.#requests[i] as Request), bytes);
    }
    return i === this.#to - 1 ? this.#send(line) : true;
  }

  trouble(errno: number, line: Line): boolean {
    // The chunks are small enough for their answers, so this is a kernel short of memory.
    for (let i = this.#from; i < this.#to; i++) this.#refuse(i, errno, "the kernel's answer was lost");
    if (errno === constants.errno.ENOBUFS) return this.#send(line);
    for (let i = this.#to; i < this.#requests.length; i++) this.#refuse(i, errno, "it was not sent");
    this.#resolve(this.#results);
    return false;
  }

  fail(error: Error): void {
    this.#reject(error);
  }

  #refuse(i: number, errno: number, kernelMessage: string): void {
    const object = describeRequest(this.#requests[i] as Request);
    this.#results[i] ??= new NetlinkError({ errno, object, kernelMessage });
  }

  /** Sends the next chunk; false when there is none, and the batch is over. */
  #send(line: Line): boolean {
    while (this.#to < this.#requests.length) {
      this.#from = this.#to;
      this.#to = this.#chunkEnd(line.transport.receiveBuffer);
      this.#askForAnswer(this.#to - 1);
      const bytes = this.#encoder.written().subarray(this.#starts[this.#from], this.#starts[this.#to]);
      const sent = line.transport.send(bytes);
      if (sent >= 0) return true;
      this.#handleRefusal(-sent);
    }
    this.#resolve(this.#results);
    return false;
  }

  /** A send that failed sent nothing: a shorter one may pass; otherwise its first request is told so. */
  #handleRefusal(errno: number): void {
    const single = this.#to - this.#from === 1;
    const long = errno === constants.errno.EMSGSIZE || errno === constants.errno.ENOBUFS;
    if (long && !single) {
      this.#mostBytes = Math.ceil(this.#mostBytes / 2);
      this.#to = this.#from;
      return;
    }
    const until = long ? this.#to : this.#requests.length;
    for (let i = this.#from; i < until; i++) this.#refuse(i, errno, "it could not be sent");
    this.#to = until;
  }

  /** Where a chunk ends that begins at `#from`: at least one request behind, and no further than both buffers allow. */
  #chunkEnd(receiveBuffer: number): number {
    const most = (this.#starts[this.#from] as number) + this.#mostBytes;
    let to = this.#from + 1;
    let beyond = Math.min(this.#requests.length, this.#from + Math.max(1, Math.floor(receiveBuffer / ANSWER_COST))) + 1;
    while (beyond - to > 1) {
      const middle = (to + beyond) >> 1;
      if ((this.#starts[middle] as number) <= most) to = middle;
      else beyond = middle;
    }
    return to;
  }

  #askForAnswer(i: number): void {
    const at = (this.#starts[i] as number) + 6;
    this.#encoder.setU16(at, NLM_F.REQUEST | NLM_F.ACK | (this.#requests[i] as Request).flags);
  }
}
