// Owns reading a capture as it comes, piece by piece: what format it is, and packet after packet.
import { u32 } from "../codec/bytes.ts";
import { BrokenCapture, CapturedPacket } from "./captured-packet.ts";
import type { RecordReader } from "./captured-packet.ts";
import { looksLikeErf, readErf } from "./erf.ts";
import { isPcap, openPcap, PCAP_HEADER_BYTES } from "./pcap.ts";
import { openPcapng, PCAPNG_MAGIC } from "./pcapng.ts";

/** Bytes that tell the format. */
const FIRST_BYTES = 16;
const GZIP = 0x1f8b;

/**
 * Reads packets out of the pieces that it is given. It holds one record at most, and refuses those that are longer than
 * any packet.
 */
export class CaptureReader {
  /** The packet that the last call of next() found; the next one takes its place. */
  readonly packet = new CapturedPacket();
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  /** Where #bytes starts in the file. */
  #start = 0;
  #read: RecordReader | undefined;

  /** Adds the next piece of the file. */
  push(piece: Uint8Array): void {
    const rest = this.#bytes.length - this.#at;
    this.#start += this.#at;
    if (rest === 0) {
      this.#bytes = piece;
    } else {
      const joined = new Uint8Array(rest + piece.length);
      joined.set(this.#bytes.subarray(this.#at));
      joined.set(piece, rest);
      this.#bytes = joined;
    }
    this.#at = 0;
  }

  /** How far into the file the next record is, in bytes. */
  get offset(): number {
    return this.#start + this.#at;
  }

  /** Finds the next packet; false when more of the file is needed. Throws BrokenCapture where `offset` is broken. */
  next(): boolean {
    this.#read ??= this.#open();
    while (this.#read !== undefined) {
      const taken = this.#read(this.#bytes, this.#at, this.#bytes.length, this.packet);
      if (taken.bytes === 0) return false;
      this.#at += taken.bytes;
      if (!taken.packet) continue;
      this.packet.number++;
      return true;
    }
    return false;
  }

  /** To be called when the file has ended and next() has said false. Throws BrokenCapture when there is a rest. */
  finish(): void {
    if (this.#read === undefined) {
      throw new BrokenCapture(this.#bytes.length === 0 ? "is empty" : "is too short for a capture");
    }
    const rest = this.#bytes.length - this.#at;
    if (rest > 0) throw new BrokenCapture(`is cut off: the file ends ${rest} bytes into it`);
  }

  #open(): RecordReader | undefined {
    const bytes = this.#bytes;
    if (bytes.length < FIRST_BYTES) return undefined;
    const magic = u32(bytes, 0);
    if (magic === PCAPNG_MAGIC) return openPcapng();
    if (isPcap(magic)) {
      if (bytes.length < PCAP_HEADER_BYTES) return undefined;
      this.#at = PCAP_HEADER_BYTES;
      return openPcap(bytes.slice(0, PCAP_HEADER_BYTES));
    }
    if (magic >>> 16 === GZIP) throw new BrokenCapture("is compressed; unpack it first (gunzip)");
    if (looksLikeErf(bytes, 0)) return readErf;
    throw new BrokenCapture("is neither pcap, pcapng nor ERF");
  }
}
