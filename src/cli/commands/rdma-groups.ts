// Owns `heddle rdma send` and `heddle rdma listen`: numbered messages to a group, and what becomes of them.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { HostError } from "../../host/error.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { parseAddress } from "../../model/ip.ts";
import { icrcIsRight } from "../../rdma/codec/icrc.ts";
import { countMessage, newAccount } from "../../rdma/hosts/account.ts";
import type { Account } from "../../rdma/hosts/account.ts";
import { joinGroup, sourceOf } from "../../rdma/hosts/group-member.ts";
import type { GroupMember, Hear, MemberPlace } from "../../rdma/hosts/group-member.ts";
import { isNumbered, numbered, readNumber } from "../../rdma/hosts/messages.ts";
import { FabricError } from "../../rdma/sa/management-port.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";

export interface SendOptions {
  count: number;
  /** Messages a second. */
  rate: number;
  /** Bytes of payload. */
  size: number;
}

export interface ListenOptions {
  /** Ends when so many messages were heard. */
  count?: number;
  /** Ends after that time. */
  seconds?: number;
}

/** Senders beyond these are counted as others: what a network says must not grow the process. */
const MOST_SENDERS = 1000;

/** Sends messages of one sender, numbered from 1. */
export async function sendMessages(
  context: Context,
  group: string,
  place: MemberPlace,
  { count, rate, size }: SendOptions,
): Promise<ExitCode> {
  const stop = stopSignal();
  const sender = randomBytes(4).readUInt32BE();
  return withMember(context, group, place, undefined, async (member) => {
    const counts = { sent: 0, unsent: 0 };
    const start = performance.now();
    for (let number = 1; number <= count && !stop.aborted; number++) {
      await pause(start + ((number - 1) * 1000) / rate - performance.now(), stop);
      if (stop.aborted) break;
      counts[member.send(numbered(sender, number, size)) ? "sent" : "unsent"]++;
    }
    if (context.options.json) context.sayJson({ group, ...counts, diagnostics: [] });
    else {
      const unsent = counts.unsent > 0 ? `; ${counts.unsent} were not taken` : "";
      context.say(`sent ${counts.sent} messages to ${group}${unsent}`);
    }
    return counts.unsent === 0 ? EXIT.ok : EXIT.failed;
  });
}

/** Hears messages, and says what is wrong with the numbers of each sender. */
export async function listenForMessages(
  context: Context,
  group: string,
  place: MemberPlace,
  { count, seconds }: ListenOptions,
): Promise<ExitCode> {
  const end = new AbortController();
  const stop = stopSignal();
  stop.addEventListener("abort", () => end.abort());
  const senders = new Map<string, Account & { source: string; last: number }>();
  let [heard, damaged, others] = [0, 0, 0];
  const hear: Hear = (bytes, parts) => {
    if (end.signal.aborted) return;
    if (!icrcIsRight(parts, bytes)) damaged++;
    else if (!isNumbered(bytes, parts.payload, parts.payloadEnd)) others++;
    else {
      const { sender, number } = readNumber(bytes, parts.payload);
      const source = sourceOf(bytes, parts);
      const key = `${source} ${sender}`;
      const known = senders.get(key);
      if (known === undefined && senders.size >= MOST_SENDERS) return void others++;
      // Where one begins to listen, nothing is missing yet.
      const account = known ?? { ...newAccount(), source, last: number - 1 };
      account.last = countMessage(account, account.last, number);
      senders.set(key, account);
      if (++heard === count) end.abort();
    }
  };
  return withMember(context, group, place, hear, async () => {
    if (!context.options.json) context.remark(`listens to ${group}`);
    await pause(seconds === undefined ? 2 ** 31 - 1 : seconds * 1000, end.signal);
    const all = [...senders.values()].sort((a, b) => a.source.localeCompare(b.source));
    const found = damaged > 0 || all.some((one) => one.missed + one.doubled + one.reordered > 0);
    if (context.options.json) {
      const told = all.map(({ source, heard: messages, missed, doubled, reordered }) => {
        return { source, messages, missed, doubled, reordered };
      });
      context.sayJson({ group, senders: told, damaged, others, diagnostics: [] });
    } else {
      for (const one of all) context.say(accountLine(one));
      if (damaged > 0) context.say(`with a wrong ICRC: ${damaged}`);
      if (others > 0) context.say(`without a number: ${others}`);
      if (all.length === 0) context.say("no numbered message was heard");
    }
    if (count !== undefined && heard < count) return EXIT.failed;
    return found ? EXIT.findings : EXIT.ok;
  });
}

function accountLine({ source, heard, missed, doubled, reordered }: Account & { source: string }): string {
  const wrong = Object.entries({ missed, doubled, "out of order": reordered }).filter(([, number]) => number > 0);
  const said = wrong.map(([what, number]) => `${number} ${what}`).join(", ");
  return `from ${source}: ${heard} messages, ${said === "" ? "none missed, doubled or out of order" : said}`;
}

async function withMember(
  context: Context,
  group: string,
  place: MemberPlace,
  hear: Hear | undefined,
  use: (member: GroupMember) => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    const joined = await joinGroup(parseAddress(group) as Uint8Array, place, hear);
    if (joined === undefined) return context.fail([noLink("link" in place ? place.link : "")]);
    await using member = joined;
    return await use(member);
  } catch (error) {
    if (error instanceof FabricError || error instanceof HostError) return context.fail([refused(error)]);
    throw error;
  }
}

function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  return stop.signal;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => {});
}

function noLink(link: string): Diagnostic {
  return {
    code: "no-link",
    severity: "error",
    summary: `this host has no link ${link}`,
    remedy: "`ip link` lists the links.",
  };
}

function refused(error: FabricError | HostError): Diagnostic {
  const [who, remedy] =
    error instanceof FabricError
      ? ["the fabric", "See that its model runs (heddle rdma fabric), and has such a host that nobody else is."]
      : ["the system", "It takes CAP_NET_RAW."];
  return { code: "group-refused", severity: "error", summary: `${who} refuses: ${error.message}`, remedy };
}
