// Owns the shares of a gateway's work: which hosts inside appear under which addresses, and by which address they find it.
import { formatAddress, parseAddress } from "../../model/ip.ts";
import type { Gateway } from "./schema.ts";

/** Addresses from one to another, both included. */
export interface AddressRange {
  first: string;
  last: string;
}

/** A pool has its addresses on a link, one by one, and in a map: a range of it has at most so many. */
export const MOST_ADDRESSES = 256;

/** Hosts inside that are served together, by one gateway at a time. */
export interface Share {
  /** The moving addresses inside, with their lengths, one for each IP version; none without failover. */
  addresses: string[];
  to: AddressRange[];
  /** Absent means everybody. */
  from?: string[];
}

/** The shares: one where nothing else is said; none where nothing is translated to addresses that the file names. */
export function sharesOf({ nat, from, failover }: Gateway): Share[] {
  if (failover?.shares) {
    return failover.shares.map(({ address, to, from: own }) => ({
      addresses: address,
      to: to.map((one) => ({ first: one, last: one })),
      from: own,
    }));
  }
  if (!nat || nat === "masquerade") return [];
  return [{ addresses: failover?.address ?? [], to: nat.to, ...(from ? { from } : {}) }];
}

/** All addresses that the outside sees, where the file names them. */
export function translatedBy(gateway: Gateway): AddressRange[] {
  return sharesOf(gateway).flatMap(({ to }) => to);
}

/** Every address of a range; undefined when there are too many. */
export function listRange(first: string, last: string): string[] | undefined {
  const bytes = parseAddress(first);
  if (!bytes) throw new RangeError(`not an address: ${first}`);
  const all = [first];
  while (all.at(-1) !== last) {
    if (all.length === MOST_ADDRESSES) return undefined;
    let place = bytes.length - 1;
    while (bytes[place] === 0xff) bytes[place--] = 0;
    bytes[place] = (bytes[place] as number) + 1;
    all.push(formatAddress(bytes));
  }
  return all;
}
