// Owns prefixes as numbers: thousands of rules and routes are compared with each other, and text is slow at that.
import { addressBits, defaultPrefix, parseAddress, parsePrefix } from "./ip.ts";
import type { Family } from "./ip.ts";

/** A prefix as a number: the network's bits at the top, zeros below. */
export interface Range {
  family: Family;
  network: bigint;
  length: number;
}

const known = new Map<string, Range>();

/** Texts that are remembered: a host has many rules, but the same few thousand prefixes come again and again. */
const MOST_KNOWN = 100_000;

/** The prefix of a text; an address alone is a host prefix. Throws RangeError for what is neither. */
export function rangeOf(text: string): Range {
  const seen = known.get(text);
  if (seen) return seen;
  const parts = parsePrefix(text);
  if (!parts) throw new RangeError(`not a prefix: ${text}`);
  const bytes = parseAddress(parts.address) ?? [];
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  const range = { family: parts.family, network: cut(value, parts.family, parts.length), length: parts.length };
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(text, range);
  return range;
}

/** Every address of the family. */
export function everything(family: Family): Range {
  return rangeOf(defaultPrefix(family));
}

/** Whether all of `inner` lies in `outer`. */
export function contains(outer: Range, inner: Range): boolean {
  return (
    outer.family === inner.family &&
    outer.length <= inner.length &&
    cut(inner.network, inner.family, outer.length) === outer.network
  );
}

/** Whether no address lies in both. */
export function apart(a: Range, b: Range): boolean {
  return !contains(a, b) && !contains(b, a);
}

/** The network's bits of a value, zeros below. */
export function cut(value: bigint, family: Family, length: number): bigint {
  const below = BigInt(addressBits(family) - length);
  return (value >> below) << below;
}
