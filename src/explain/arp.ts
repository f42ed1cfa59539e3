// Owns who answers when somebody on a link asks for an address of this host, and in whose name this host asks itself.
//
// Sources: arp_process, arp_ignore, arp_filter, arp_solicit (net/ipv4/arp.c), inet_confirm_addr (net/ipv4/devinet.c),
// ndisc_recv_ns (net/ipv6/ndisc.c).
import { familyOf } from "../model/ip.ts";
import type { PictureLink } from "../model/picture.ts";
import { scopeNumber } from "../model/scope.ts";
import { hostOf, isNear, SCOPE, selectAddress4 } from "./source4.ts";
import { indexOf } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { largerOf } from "./switches.ts";
import { wayOf } from "./way.ts";

/** Whether a link answers. */
export interface Answerer {
  link: string;
  answers: boolean;
  /**
   * Why. "own": it has the address. "any": it answers for all of the host's (arp_ignore 0). "ignore": arp_ignore forbids it.
   * "filter": arp_filter does, as the way to the asker is by another link. "input": the question does not pass the checks
   * of what comes in, such as rp_filter. "not-here": IPv6 answers for addresses of the link only.
   */
  why: "own" | "any" | "ignore" | "filter" | "input" | "not-here";
}

/** The links that hear a question from `asker` for `target`, and whether each of them answers. */
export function answerers(routing: Routing, target: string, asker: string): Answerer[] {
  return hearing(routing, asker).map((link) => {
    const { answers, why } = familyOf(target) === 4 ? answer4(routing, link, target, asker) : answer6(link, target);
    return { link: link.name, answers, why };
  });
}

/** Links on which the asker is a neighbour. */
function hearing(routing: Routing, asker: string): PictureLink[] {
  return routing.links.filter(
    (link) =>
      link.up &&
      link.carrier &&
      !link.noArp &&
      link.type !== "loopback" &&
      link.addresses.some((spec) => spec.family === familyOf(asker) && isNear(spec, asker)),
  );
}

function answer6(link: PictureLink, target: string): Omit<Answerer, "link"> {
  const own = link.addresses.some((spec) => spec.family === 6 && !spec.dadFailed && hostOf(spec) === target);
  return own ? { answers: true, why: "own" } : { answers: false, why: "not-here" };
}

function answer4(routing: Routing, link: PictureLink, target: string, asker: string): Omit<Answerer, "link"> {
  // The question is looked up like a packet that came in.
  if (wayOf(routing, { to: target, from: asker, iif: link.name }).verdict.is !== "delivered") {
    return { answers: false, why: "input" };
  }
  if (!mayAnswer(routing, link, target, asker)) return { answers: false, why: "ignore" };
  if ((largerOf(routing, link.name, "arp_filter") ?? 0) > 0) {
    const { verdict } = wayOf(routing, { to: asker, from: target });
    const back = verdict.is === "sent" && verdict.ways.every(({ hop }) => hop.link === link.name);
    if (!back) return { answers: false, why: "filter" };
  }
  const own = link.addresses.some((spec) => hostOf(spec) === target);
  return { answers: true, why: own ? "own" : "any" };
}

/** arp_ignore: which addresses a link answers for (ip-sysctl.rst). */
function mayAnswer(routing: Routing, link: PictureLink, target: string, asker: string): boolean {
  const level = largerOf(routing, link.name, "arp_ignore") ?? 0;
  const own = link.addresses.find((spec) => spec.family === 4 && hostOf(spec) === target);
  switch (level) {
    case 1:
      return own !== undefined;
    case 2:
      return own !== undefined && isNear(own, asker);
    case 3:
      return routing.links.some(({ addresses }) =>
        addresses.some((spec) => hostOf(spec) === target && scopeNumber(spec.scope) <= SCOPE.link),
      );
    case 8:
      return false;
    default:
      return true;
  }
}

/** The address in whose name the host asks for a neighbour, to send it a packet that comes from `from`. */
export function asksAs(
  routing: Routing,
  link: string,
  neighbour: string,
  from: string | undefined,
): string | undefined {
  const level = largerOf(routing, link, "arp_announce") ?? 0;
  const { links } = indexOf(routing);
  const isOwn = routing.links.some(({ addresses }) =>
    addresses.some((spec) => from !== undefined && hostOf(spec) === from),
  );
  const near = links
    .get(link)
    ?.addresses.some(
      (spec) => spec.family === 4 && from !== undefined && isNear(spec, from) && isNear(spec, neighbour),
    );
  if (from !== undefined && isOwn && (level === 0 || (level === 1 && near))) return from;
  return selectAddress4(routing, link, neighbour, SCOPE.link);
}
