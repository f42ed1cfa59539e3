// Owns the receiving end of a message in several datagrams (RMPP; IBA vol 1, 13.6.6): what is acknowledged and when, what
// has come, and when it is over. It sends nothing itself.
import { MAD_BYTES, MadHeader, readMadHeader, writeMadHeader } from "../codec/mad.ts";
import { readRecord } from "../codec/record.ts";
import type { Layout, RecordOf } from "../codec/record.ts";
import { RMPP_DATA_BYTES, RMPP_FLAG, RMPP_STATUS, RMPP_TYPE, RMPP_VERSION, readRmpp } from "../codec/rmpp.ts";
import { RmppHeader, writeRmpp } from "../codec/rmpp.ts";
import { readSaHeader, SA_DATA, SA_DATA_BYTES } from "../codec/sa.ts";

/** Segments that the sender may send before it waits. */
const WINDOW = 32;
/** Bytes of the administrator's own header, which every segment repeats. */
const SA_HEADER_BYTES = RMPP_DATA_BYTES - SA_DATA_BYTES;

/** `cut`: there is more than was asked for. */
export type TransferState = "open" | "whole" | "cut" | "failed";

/** One answer of several datagrams, from its first to its last. */
export class TableTransfer {
  readonly #mostSegments: number;
  readonly #segments = new Map<number, Uint8Array>();
  /** Up to which segment everything has come. */
  #until = 0;
  /** Up to which segment may be sent. */
  #window = 1;
  #last = Infinity;
  #lastBytes = 0;
  #state: TransferState = "open";
  /** The datagram that came last, of which answers take their header. */
  #mad: Uint8Array | undefined;
  /** Why it failed. */
  why = "";

  /** `mostSegments` bounds what is taken in: each carries 200 bytes. */
  constructor(mostSegments: number) {
    this.#mostSegments = mostSegments;
  }

  get state(): TransferState {
    return this.#state;
  }

  /** How many segments have come, in their order. */
  get count(): number {
    return this.#until;
  }

  /** Takes a datagram with RMPP active. Gives the one that it is answered by, if it is. */
  take(mad: Uint8Array): Uint8Array | undefined {
    const { version, type, flags, status, segment, length } = rmppOf(mad);
    this.#mad = mad;
    if (this.#state !== "open") return type === RMPP_TYPE.data ? this.#repeat() : undefined;
    if (version !== RMPP_VERSION) return this.#fail(RMPP_STATUS.unsupportedVersion, `its version is ${version}`);
    if (type === RMPP_TYPE.stop || type === RMPP_TYPE.abort) {
      this.#state = "failed";
      this.why = `the sender gave it up, status ${status}`;
      return undefined;
    }
    // Acknowledgements of what was sent are for senders.
    if (type === RMPP_TYPE.ack) return undefined;
    if (type !== RMPP_TYPE.data) return this.#fail(RMPP_STATUS.badType, `its type is ${type}`);
    if (segment === 0 || (segment === 1) !== ((flags & RMPP_FLAG.first) !== 0)) {
      return this.#fail(RMPP_STATUS.badFirst, `segment ${segment} does not know whether it is the first`);
    }
    // What has come already is acknowledged again: the sender has not heard it.
    if (segment <= this.#until) return this.acknowledgement();
    if (segment > this.#window || segment > this.#last) return undefined;
    if ((flags & RMPP_FLAG.last) !== 0) {
      if (length < SA_HEADER_BYTES || length > RMPP_DATA_BYTES || this.#isBeyond(segment)) {
        return this.#fail(RMPP_STATUS.badLength, `its last segment, ${segment}, says that it has ${length} bytes`);
      }
      this.#last = segment;
      this.#lastBytes = length - SA_HEADER_BYTES;
    }
    this.#segments.set(segment, mad);
    return this.#goOn();
  }

  /** What says up to where everything has come; said again when nothing comes. Undefined before the first segment. */
  acknowledgement(): Uint8Array | undefined {
    if (this.#until === 0) return undefined;
    return this.#answer({ type: RMPP_TYPE.ack, segment: this.#until, length: this.#window });
  }

  /** Gives it up. What tells the sender so; undefined when there is none that waits. */
  abandon(): Uint8Array | undefined {
    if (this.#state !== "open" || this.#mad === undefined) return undefined;
    return this.#fail(RMPP_STATUS.tooLong, "the rest did not come");
  }

  /** The records that came, all of one layout. Those of a transfer that was cut are as many as are whole. */
  records<L extends Layout>(layout: L): RecordOf<L>[] {
    const first = this.#segments.get(1);
    if (first === undefined || (this.#state !== "whole" && this.#state !== "cut")) return [];
    const step = readSaHeader(first, 0).attributeOffset * 8;
    if (step < layout.bytes) return [];
    const bytes = new Uint8Array(this.#until * SA_DATA_BYTES);
    for (let i = 1; i <= this.#until; i++) {
      bytes.set((this.#segments.get(i) as Uint8Array).subarray(SA_DATA), (i - 1) * SA_DATA_BYTES);
    }
    const length = this.#state === "whole" ? (this.#last - 1) * SA_DATA_BYTES + this.#lastBytes : bytes.length;
    // The last record need not be filled up to where the next one would begin.
    const count = Math.floor((length + step - layout.bytes) / step);
    return Array.from({ length: count }, (_, i) => readRecord(layout, bytes, i * step));
  }

  #goOn(): Uint8Array | undefined {
    while (this.#segments.has(this.#until + 1)) this.#until++;
    if (this.#until === this.#last) {
      this.#state = "whole";
      return this.acknowledgement();
    }
    if (this.#until >= this.#mostSegments) {
      this.#state = "cut";
      return this.#stop();
    }
    if (this.#until < this.#window) return undefined;
    this.#window = Math.min(this.#until + WINDOW, this.#mostSegments);
    return this.acknowledgement();
  }

  /** Whether more has come than a last segment of this number allows. */
  #isBeyond(last: number): boolean {
    for (const segment of this.#segments.keys()) if (segment > last) return true;
    return false;
  }

  #repeat(): Uint8Array | undefined {
    if (this.#state === "whole") return this.acknowledgement();
    return this.#state === "cut" ? this.#stop() : undefined;
  }

  #stop(): Uint8Array {
    return this.#answer({ type: RMPP_TYPE.stop, status: RMPP_STATUS.resourcesExhausted });
  }

  #fail(status: number, why: string): Uint8Array {
    this.#state = "failed";
    this.why = why;
    return this.#answer({ type: RMPP_TYPE.abort, status });
  }

  /** A datagram of the same transaction, in the other direction (IBA vol 1, 13.6.2; Linux format_ack in mad_rmpp.c). */
  #answer(said: Partial<RmppHeader>): Uint8Array {
    const header = new MadHeader();
    readMadHeader(this.#mad as Uint8Array, 0, header);
    const mad = new Uint8Array(MAD_BYTES);
    writeMadHeader(mad, 0, Object.assign(header, { answer: !header.answer, status: 0 }));
    const version = RMPP_VERSION;
    writeRmpp(mad, 0, Object.assign(new RmppHeader(), { version, flags: RMPP_FLAG.active, ...said }));
    return mad;
  }
}

function rmppOf(mad: Uint8Array): RmppHeader {
  const header = new RmppHeader();
  readRmpp(mad, 0, header);
  return header;
}
