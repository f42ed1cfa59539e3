// Owns the judgement of a pair from what was seen at the switch: did every packet go by the link that it should? Pure.
//
// The rule for both directions: a packet leaves by the link that holds its source address (or that it was bound to),
// and goes to the link that holds its destination address. The rule for resolution: an address is told by the link
// that holds it, and by no other.
import type { PlacedLink } from "./batches.ts";
import type { CapturedFrame } from "./capture.ts";
import type { End, Pair } from "./pairs.ts";
import { addressesOf } from "./schema.ts";
import { answersTo, ownedBy } from "./trial.ts";
import type { PacketFrame, Trial } from "./trial.ts";

/** What became of a pair. It is right when nothing is wrong with it. */
export interface Verdict {
  pair: Pair;
  answered: boolean;
  /** Short clauses for people: "answered by ib0, not ib1". Empty for a right pair. */
  problems: string[];
}

/** Whose an address is, by hardware and IP address. */
export interface Owners {
  byMac: Map<string, { host: string; link: string }>;
  byAddress: Map<string, End & { mac: string }>;
}

/** The owners of all addresses of a lab. */
export function listOwners(links: readonly PlacedLink[]): Owners {
  const owners: Owners = { byMac: new Map(), byAddress: new Map() };
  for (const { host, name, mac, place } of links) {
    owners.byMac.set(mac, { host, link: name });
    for (const address of addressesOf(place)) owners.byAddress.set(address, { host, link: name, address, mac });
  }
  return owners;
}

/** Judges a pair by the frames that were recorded at the ports of both hosts while it ran (others may be among them). */
export function judgePair(pair: Pair, answered: boolean, frames: readonly CapturedFrame[], owners: Owners): Verdict {
  // A frame is seen at two ports: where its sender is it is counted.
  const sent = frames.filter((frame) => frame.sentByHost);
  const requests = sent.filter((frame) => isRequest(pair, frame));
  const replies = sent.filter((frame) => isReply(pair, frame));
  const problems = new Set<string>();
  if (!answered) problems.add("no answer");
  if (requests.length === 0) problems.add(whyNothingLeft(pair, sent));
  const involved = new Set([pair.to.address]);
  for (const request of requests) {
    const source = owners.byAddress.get(request.source);
    involved.add(request.source);
    const expected = pair.binding === "device" ? pair.from.link : (source?.link ?? pair.from.link);
    if (request.link !== expected) problems.add(`left by ${request.link}, not ${expected ?? "a link of the lab"}`);
    if (
      source &&
      pair.binding !== "unbound" &&
      source.address !== pair.from.address &&
      source.link !== pair.from.link
    ) {
      problems.add(`left with the address of ${source.link}`);
    }
    problems.add(wrongArrival("went to", request.destinationMac, pair.to, owners));
  }
  for (const reply of replies) {
    if (reply.link !== pair.to.link) problems.add(`answered by ${reply.link}, not ${pair.to.link}`);
    const asker = owners.byAddress.get(reply.destination);
    if (asker) problems.add(wrongArrival("answer went to", reply.destinationMac, asker, owners));
  }
  for (const frame of sent) {
    const told = toldAddress(frame);
    const owner = told === undefined || !involved.has(told) ? undefined : owners.byAddress.get(told);
    if (owner && (frame.host !== owner.host || frame.link !== owner.link)) {
      problems.add(`${frame.link} of ${frame.host} says that it has ${owner.address}`);
    }
  }
  problems.delete("");
  return { pair, answered, problems: [...problems] };
}

/** Whether a verdict has nothing to complain about. */
export function isRight(verdict: Verdict): boolean {
  return verdict.problems.length === 0;
}

function isRequest(pair: Pair, frame: CapturedFrame): frame is PacketFrame {
  return frame.host === pair.from.host && ownedBy(trialOf(pair), frame);
}

function isReply(pair: Pair, frame: CapturedFrame): frame is PacketFrame {
  return frame.host === pair.to.host && answersTo(trialOf(pair), frame);
}

function trialOf(pair: Pair): Trial {
  return { ...pair, to: pair.to.address };
}

/** The address that a frame tells the hardware address of. */
function toldAddress(frame: CapturedFrame): string | undefined {
  if (frame.kind === "arp-reply") return frame.sender;
  return frame.kind === "neighbour-advertisement" ? frame.target : undefined;
}

function whyNothingLeft(pair: Pair, sent: readonly CapturedFrame[]): string {
  const asked = sent.find(
    (frame) =>
      frame.host === pair.from.host &&
      (frame.kind === "arp-request" || frame.kind === "neighbour-solicitation") &&
      frame.target === pair.to.address,
  );
  return asked ? `${asked.link} asked for ${pair.to.address} in vain` : "nothing left the host";
}

/** "went to ib0, not ib1" when the frame's destination is not the owner's card; empty otherwise. */
function wrongArrival(verb: string, mac: string, wanted: { link: string; address: string }, owners: Owners): string {
  const arrived = owners.byMac.get(mac);
  const owner = owners.byAddress.get(wanted.address);
  return owner && mac !== owner.mac ? `${verb} ${arrived?.link ?? mac}, not ${wanted.link}` : "";
}
