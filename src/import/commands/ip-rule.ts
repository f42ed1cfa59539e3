// Owns the words of ip-rule(8): a rule as an entry of the file.
import { networkOf, parsePrefix, shortPrefix } from "../../model/ip.ts";
import { IP_PROTOCOLS } from "../../model/ip-protocols.ts";
import { rangeText } from "../draft.ts";
import type { RuleEntry } from "../draft.ts";
import type { Cursor } from "./cursor.ts";
import { keywordOf, NotUnderstood, parseNumber, readNumber } from "./cursor.ts";

/** A rule that was read. Its table is as it was written. */
export interface ReadRule {
  entry: RuleEntry;
  notes: string[];
}

const ALL_BITS = 0xffffffff;
const KEYWORDS = [
  ..."not from to priority preference pref order tos dsfield dscp fwmark realms protocol table lookup".split(" "),
  ..."suppress_prefixlength sup_pl suppress_ifgroup sup_group dev iif oif l3mdev uidrange ipproto".split(" "),
  ..."sport dport tun_id nat map-to goto nop blackhole unreachable prohibit type unicast".split(" "),
];

/** Reads the words behind `ip rule add` or `del`. Throws NotUnderstood. */
export function readRule(cursor: Cursor, family: 4 | 6 | undefined, deleting = false): ReadRule {
  const entry: RuleEntry = {};
  const notes: string[] = [];
  let found = family;
  while (!cursor.done) {
    const word = cursor.next("a word");
    const keyword = keywordOf(word, KEYWORDS);
    if (keyword === undefined) throw cursor.strange("ip rule", KEYWORDS);
    const told = takeWord(keyword, cursor, entry, notes);
    if (told !== undefined) found ??= told;
  }
  if (!deleting && entry.table === undefined && entry.action === undefined && entry.goto === undefined)
    entry.table = "main";
  if (entry.from === undefined && entry.to === undefined) entry.family = found === 6 ? "ipv6" : "ipv4";
  return { entry, notes };
}

/** Takes what belongs to one keyword; the family, where an address tells it. */
function takeWord(keyword: string, cursor: Cursor, entry: RuleEntry, notes: string[]): 4 | 6 | undefined {
  switch (keyword) {
    case "not":
      entry.not = true;
      return undefined;
    case "from":
    case "to":
      return takePrefix(keyword, cursor, entry, notes);
    case "priority":
    case "preference":
    case "pref":
    case "order":
      entry.priority = cursor.number("priority");
      return undefined;
    case "fwmark":
      takeMark(cursor.next("mark"), entry);
      return undefined;
    case "protocol":
      cursor.next("protocol");
      return undefined;
    case "table":
    case "lookup":
      entry.table = tableOf(cursor.next("table"));
      return undefined;
    case "dev":
    case "iif":
      entry.iif = cursor.next("link");
      return undefined;
    case "oif":
      entry.oif = cursor.next("link");
      return undefined;
    case "type":
      return undefined;
    case "unicast":
      return undefined;
    case "blackhole":
    case "unreachable":
    case "prohibit":
    case "nop":
      entry.action = keyword;
      return undefined;
    case "goto":
      entry.goto = cursor.number("priority");
      return undefined;
    default:
      takeRareWord(keyword, cursor, entry);
      return undefined;
  }
}

function takeRareWord(keyword: string, cursor: Cursor, entry: RuleEntry): void {
  if (keyword === "tos" || keyword === "dsfield")
    entry.tos = readNumber(hexTos(cursor.next("tos")), "type of service", 255);
  else if (keyword === "dscp") entry.dscp = cursor.number("DSCP", 63);
  else if (keyword.startsWith("sup") && keyword.includes("p") && /pl$|length$/.test(keyword))
    entry.suppress_prefixlength = cursor.number("prefix length", 128);
  else if (keyword.startsWith("sup")) entry.suppress_ifgroup = cursor.number("link group");
  else if (keyword === "uidrange") entry.uids = takeRange(cursor.next("range of user ids"));
  else if (keyword === "sport") entry.sport = takeRange(cursor.next("range of ports"));
  else if (keyword === "dport") entry.dport = takeRange(cursor.next("range of ports"));
  else if (keyword === "ipproto") {
    const name = cursor.next("IP protocol");
    entry.protocol = name in IP_PROTOCOLS ? name : readNumber(name, "IP protocol", 255);
  } else throw new NotUnderstood(`the file has no word for ${keyword}`);
}

/** iproute2 reads a bare type of service as hexadecimal (rtnl_dsfield_a2n). */
function hexTos(text: string): string {
  return /^[0-9a-f]{1,2}$/i.test(text) ? `0x${text}` : text;
}

function takePrefix(keyword: "from" | "to", cursor: Cursor, entry: RuleEntry, notes: string[]): 4 | 6 | undefined {
  const text = cursor.next("prefix");
  if (text === "all" || text === "any" || text === "default") return undefined;
  const parts = parsePrefix(expandShort(text));
  if (!parts) throw new NotUnderstood(`"${text}" is no prefix`);
  const whole = `${parts.address}/${parts.length}`;
  const network = networkOf(whole);
  if (network !== whole)
    notes.push(`${keyword} ${text} has bits behind its length, which match nothing else: ${network}`);
  if (parts.length > 0) entry[keyword] = shortPrefix(network);
  return parts.family;
}

/** "10/8" and "10.20/16" as iproute2 reads them: the bytes that are missing are 0. */
export function expandShort(text: string): string {
  const match = /^(\d{1,3}(?:\.\d{1,3}){0,2})\/(\d{1,2})$/.exec(text);
  if (!match) return text;
  const bytes = (match[1] as string).split(".");
  return `${[...bytes, "0", "0", "0"].slice(0, 4).join(".")}/${match[2]}`;
}

function takeMark(text: string, entry: RuleEntry): void {
  const [mark = "", mask] = text.split("/");
  entry.mark = readNumber(mark, "mark");
  if (mask === undefined) return;
  const bits = readNumber(mask, "mask");
  if (bits !== ALL_BITS) entry.mask = bits;
}

/** A table as it is written: a number, or a name. */
export function tableOf(text: string): number | string {
  const known = { 253: "default", 254: "main", 255: "local" }[text];
  if (known !== undefined) return known;
  return parseNumber(text) ?? text;
}

function takeRange(text: string): number | string {
  const [first = "", last = first] = text.split("-");
  // These iproute2 reads as decimal whatever they begin with (sscanf with %u, ip/iprule.c).
  const decimal = (digits: string): string => digits.replace(/^0+(?=\d)/, "");
  return rangeText(readNumber(decimal(first), "range"), readNumber(decimal(last), "range"));
}
