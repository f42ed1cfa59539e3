// Owns probes by ARP: who has the address of a gateway? For those that answer no ping.
import { closeSync } from "node:fs";
import { formatAddress, parseAddress } from "../../model/ip.ts";
import { ARP_OPERATION_AT, ARP_PROTOCOL, ARP_REPLY, makeArpQuestion, readArp } from "../../probes/arp.ts";
import { fieldFilter } from "../classic-bpf.ts";
import { HostError } from "../error.ts";
import { hearPackets, OWN_NAMESPACE, sendPacket, takePacket, watchDescriptor } from "../native.ts";
import type { NamespaceFd } from "../native.ts";
import { openRouteSocket } from "../netlink/client.ts";
import type { LinkMessage } from "../netlink/link.ts";
import { parseHex } from "../netlink/text.ts";
import type { TellAnswer } from "./connect.ts";

/** What is probed, and by which link. */
export interface ArpOptions {
  target: string;
  link: string;
  /** As whom it is asked; as nobody (RFC 5227 section 2.1.1) where the link has no address in its subnet. */
  source?: string;
  intervalMs: number;
  namespace?: NamespaceFd;
}

/** The longest answer: by InfiniBand. What is longer is padding. */
const MOST_BYTES = 64;

/** A link that is listened to. */
interface Hearing {
  link: LinkMessage;
  descriptor: number;
  unwatch: () => void;
}

/** Probes until it is stopped. `tell` hears of each answer with its time in ms, and of each question without one. */
export function startArp(options: ArpOptions, tell: TellAnswer): () => void {
  const { intervalMs, namespace = OWN_NAMESPACE } = options;
  const target = parseAddress(options.target) ?? new Uint8Array();
  const ip = parseAddress(options.source ?? "0.0.0.0") ?? new Uint8Array(4);
  const awaited = formatAddress(target);
  let hearing: Hearing | undefined;
  let askedAt: number | undefined;
  let stopped = false;

  const hear = (descriptor: number): void => {
    const bytes = new Uint8Array(MOST_BYTES);
    for (let length = takePacket(descriptor, bytes); length !== undefined; length = takePacket(descriptor, bytes)) {
      if (askedAt === undefined || readArp(bytes.subarray(0, length))?.present !== awaited) continue;
      const tookMs = performance.now() - askedAt;
      askedAt = undefined;
      tell(true, Math.round(tookMs * 1000) / 1000);
    }
  };
  const listen = (link: LinkMessage): Hearing => {
    const filter = fieldFilter("half", ARP_OPERATION_AT, ARP_REPLY);
    const descriptor = hearPackets(namespace, link.index, ARP_PROTOCOL, filter);
    return { link, descriptor, unwatch: watchDescriptor(descriptor, "readable", () => hear(descriptor)) };
  };
  const hush = (): void => {
    hearing?.unwatch();
    if (hearing) closeSync(hearing.descriptor);
    hearing = undefined;
  };
  const ask = async (): Promise<void> => {
    if (askedAt !== undefined) {
      tell(false);
      askedAt = undefined;
    }
    try {
      if (!hearing) {
        const link = await findLink(options.link, namespace);
        if (stopped) return;
        if (link) hearing = listen(link);
      }
      const { link } = hearing ?? {};
      askedAt = performance.now();
      if (!hearing || !link) return;
      const own = parseHex(link.hardwareAddress ?? "");
      const question = makeArpQuestion({ hardware: link.type, own, ip }, target);
      const broadcast = parseHex(link.broadcast ?? "");
      if (question) sendPacket(hearing.descriptor, link.index, ARP_PROTOCOL, broadcast, question);
    } catch (error) {
      // The link is down or gone, perhaps to come back as another one: it is looked for anew.
      if (!(error instanceof HostError)) throw error;
      askedAt ??= performance.now();
      hush();
    }
  };
  let asking = ask();
  const timer = setInterval(() => {
    asking = asking.then(ask);
  }, intervalMs);
  return () => {
    stopped = true;
    clearInterval(timer);
    hush();
  };
}

async function findLink(name: string, namespace: NamespaceFd): Promise<LinkMessage | undefined> {
  const socket = openRouteSocket({ namespace });
  try {
    return (await socket.listLinks()).find((link) => link.name === name || link.altNames?.includes(name));
  } finally {
    socket.close();
  }
}
