// Owns the words of ip-route(8): a route as an entry of the file.
import { canonicalAddress, familyOf, networkOf, parsePrefix } from "../../model/ip.ts";
import type { HopEntry, RouteEntry } from "../draft.ts";
import type { Cursor } from "./cursor.ts";
import { keywordOf, NotUnderstood, readNumber } from "./cursor.ts";
import { expandShort, tableOf } from "./ip-rule.ts";

/** A route that was read. Its table is as it was written. */
export interface ReadRoute {
  entry: RouteEntry;
  family: 4 | 6;
  notes: string[];
}

const TYPES: ReadonlySet<string> = new Set(
  "unicast local broadcast anycast multicast blackhole unreachable prohibit throw".split(" "),
);
const METRICS = [
  ..."mtu hoplimit advmss reordering rtt rttvar window cwnd initcwnd initrwnd ssthresh features".split(" "),
  ..."quickack congctl rto_min fastopen_no_cookie".split(" "),
];
const KEYWORDS = [
  ..."via dev oif table src metric preference priority protocol scope onlink nexthop nhid pref from tos".split(" "),
  ..."dsfield weight to realms encap expires ttl-propagate as".split(" "),
];
const ALL_KEYWORDS = [...KEYWORDS, ...METRICS];
const SCOPES: ReadonlySet<string> = new Set(["global", "site", "link", "host", "nowhere"]);

/** Reads the words behind `ip route add` and its like. Throws NotUnderstood. */
export function readRoute(cursor: Cursor, family: 4 | 6 | undefined, deleting = false): ReadRoute {
  const read: Reading = { entry: { to: "" }, notes: [], family };
  if (TYPES.has(cursor.peek)) {
    const type = cursor.next("type");
    if (type !== "unicast") read.entry.type = type;
  }
  while (!cursor.done) {
    const word = cursor.next("a word");
    const keyword = keywordOf(word, ALL_KEYWORDS);
    if (keyword === undefined || keyword === "to")
      takeDestination(keyword === "to" ? cursor.next("prefix") : word, cursor, read);
    else if (METRICS.includes(keyword)) takeMetric(keyword, cursor, read.entry);
    else takeWord(keyword, cursor, read);
  }
  const { entry, notes } = read;
  if (entry.to === "" && !deleting) throw new NotUnderstood("it names no destination");
  const version = read.family ?? 4;
  tidy(entry, version);
  return { entry, notes, family: version };
}

interface Reading {
  entry: RouteEntry;
  notes: string[];
  family: 4 | 6 | undefined;
}

function takeDestination(text: string, cursor: Cursor, read: Reading): void {
  if (read.entry.to !== "") throw cursor.strange("ip route", ALL_KEYWORDS);
  if (text === "default" || text === "all" || text === "any") {
    read.entry.to = "default";
    return;
  }
  const parts = parsePrefix(expandShort(text));
  if (!parts) throw cursor.strange("ip route", ALL_KEYWORDS);
  read.family ??= parts.family;
  const whole = `${parts.address}/${parts.length}`;
  const network = networkOf(whole);
  // IPv4: the kernel refuses it (fib_valid_key_len, net/ipv4/fib_trie.c); IPv6: it takes the bits away.
  if (network !== whole && parts.family === 4) {
    throw new NotUnderstood(`${text} has bits behind its length, which the kernel refuses; ${network} is likely meant`);
  }
  if (network !== whole) read.notes.push(`${text} has bits behind its length, which the kernel drops: ${network}`);
  read.entry.to = parts.length === 0 ? "default" : network;
}

function takeWord(keyword: string, cursor: Cursor, read: Reading): void {
  const { entry } = read;
  if (keyword === "via") entry.via = takeGateway(cursor, read);
  else if (keyword === "dev" || keyword === "oif") entry.link = cursor.next("link");
  else if (keyword === "table") {
    const table = tableOf(cursor.next("table"));
    if (table !== "main") entry.table = table;
  } else if (keyword === "src") entry.source = takeAddress(cursor.next("address"), read);
  else if (["metric", "preference", "priority"].includes(keyword)) entry.metric = cursor.number("metric");
  else if (keyword === "protocol") cursor.next("protocol");
  else if (keyword === "scope") {
    const scope = cursor.next("scope");
    entry.scope = SCOPES.has(scope) ? scope : readNumber(scope, "scope", 255);
  } else if (keyword === "onlink") entry.onlink = true;
  else if (keyword === "nexthop") entry.hops = [...(entry.hops ?? []), takeHop(cursor, read)];
  else if (keyword === "nhid") entry.nexthop = cursor.number("id of a nexthop");
  else if (keyword === "pref") entry.preference = cursor.next("preference");
  else if (keyword === "from") entry.from = cursor.next("prefix");
  else if (keyword === "tos" || keyword === "dsfield") {
    const tos = cursor.next("tos");
    entry.tos = readNumber(/^[0-9a-f]{1,2}$/i.test(tos) ? `0x${tos}` : tos, "type of service", 255);
  } else throw new NotUnderstood(`the file has no word for ${keyword}`);
}

function takeGateway(cursor: Cursor, read: Reading): string {
  const other = cursor.peek === "inet6" || cursor.peek === "inet";
  if (other) cursor.next("family");
  const text = cursor.next("gateway");
  const address = canonicalAddress(text);
  if (address === undefined) throw new NotUnderstood(`"${text}" is no gateway`);
  // A gateway of the other family says nothing about the route's own.
  if (!other) read.family ??= familyOf(address);
  return address;
}

function takeAddress(text: string, read: Reading): string {
  const address = canonicalAddress(text);
  if (address === undefined) throw new NotUnderstood(`"${text}" is no address`);
  read.family ??= familyOf(address);
  return address;
}

function takeHop(cursor: Cursor, read: Reading): HopEntry {
  const hop: HopEntry = {};
  while (!cursor.done && cursor.peek !== "nexthop") {
    const word = cursor.next("a word");
    if (word === "via") hop.via = takeGateway(cursor, read);
    else if (word === "dev") hop.link = cursor.next("link");
    else if (word === "weight") hop.weight = cursor.number("weight", 256);
    else if (word === "onlink") hop.onlink = true;
    else throw cursor.strange("ip route", ["via", "dev", "weight", "onlink", "nexthop"]);
  }
  if (hop.weight === 1) delete hop.weight;
  return hop;
}

function takeMetric(keyword: string, cursor: Cursor, entry: RouteEntry): void {
  const metrics = (entry.metrics ??= {});
  if (cursor.peek === "lock") {
    cursor.next("lock");
    metrics["lock"] = [...((metrics["lock"] as string[] | undefined) ?? []), keyword];
  }
  const text = cursor.next(keyword);
  if (keyword === "congctl") metrics[keyword] = text;
  else if (keyword === "features") metrics[keyword] = text === "ecn" ? 1 : readNumber(text, keyword);
  else {
    const scaled = /^(\d{1,7})(ms|s)$/.exec(text);
    const value = scaled ? Number(scaled[1]) * (scaled[2] === "s" ? 1000 : 1) : readNumber(text, keyword);
    // The kernel keeps rtt in eighths and rttvar in quarters of a millisecond (iproute2, iproute.c).
    metrics[keyword] = value * (keyword === "rtt" ? 8 : keyword === "rttvar" ? 4 : 1);
  }
}

/** Takes away what merely repeats a default, and says the family where nothing else does. */
function tidy(entry: RouteEntry, family: 4 | 6): void {
  const connected = entry.link !== undefined && entry.via === undefined;
  if (family === 6 || entry.scope === (connected ? "link" : "global")) delete entry.scope;
  if (entry.metric === 0 || (family === 6 && entry.metric === 1024)) delete entry.metric;
  if (entry.tos === 0) delete entry.tos;
  if (
    family === 6 &&
    entry.link === "lo" &&
    ["unreachable", "blackhole", "prohibit", "throw"].includes(entry.type ?? "")
  ) {
    delete entry.link;
  }
  if (entry.to === "default" && entry.source === undefined) entry.family = family === 6 ? "ipv6" : "ipv4";
}
