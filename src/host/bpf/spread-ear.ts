// Owns hearing of traffic that begins: the programs tell when so many bytes have gone by, so that nobody has to look.
import { SPREAD_BOUNDS } from "../../model/spread-program.ts";
import { watchDescriptor } from "../native.ts";
import { BpfMap } from "./map.ts";
import type { SpreadMaps } from "./spread.ts";
import { isByLoad, numberKey } from "./spread-maps.ts";
import { number64 } from "./spread-frames.ts";

/** Hears what the programs of one namespace tell, until it is disposed of. */
export class SpreadEar implements Disposable {
  readonly #heard: () => void;
  #watched: { id: number; ring: BpfMap; unwatch: () => void } | undefined;

  constructor(heard: () => void) {
    this.#heard = heard;
  }

  /**
   * Asks to be told, once, as soon as a spread by load has carried so many bytes from now on, at least 1; it need not be
   * all of them at once. What came before the answer was given may have gone untold: look at the counts afterwards. False
   * where the programs cannot tell, being those of an earlier build. Throws HostError.
   */
  listen({ maps }: SpreadMaps, bytes: number): boolean {
    const [ring, untold, spreads] = [maps.get("told"), maps.get("untold"), maps.get("spreads")];
    if (!ring || !untold || !spreads || !this.#watch(ring.id())) return false;
    for (let number = 0; number < SPREAD_BOUNDS.spreads; number++) {
      const spread = spreads.lookup(numberKey(number));
      if (spread && isByLoad(spread)) untold.update(numberKey(number), number64(BigInt(bytes)));
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.#watched?.unwatch();
    this.#watched?.ring[Symbol.dispose]();
    this.#watched = undefined;
  }

  /** The maps may have been made anew since the last time. */
  #watch(id: number): boolean {
    if (this.#watched?.id === id) return true;
    this[Symbol.dispose]();
    const ring = BpfMap.open(id);
    if (!ring) return false;
    const unwatch = watchDescriptor(ring.fd, "readable", () => {
      // Before anybody looks: what is told while he looks is heard again.
      ring.empty();
      this.#heard();
    });
    this.#watched = { id, ring, unwatch };
    return true;
  }
}
