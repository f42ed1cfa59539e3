// Owns the whole answer to "why does my packet go there?": the way, who is at its end, what would be if a link were lost,
// the way back, and what was not looked at.
import { familyOf } from "../model/ip.ts";
import { isOfResets } from "../model/nft.ts";
import type { HostPicture, PictureNeighbour } from "../model/picture.ts";
import { answerers, asksAs } from "./arp.ts";
import type { Answerer } from "./arp.ts";
import { passOf } from "./filters/passage.ts";
import type { Filtered, Passage } from "./filters/passage.ts";
import { withoutLink } from "./if-down.ts";
import type { LinkLoss } from "./if-down.ts";
import type { Packet } from "./packet.ts";
import { hostOf } from "./source4.ts";
import { indexOf, neighbourOf } from "./routing.ts";
import type { Routing } from "./routing.ts";
import type { Verdict, Way } from "./verdict.ts";
import { wayOf } from "./way.ts";

/** The far end of a way out: whom the frame is for. */
export interface FarEnd {
  link: string;
  /** The gateway, or the destination where it is on the link. */
  address: string;
  /** What the kernel knows of it; absent where it has not asked yet, or where nobody looked. */
  neighbour?: PictureNeighbour;
  /** IPv4: in whose name this host asks for it. */
  asksAs?: string;
  up: boolean;
  carrier: boolean;
  /** Nobody is asked on this link. */
  noArp?: true;
}

/** What would be if a link were lost. */
export interface WhatIf extends Passage {
  link: string;
  loss: LinkLoss;
}

/** The way of the answer to a packet. */
export interface Reply {
  way: Way;
  /** Links that hear the far end ask for the address that the answer is for. Empty where the far end is no neighbour. */
  answerers: Answerer[];
}

/** All of it. */
export interface Explanation {
  way: Way;
  /** What nftables did to the packet; absent where its rules are not known. */
  filtered?: Filtered;
  farEnds: FarEnd[];
  ifLost: WhatIf[];
  reply?: Reply;
  /** Full sentences. */
  remarks: string[];
}

/** What an explanation is made from: the routing, and what is known of nftables. */
export type Explained = Routing & Partial<Pick<HostPicture, "chains" | "unseen">>;

/** What to explain besides the way itself. */
export interface Wishes {
  reply?: boolean;
}

/** Links of a way whose loss is thought through. */
const MOST_LINKS = 4;

/** Explains a packet's way. */
export function explain(routing: Explained, packet: Packet, wishes: Wishes = {}): Explanation {
  const { way, filtered } = passOf(routing, packet);
  const links = linksOf(way.verdict);
  const reply = wishes.reply ? replyTo(routing, way) : undefined;
  return {
    way,
    ...(filtered ? { filtered } : {}),
    farEnds: farEnds(routing, way),
    ifLost: links.slice(0, MOST_LINKS).flatMap((link) =>
      (["no-carrier", "down"] as const).map((loss): WhatIf => ({
        link,
        loss,
        ...passOf(withoutLink(routing, link, loss), packet),
      })),
    ),
    ...(reply ? { reply } : {}),
    remarks: remarks(routing, way),
  };
}

/** The links by which a packet may leave. */
export function linksOf(verdict: Verdict): string[] {
  if (verdict.is === "assumed") return [verdict.link];
  if (verdict.is !== "sent") return [];
  return [...new Set(verdict.ways.flatMap(({ hop }) => hop.link ?? []))].filter((link) => link !== "lo");
}

function farEnds(routing: Routing, { verdict, packet }: Way): FarEnd[] {
  const ways =
    verdict.is === "sent"
      ? verdict.ways.map(({ hop, source }) => ({ link: hop.link, address: hop.via ?? packet.to, source }))
      : verdict.is === "assumed"
        ? [{ link: verdict.link, address: packet.to, source: verdict.source }]
        : [];
  return ways.flatMap(({ link: name, address, source }): FarEnd[] => {
    const link = name === undefined ? undefined : indexOf(routing).links.get(name);
    if (!link || link.type === "loopback") return [];
    const neighbour = neighbourOf(routing, link.name, address);
    const asker =
      familyOf(address) === 4 && !link.noArp ? asksAs(routing, link.name, address, packet.from ?? source) : undefined;
    return [
      {
        link: link.name,
        address,
        ...(neighbour ? { neighbour } : {}),
        ...(asker === undefined ? {} : { asksAs: asker }),
        up: link.up,
        carrier: link.carrier,
        ...(link.noArp ? { noArp: true } : {}),
      },
    ];
  });
}

/** The answer: with the ends changed over, without the mark, and coming in by where the packet left. */
function replyTo(routing: Routing, way: Way): Reply | undefined {
  const { packet, verdict } = way;
  const [first] = verdict.is === "sent" ? verdict.ways : [];
  const link = first?.hop.link ?? (verdict.is === "assumed" ? verdict.link : undefined);
  const source =
    packet.from ?? (verdict.is === "refused" ? undefined : verdict.is === "sent" ? first?.source : verdict.source);
  if (link === undefined || source === undefined) return undefined;
  const { ipProtocol, sourcePort, destinationPort, tos } = packet;
  const answer: Packet = {
    to: source,
    from: packet.to,
    iif: link,
    ...(ipProtocol === undefined ? {} : { ipProtocol }),
    ...(destinationPort === undefined ? {} : { sourcePort: destinationPort }),
    ...(sourcePort === undefined ? {} : { destinationPort: sourcePort }),
    ...(tos === undefined ? {} : { tos }),
  };
  const asker = first?.hop.via ?? packet.to;
  const heard =
    packet.iif === undefined && familyOf(asker) === familyOf(source) ? answerers(routing, source, asker) : [];
  return { way: wayOf(routing, answer), answerers: heard };
}

/** What else may have a say about the packet. */
function remarks(routing: Explained, way: Way): string[] {
  const { flow, verdict, walk } = way;
  const hooks = flow.local
    ? ["output", "postrouting"]
    : verdict.is === "delivered"
      ? ["prerouting", "input"]
      : ["prerouting", "forward", "postrouting"];
  const family = flow.family === 4 ? "ip" : "ip6";
  const chains = (routing.ruleset === undefined ? (routing.chains ?? []) : []).filter(
    (chain) => hooks.includes(chain.hook) && (chain.family === "inet" || chain.family === family) && !isOfResets(chain),
  );
  return [
    ...walk.steps
      .filter(({ outcome }) => outcome.is === "passed" && outcome.on === "more")
      .map(
        ({ rule }) =>
          `Rule ${rule.priority} asks for something that heddle has no word for; it counts as not matching.`,
      ),
    ...walk.steps
      .filter(({ outcome }) => outcome.is === "answered" && outcome.partly)
      .map(
        ({ rule }) =>
          `Packets whose hash leads to a link of group ${rule.suppressGroup} go on to the rule after ${rule.priority}.`,
      ),
    ...sharedObject(routing, way),
    ...notOwn(routing, way),
    ...(routing.unseen ?? []).map(({ what, why }) => `Could not look at ${what}: ${why}`),
    ...chains.map(
      ({ family: kind, table, name, hook }) =>
        `${CHAIN[hook] ?? "May change it"}: chain ${name} of table ${kind} ${table} (${hook}).`,
    ),
  ];
}

/** What a chain at a hook may do to a packet's way. */
const CHAIN: Readonly<Record<string, string>> = {
  prerouting: "May change its mark or its destination, or drop it",
  input: "May drop it",
  forward: "May drop it",
  output: "May change its mark, and so its way, or its destination, or drop it",
  postrouting: "May change its source, or drop it",
};

/** IPv6 looks nothing up about the source of what the host sends; the socket could not have it. */
function notOwn({ links }: Routing, { flow, packet: { from } }: Way): string[] {
  if (flow.family === 4 || !flow.local || from === undefined) return [];
  const own = links.some(({ addresses }) => addresses.some((spec) => hostOf(spec) === from));
  return own ? [] : [`No link has ${from}, so that a socket can hardly be bound to it.`];
}

/**
 * IPv6 routes that share a nexthop object share what the kernel remembers of the one that was used first, its prefix too
 * (rt6i_pcpu of struct fib6_nh): a rule that suppresses by length may look at the other's.
 */
function sharedObject(routing: Routing, { flow, walk }: Way): string[] {
  if (flow.family === 4) return [];
  return walk.steps.flatMap(({ rule, answer }) => {
    const id = answer?.route?.nexthop;
    if (id === undefined || rule.suppressPrefixLength === undefined) return [];
    const sharing = routing.routes.filter((route) => route.family === 6 && route.nexthop === id).length;
    if (sharing < 2) return [];
    return [
      `Rule ${rule.priority} suppresses by length, and ${sharing} routes share nexthop ${id}: the kernel looks at the prefix of whichever of them it used first.`,
    ];
  });
}
