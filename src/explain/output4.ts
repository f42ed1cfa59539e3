// Owns the way of an IPv4 packet that this host sends.
//
// Source: ip_route_output_key_hash_rcu (net/ipv4/route.c), ip_route_connect (include/net/route.h).
import { TABLE } from "../model/kinds.ts";
import { contains, rangeOf } from "../model/prefix.ts";
import type { Range } from "../model/prefix.ts";
import type { TableAnswer } from "./answer.ts";
import { flowOf, ordinaryFlow } from "./packet.ts";
import type { Flow, Packet } from "./packet.ts";
import { indexOf } from "./routing.ts";
import type { Routing } from "./routing.ts";
import { SCOPE, selectAddress4, sourceOfHop } from "./source4.ts";
import { lookUp4 } from "./table4.ts";
import { refusalOf } from "./verdict.ts";
import type { Verdict, Way } from "./verdict.ts";
import { sourceLink, vrfOf } from "./vrf.ts";
import { walk } from "./walk.ts";

const MULTICAST = rangeOf("224.0.0.0/4");
const LOCAL_MULTICAST = rangeOf("224.0.0.0/24");
const ZERO_NET = rangeOf("0.0.0.0/8");
const BROADCAST = rangeOf("255.255.255.255");

const IGMP = 2;
/** Protocols whose sockets can connect: TCP, UDP, SCTP. */
const CONNECTING: ReadonlySet<number> = new Set([6, 17, 132]);

/** Finds the way. */
export function outputWay4(routing: Routing, packet: Packet, asked: Flow): Way {
  const refused = refuseSource(routing, asked);
  const flow = refused ? asked : boundTo(routing, asked);
  const early = refused ?? withoutRoute(routing, flow);
  if (early) return { packet, flow, walk: { steps: [] }, verdict: early };
  const found = walk(routing, flow);
  const refusal = refusalOf(found.end);
  const vrf = vrfOf(routing, flow);
  if (
    refusal !== undefined &&
    flow.oif !== undefined &&
    (!vrf || (vrf.name !== flow.oif && contains(MULTICAST, flow.to)))
  ) {
    return { packet, flow, walk: found, verdict: assume(routing, flow, flow.oif) };
  }
  if (refusal !== undefined) return { packet, flow, walk: found, verdict: { is: "refused", why: refusal } };
  const verdict = verdictOf(routing, packet, flow, found.end?.answer);
  const again = askAgain(routing, packet, verdict);
  return { packet, flow, walk: found, verdict, ...(again ? { again } : {}) };
}

/** What stands against the source, whatever the rules say. */
function refuseSource(routing: Routing, { from, oif, to }: Flow): Verdict | undefined {
  if (from === undefined) return undefined;
  if ([MULTICAST, BROADCAST, ZERO_NET].some((range) => contains(range, from))) {
    return { is: "refused", why: "impossible-source" };
  }
  // On a multicast's way it has to be an address of a link's own.
  const own = oif === undefined && isToMany(to) ? linkWith(routing, from) !== undefined : isOwn4(routing, from);
  return own ? undefined : { is: "refused", why: "not-own-source" };
}

/** Packets to many that have a source leave by the link that has it. */
function boundTo(routing: Routing, flow: Flow): Flow {
  const { from, oif, to } = flow;
  if (oif !== undefined || from === undefined || !isToMany(to)) return flow;
  const link = linkWith(routing, from);
  return link === undefined ? flow : { ...flow, oif: link };
}

/** What needs no route, or finds none to ask for. */
function withoutRoute(routing: Routing, { from, oif, to, ipProtocol }: Flow): Verdict | undefined {
  if (oif === undefined) return undefined;
  if (!indexOf(routing).links.get(oif)?.up) return { is: "refused", why: "link-down" };
  const onLink = contains(LOCAL_MULTICAST, to) || contains(BROADCAST, to) || ipProtocol === IGMP;
  if (!onLink) return undefined;
  const source = from === undefined ? selectAddress4(routing, oif, undefined, SCOPE.link) : undefined;
  return { is: "assumed", link: oif, ...(source === undefined ? {} : { source }) };
}

/** "Apparently, routing tables are wrong", says the kernel, and sends it by the link that was asked for all the same. */
function assume(routing: Routing, { from }: Flow, link: string): Verdict {
  const source = from === undefined ? selectAddress4(routing, link, undefined, SCOPE.link) : undefined;
  return { is: "assumed", link, ...(source === undefined ? {} : { source }) };
}

function verdictOf(routing: Routing, packet: Packet, flow: Flow, answer: TableAnswer | undefined): Verdict {
  const { route, candidates = [], choice = "only" } = answer ?? {};
  if (!route) throw new Error("an answer has a route");
  if (route.type === "local") {
    const source = packet.from === undefined ? { source: route.source ?? packet.to } : {};
    const link = candidates[0]?.hop.link;
    return { is: "delivered", ...(link === undefined ? {} : { link }), ...source };
  }
  const ways = candidates.map((candidate) => {
    const { route: own, hop } = candidate;
    const link = sourceLink(routing, flow, hop.link);
    const source =
      packet.from !== undefined
        ? undefined
        : link === hop.link
          ? sourceOfHop(routing, own, hop)
          : selectAddress4(routing, link, undefined, SCOPE.link);
    return source === undefined ? candidate : { ...candidate, source };
  });
  return { is: "sent", ways, choice };
}

/**
 * What a connecting socket finds: it looks a way up to get a source, and then looks up again with that source. Absent
 * where the packet has a source anyway. For packets of other sockets the first answer stands.
 */
function askAgain(routing: Routing, packet: Packet, verdict: Verdict): Way | undefined {
  if (packet.from !== undefined || verdict.is !== "sent" || isToMany(rangeOf(packet.to))) return undefined;
  if (packet.ipProtocol !== undefined && !CONNECTING.has(packet.ipProtocol)) return undefined;
  const from = verdict.ways[0]?.source;
  if (from === undefined) return undefined;
  const second = { ...packet, from };
  return outputWay4(routing, second, flowOf(second));
}

function isToMany(to: Range): boolean {
  return contains(MULTICAST, to) || contains(BROADCAST, to);
}

/** Whether an address is this host's: a link's, or one of a local route in table local (__ip_dev_find). */
export function isOwn4(routing: Routing, address: Range): boolean {
  if (linkWith(routing, address) !== undefined) return true;
  const local = indexOf(routing).tables.get(4, TABLE.local);
  return local !== undefined && lookUp4(routing, local, ordinaryFlow(address)).route?.type === "local";
}

/** The link that has the address. */
function linkWith(routing: Routing, address: Range): string | undefined {
  return routing.links.find(({ addresses }) =>
    addresses.some(
      (spec) => spec.family === 4 && rangeOf(spec.address.split("/")[0] ?? "").network === address.network,
    ),
  )?.name;
}
