// Owns what is wrong with what a section says of messages between hosts.
import type { Diagnostic } from "../../model/diagnostic.ts";
import { isHostAddress } from "../../model/ip.ts";
import type { Section } from "../role.ts";
import type { BridgeSection, MessagesSection } from "./schema.ts";

type QueuePair = NonNullable<MessagesSection["queue_pairs"]>[number];

/** The number of a stated queue pair on InfiniBand. */
export function aliasOf({ qpn, as }: QueuePair): number {
  return as?.qpn ?? qpn;
}

/** Queue pairs that cannot be told apart, or cannot be as they are stated. */
export function* messageFaults(section: Section<BridgeSection>): Generator<Diagnostic> {
  const { messages, multicast, arp, nd } = section.value;
  if (messages === undefined && multicast === undefined && arp !== true && nd !== true) {
    yield {
      code: "bridge-empty",
      severity: "error",
      summary: "nothing passes over this bridge",
      remedy: "State `multicast`, `messages`, `arp` or `nd`.",
      range: section.at("ethernet"),
    };
  }
  for (const [line, address] of (messages?.register ?? []).entries()) {
    if (isHostAddress(address)) continue;
    yield {
      code: "bridge-register",
      severity: "error",
      summary: `${address} is no address by which a host is reached`,
      remedy: "State addresses of hosts on Ethernet, none of groups, of loopback, or of a single link.",
      range: section.at("messages", "register", line),
    };
  }
  const seen = new Map<string, number>();
  for (const [line, one] of (messages?.queue_pairs ?? []).entries()) {
    const fault = faultOf(one);
    if (fault !== undefined) {
      yield {
        code: "bridge-queue-pair",
        severity: "error",
        ...fault,
        range: section.at("messages", "queue_pairs", line),
      };
      continue;
    }
    const names = [`${one.address} ${one.qpn}`, ...(one.on === "ethernet" ? [`alias ${aliasOf(one)}`] : [])];
    const before = names.map((name) => seen.get(name)).find((found) => found !== undefined);
    for (const name of names) seen.set(name, line);
    if (before === undefined) continue;
    const other = section.at("messages", "queue_pairs", before);
    yield {
      code: "bridge-queue-pair",
      severity: "error",
      summary: `two queue pairs have one number`,
      detail: `The other is in line ${other.start.line}. On InfiniBand those of Ethernet are all at the bridge.`,
      remedy: "Take one of them away, or give it another number on InfiniBand: `as: { qpn: … }`.",
      range: section.at("messages", "queue_pairs", line),
    };
  }
}

function faultOf({ on, qpn, as }: QueuePair): { summary: string; remedy: string } | undefined {
  if (on === "infiniband") {
    if (as === undefined) return undefined;
    return {
      summary: "a queue pair on InfiniBand keeps its number and key on Ethernet",
      remedy: "Take `as` away.",
    };
  }
  if (as?.qpn !== undefined || qpn < 0x400000) return undefined;
  return {
    summary: `${qpn} is one of the numbers that the bridge gives on InfiniBand`,
    remedy: "Give it another number there, below 0x400000: `as: { qpn: … }`.",
  };
}
