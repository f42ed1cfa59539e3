// Owns which pairs there are between the links of two hosts, and the command that tries one. Pure.
import type { PlacedLink } from "./batches.ts";
import { addressesOf } from "./schema.ts";
import type { PairMethod } from "./step-schema.ts";
import { isAnsweredBy, literal, tryCommand } from "./trial.ts";

export type Binding = "unbound" | "address" | "device";
export const BINDINGS: readonly Binding[] = ["unbound", "address", "device"];

/** An address with the link that holds it. */
export interface End {
  host: string;
  link: string;
  address: string;
}

/** One trial: a host asks an address of another one. */
export interface Pair {
  method: PairMethod;
  family: 4 | 6;
  binding: Binding;
  /** The asking host, with the link that it is bound to (by address or device), if it is bound. */
  from: { host: string; link?: string; address?: string };
  to: End;
  /** Echo identifier or TCP source port, by which its packets are known. */
  number: number;
}

/** Where the listeners of TCP pairs listen: rping's port in the write-up of the dual cards. */
export const PAIR_PORT = 9401;

export interface PairsRequest {
  between: readonly [readonly PlacedLink[], readonly PlacedLink[]];
  methods: readonly PairMethod[];
  families: readonly (4 | 6)[];
}

/** First address of the family on each link. Links without one are left out. */
export function endsOf(links: readonly PlacedLink[], family: 4 | 6): End[] {
  return links.flatMap(({ host, name, place }) => {
    const [address] = addressesOf(place, family);
    return address === undefined ? [] : [{ host, link: name, address }];
  });
}

/**
 * Every pair in both directions: unbound to each far address, and bound to each near address and each near device to
 * each far address. Two links on each side make 4 + 8 + 8 pairs for each method and family.
 */
export function listPairs(request: PairsRequest, nextNumber: () => number): Pair[] {
  const pairs: Pair[] = [];
  for (const method of request.methods) {
    for (const binding of BINDINGS) {
      for (const family of request.families) {
        const [a, b] = request.between.map((links) => endsOf(links, family)) as [End[], End[]];
        for (const [near, far] of [
          [a, b],
          [b, a],
        ] as const) {
          const host = near[0]?.host;
          if (host === undefined) continue;
          const froms: Pair["from"][] = binding === "unbound" ? [{ host }] : near;
          for (const from of froms) {
            for (const to of far) pairs.push({ method, family, binding, from, to, number: nextNumber() });
          }
        }
      }
    }
  }
  return pairs;
}

/** Program, arguments and input that try a pair; they take about a second when there is no answer. */
export function pairCommand(pair: Pair): { argv: string[]; input?: string } {
  const { method, from, to, number, binding } = pair;
  const bound = {
    address: binding === "address" ? from.address : undefined,
    device: binding === "device" ? from.link : undefined,
  };
  return tryCommand({ method, to: to.address, number }, PAIR_PORT, bound);
}

/** The program that answers TCP pairs at an address: it sends back what comes. */
export function listenerCommand(end: End): string[] {
  const family = end.address.includes(":") ? 6 : 4;
  const address = `TCP${family}-LISTEN:${PAIR_PORT},bind=${literal(end.address)},reuseaddr,fork,backlog=64`;
  return ["socat", address, "PIPE"];
}

/** Whether the command's end means that the pair got its answer. */
export function isAnswered(pair: Pair, ended: { code: number | null; stdout: string }): boolean {
  return isAnsweredBy({ ...pair, to: pair.to.address }, ended);
}
