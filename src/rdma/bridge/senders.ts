// Owns who sends to a group on one side: the last few, with their counts.
import { u32 } from "../codec/bytes.ts";

/** More are not remembered: what a network says must not grow the process. */
const MOST_SENDERS = 16;

/** One that sent. */
export interface Sender {
  /** IP address or GID, 4 or 16 bytes. */
  address: Uint8Array;
  packets: number;
}

/** The senders of a group on one side, the first MOST_SENDERS. */
export class Senders {
  readonly #all: Sender[] = [];
  #last: Sender | undefined;
  /** Packets of senders that are not remembered. */
  others = 0;

  /** Counts packets whose source stands at `at`. */
  count(bytes: Uint8Array, at: number, length: number, packets = 1): void {
    const last = this.#last;
    if (last !== undefined && isSame(last.address, bytes, at, length)) {
      last.packets += packets;
      return;
    }
    const known = this.#all.find(({ address }) => isSame(address, bytes, at, length));
    if (known !== undefined) {
      known.packets += packets;
      this.#last = known;
    } else if (this.#all.length < MOST_SENDERS) {
      this.#last = { address: bytes.slice(at, at + length), packets };
      this.#all.push(this.#last);
    } else this.others += packets;
  }

  get all(): readonly Sender[] {
    return this.#all;
  }
}

function isSame(address: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (address.length !== length || u32(address, length - 4) !== u32(bytes, at + length - 4)) return false;
  for (let i = 0; i < length - 4; i++) if (address[i] !== bytes[at + i]) return false;
  return true;
}
