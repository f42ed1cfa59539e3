// Owns the comparison of what explain says of random packets with what the kernel does (RTM_GETROUTE).
import { constants } from "node:os";
import { sayRoute, sayRule } from "../src/explain/words.ts";
import type { Condition } from "../src/explain/match.ts";
import { flowOf } from "../src/explain/packet.ts";
import type { Packet } from "../src/explain/packet.ts";
import { indexOf } from "../src/explain/routing.ts";
import type { Way } from "../src/explain/verdict.ts";
import { sourceLink, vrfOfLink } from "../src/explain/vrf.ts";
import { isUntouched } from "../src/explain/walk.ts";
import { wayOf } from "../src/explain/way.ts";
import { HostError } from "../src/host/error.ts";
import type { RouteSocket } from "../src/host/netlink/client.ts";
import type { Question } from "../src/host/netlink/lookup.ts";
import type { RouteMessage } from "../src/host/netlink/route.ts";
import { familyOf } from "../src/model/ip.ts";
import type { HostPicture, PictureRoute } from "../src/model/picture.ts";
import { rangeOf } from "../src/model/prefix.ts";
import type { World } from "./explain-worlds.ts";

/** What a run found: how many packets, what decided them, and where explain and the kernel differ. */
export interface Tally {
  packets: number;
  /** Packets that were decided by a rule with the condition. */
  decidedBy: Partial<Record<Condition | "not" | "suppressed" | "goto", number>>;
  multipath: number;
  refused: number;
  differences: string[];
}

/** An empty one. */
export function newTally(): Tally {
  return { packets: 0, decidedBy: {}, multipath: 0, refused: 0, differences: [] };
}

/** Asks the kernel and explain about so many packets. */
export async function compare(world: World, picture: HostPicture, count: number, tally: Tally): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { way, difference } = await compareOne(world.socket, picture, world.packet());
    tally.packets++;
    note(tally, way);
    if (difference !== undefined) tally.differences.push(difference);
  }
}

/** Asks about one packet. `difference` tells all that is needed to see who is right, as JSON; absent where both agree. */
export async function compareOne(
  socket: RouteSocket,
  picture: HostPicture,
  packet: Packet,
): Promise<{ way: Way; plain: RouteMessage | string; difference?: string }> {
  const [match, plain] = [await ask(socket, picture, packet, true), await ask(socket, picture, packet, false)];
  const way = lookUpWay(picture, packet);
  // The hash decides whether the rule wants the answer: either may be.
  const partly = way.walk.steps.some(({ outcome }) => outcome.is === "answered" && outcome.partly);
  const difference = partly ? undefined : differenceOf(picture, way, match, plain);
  return {
    way,
    plain,
    ...(difference === undefined ? {} : { difference: tell(picture, way, difference, match, plain) }),
  };
}

/** All that is needed to see who is right, as JSON. */
function tell(
  picture: HostPicture,
  { packet, walk, verdict }: Way,
  difference: string,
  match: RouteMessage | string,
  plain: RouteMessage | string,
): string {
  const tables = new Set([walk.end?.table, typeof match === "string" ? undefined : match.table]);
  const family = familyOf(packet.to);
  const routes = picture.routes.filter((route) => route.family === family && tables.has(route.table)).map(sayRoute);
  const steps = walk.steps.map(({ rule, outcome }) => `${sayRule(rule)}: ${JSON.stringify(outcome)}`);
  const neighbours = picture.neighbours?.map(({ link, address, state }) => `${address} ${link} ${state}`);
  return JSON.stringify({ packet, difference, match, plain, verdict, steps, routes, neighbours });
}

/**
 * The way as RTM_GETROUTE looks for it: an IPv6 question with a source is no bound socket's, and an IPv4 one without a
 * protocol is UDP's (inet_rtm_getroute).
 */
function lookUpWay(picture: HostPicture, asked: Packet): Way {
  const packet = familyOf(asked.to) === 4 ? { ipProtocol: 17, ...asked } : asked;
  const lenient = familyOf(packet.to) === 6 && packet.oif !== undefined && packet.from !== undefined;
  return wayOf(picture, packet, lenient ? { ...flowOf(packet), lenient: true } : flowOf(packet));
}

/** The kernel's answer, or the name of its refusal. */
async function ask(
  socket: RouteSocket,
  picture: HostPicture,
  packet: Packet,
  match: boolean,
): Promise<RouteMessage | string> {
  const index = (name: string): number => indexOf(picture).links.get(name)?.index ?? 0;
  const { to, from, iif, oif, mark, uid, tos, ipProtocol, sourcePort, destinationPort } = packet;
  const question: Question = {
    destination: to,
    match,
    ...(from === undefined ? {} : { source: from }),
    // What comes in by a link of a VRF is handed on as if it came in by the VRF.
    ...(iif === undefined ? {} : { iif: index(vrfOfLink(picture, iif)?.name ?? iif) }),
    ...(oif === undefined ? {} : { oif: index(oif) }),
    ...(mark === undefined ? {} : { mark }),
    ...(uid === undefined ? {} : { uid }),
    ...(tos === undefined ? {} : { tos }),
    ...(ipProtocol === undefined ? {} : { ipProtocol }),
    ...(sourcePort === undefined ? {} : { sourcePort }),
    ...(destinationPort === undefined ? {} : { destinationPort }),
  };
  try {
    return await socket.lookUp(question);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return error.code;
  }
}

function note(tally: Tally, way: Way): void {
  const { verdict, walk } = way;
  if (verdict.is === "refused") tally.refused++;
  if (verdict.is === "sent" && verdict.ways.length > 1) tally.multipath++;
  const rule = walk.end?.rule;
  const add = (name: keyof Tally["decidedBy"]): void => void (tally.decidedBy[name] = (tally.decidedBy[name] ?? 0) + 1);
  if (walk.steps.some(({ outcome }) => outcome.is === "suppressed")) add("suppressed");
  if (walk.steps.some(({ outcome }) => outcome.is === "goto")) add("goto");
  if (!rule || rule.priority === 0 || rule.priority > 1000) return;
  if (rule.not) add("not");
  for (const name of CONDITIONS) if (rule[name] !== undefined) add(name);
}

/** Every condition that rules of these worlds have. */
export const CONDITIONS = [
  "from",
  "to",
  "iif",
  "oif",
  "mark",
  "uids",
  "tos",
  "dscp",
  "ipProtocol",
  "sourcePorts",
  "destinationPorts",
] as const satisfies readonly Condition[];

const { ENETUNREACH, EHOSTUNREACH, EACCES, EINVAL } = constants.errno;
const NAMES = new Map([
  [ENETUNREACH, "ENETUNREACH"],
  [EHOSTUNREACH, "EHOSTUNREACH"],
  [EACCES, "EACCES"],
  [EINVAL, "EINVAL"],
]);

/** What the kernel may say to a refused packet. */
function errorsOf({ verdict, walk, flow }: Way): string[] {
  if (verdict.is !== "refused") return [];
  const byRoute = walk.end?.outcome.is === "answered";
  const say = (...errors: number[]): string[] => errors.map((errno) => NAMES.get(errno) ?? "");
  switch (verdict.why) {
    case "no-route":
    case "link-down":
      return say(ENETUNREACH);
    case "unreachable":
      return byRoute ? say(EHOSTUNREACH) : say(ENETUNREACH);
    case "prohibit":
      return say(EACCES);
    case "blackhole":
      return say(EINVAL);
    case "not-own-source":
      return say(ENETUNREACH, EINVAL);
    case "not-forwarding":
      // IPv6 says where it would go, and drops it later.
      return flow.family === 4 ? say(EHOSTUNREACH) : [];
    case "impossible-source":
    case "martian-destination":
    case "reverse-path":
      return say(EINVAL);
    case "nftables":
      throw new Error("routing alone does not ask nftables");
  }
}

function differenceOf(
  picture: HostPicture,
  way: Way,
  match: RouteMessage | string,
  plain: RouteMessage | string,
): string | undefined {
  const { verdict, walk, flow } = way;
  const answered = walk.end?.outcome.is === "answered" ? walk.end.outcome.route : undefined;
  // IPv6's look-up does not ask whether the host forwards.
  if (verdict.is === "refused" && !(flow.family === 6 && verdict.why === "not-forwarding")) {
    const errors = errorsOf(way);
    if (typeof plain !== "string") return "the kernel has a way";
    return errors.includes(plain) ? undefined : `the kernel says ${plain} and not ${errors.join(" or ")}`;
  }
  if (verdict.is === "refused" && answered === undefined) return undefined;
  if (typeof plain === "string") {
    // Of several ways out some may not pass the check of the way back.
    if (plain === "EINVAL" && way.reverse && !way.reverse.passes) return undefined;
    const reject = answered && ["unreachable", "prohibit", "blackhole"].includes(answered.type);
    return verdict.is === "refused" && reject ? undefined : `the kernel says ${plain}`;
  }
  if (verdict.is === "assumed") {
    const own = nameOf(picture, plain.oif) === verdict.link;
    const source = flow.from !== undefined || plain.source === verdict.source;
    return own && source && typeof match === "string" ? undefined : "it is not taken for on link";
  }
  if (typeof match === "string" || !answered) return `no entry was matched: ${JSON.stringify(match)}`;
  // While local and main are one table, the kernel calls both main.
  const merged = answered.table === 255 && match.table === 254 && isUntouched(indexOf(picture).rules[4]);
  if (match.table !== answered.table && !merged)
    return `the kernel asks table ${match.table} and not ${answered.table}`;
  if (rangeOf(match.to).length !== rangeOf(answered.to).length) return `the kernel matches ${match.to}`;
  const routes = [answered, ...(walk.end?.answer?.candidates ?? []).map(({ route }) => route)];
  if (!routes.some((route) => isSameRoute(match, route))) return "the kernel takes another route";
  return differenceOfWay(picture, way, plain);
}

function isSameRoute(match: RouteMessage, { family, metric, nexthop }: PictureRoute): boolean {
  // The kernel's own local routes have a metric of 0, which specs call the default.
  const told = match.priority === undefined || match.priority === 0 ? undefined : match.priority;
  const mine = metric ?? (family === 6 ? 1024 : undefined);
  return (told === mine || (family === 6 && told === undefined)) && match.nexthop === nexthop;
}

function differenceOfWay(picture: HostPicture, { verdict, flow, walk }: Way, plain: RouteMessage): string | undefined {
  if (verdict.is === "delivered") {
    if (flow.from === undefined && plain.source !== verdict.source) return `the kernel takes ${plain.source}`;
    return ["local", "broadcast", "anycast", "multicast"].includes(String(plain.type))
      ? undefined
      : "it is not delivered here";
  }
  const ways = verdict.is === "sent" ? verdict.ways : (walk.end?.answer?.candidates ?? []);
  const link = nameOf(picture, plain.oif);
  const same = ways.filter(({ hop }) => hop.link === link && hop.via === plain.gateway);
  if (same.length === 0) return `the kernel sends it by ${link} via ${plain.gateway}`;
  if (!flow.local || flow.from !== undefined) return undefined;
  // IPv6 answers the question as if no VRF were asked for (rt6_fill_node), which a socket in it is not.
  if (flow.family === 6 && sourceLink(picture, flow, link) !== link) return undefined;
  const sources = same.map((one) => ("source" in one ? one.source : undefined));
  return sources.includes(plain.source) ? undefined : `the kernel takes ${plain.source} and not ${sources.join()}`;
}

function nameOf(picture: HostPicture, index: number | undefined): string | undefined {
  return picture.links.find((link) => link.index === index)?.name;
}
