// Owns what a picture holds of spreading: enough to say which link a packet goes by.
import type { Placed } from "./spread-hash.ts";
import type { SpreadSpec } from "./spread-program.ts";

/** One section at work. */
export interface PictureSpread extends Placed {
  spec: SpreadSpec;
  /** Links at whose ingress its packets are looked at. */
  ingress: readonly string[];
}
