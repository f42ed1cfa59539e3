// Owns the question whether a change takes a way away that the host had: the one to the rest of the world.
import type { Family } from "../model/ip.ts";
import { defaultPrefix } from "../model/ip.ts";
import type { Packet } from "./packet.ts";
import type { Routing } from "./routing.ts";
import { sayLast } from "./say.ts";
import { lastWay } from "./verdict.ts";
import { wayOf } from "./way.ts";

/** A way that is lost: where to, and what becomes of the packet before and after, as sayWay says it. */
export interface LostWay {
  to: string;
  before: string;
  after: string;
}

/** Addresses that no route but a default one leads to (RFC 5737, RFC 3849). */
const FAR: Readonly<Record<Family, string>> = { 4: "203.0.113.1", 6: "2001:db8:ffff::1" };

/** Ways of unbound packets by a default route that lead somewhere before and nowhere after. */
export function findLostWays(before: Routing, after: Routing): LostWay[] {
  return ([4, 6] as const).flatMap((family): LostWay[] => {
    const packet: Packet = { to: FAR[family], uid: 0 };
    const way = wayOf(before, packet);
    const end = lastWay(way).walk.end?.outcome;
    const byDefault = end?.is === "answered" && end.route.to === defaultPrefix(family);
    if (!byDefault || lastWay(way).verdict.is !== "sent") return [];
    const then = wayOf(after, packet);
    if (lastWay(then).verdict.is === "sent") return [];
    return [{ to: packet.to, before: sayLast(way), after: sayLast(then) }];
  });
}
