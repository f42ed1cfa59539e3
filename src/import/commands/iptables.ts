// Owns the reading of iptables commands that mark packets by who sends them: what the role `egress` is for.
import { parseNumber } from "./cursor.ts";
import type { Argument } from "../shell/expand.ts";

/** A mark for the packets of a user or group. */
export interface OwnerMark {
  user?: string;
  group?: string;
  protocol?: string;
  mark: number;
  mask?: number;
}

/** What an iptables command does to marks; undefined for one that is about something else. */
export type MarkChange = { change: "add" | "delete"; mark: OwnerMark } | { change: "flush" };

const ALL_BITS = 0xffffffff;

/** Reads `iptables -t mangle -A OUTPUT … -m owner … -j MARK --set-mark N`, in any order of its words. */
export function readMarkChange(words: readonly Argument[]): MarkChange | undefined {
  if (words.some(({ known }) => !known)) return undefined;
  const options = new Map<string, string>();
  const texts = words.map(({ text }) => text);
  for (let i = 1; i < texts.length; i++) {
    const [name = "", value] = (texts[i] as string).split("=", 2);
    if (!name.startsWith("-")) continue;
    options.set(LONG[name] ?? name, value ?? texts[i + 1] ?? "");
  }
  if (options.get("-t") !== "mangle") return undefined;
  if (options.has("-F")) return ["OUTPUT", ""].includes(options.get("-F") ?? "") ? { change: "flush" } : undefined;
  const chain = options.get("-A") ?? options.get("-I");
  if ((chain ?? options.get("-D")) !== "OUTPUT" || options.get("-j") !== "MARK" || texts.includes("!"))
    return undefined;
  const mark = readMark(options);
  return mark && { change: chain === undefined ? "delete" : "add", mark };
}

const LONG: Readonly<Record<string, string>> = {
  "--table": "-t",
  "--append": "-A",
  "--insert": "-I",
  "--delete": "-D",
  "--flush": "-F",
  "--jump": "-j",
  "--protocol": "-p",
  "--set-xmark": "--set-mark",
};

/** Matches beside the owner that a proposal could not repeat. */
const OTHER_MATCHES = ["-s", "-d", "-o", "--dport", "--sport", "--dports", "--match-set", "--socket-exists"];

function readMark(options: ReadonlyMap<string, string>): OwnerMark | undefined {
  const [text = "", maskText] = (options.get("--set-mark") ?? "").split("/");
  const mark = parseNumber(text);
  const mask = maskText === undefined ? ALL_BITS : parseNumber(maskText);
  if (mark === undefined || mask === undefined) return undefined;
  const [user, group, protocol] = [options.get("--uid-owner"), options.get("--gid-owner"), options.get("-p")];
  if ((user === undefined) === (group === undefined) || OTHER_MATCHES.some((name) => options.has(name)))
    return undefined;
  return {
    ...(user === undefined ? {} : { user }),
    ...(group === undefined ? {} : { group }),
    ...(protocol === undefined || protocol === "all" ? {} : { protocol }),
    mark,
    ...(mask === ALL_BITS ? {} : { mask }),
  };
}
