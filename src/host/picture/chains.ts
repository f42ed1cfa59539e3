// Owns the question to nftables which chains packets come through, and what their rules are: one run of nft, bounded in time and size.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import type { PictureChain } from "../../model/picture.ts";
import type { RulesetRow } from "../../model/ruleset.ts";

/** Where distributions have it. PATH is not asked: this may run as root. */
const PLACES = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft", "/usr/local/sbin/nft"];

const MOST_MS = 3000;
const MOST_BYTES = 32 * 1024 * 1024;

/** Longer listings are not kept, in UTF-16 code units: they would be most of a picture. */
const MOST_KEPT = 8 * 1024 * 1024;

/** Chains and rules, or why they could not be listed. Rules are absent where there are too many. */
export type ChainsSeen = { chains: PictureChain[]; ruleset?: RulesetRow[] } | { why: string };

/** Asks nft for the rule set of the network namespace that the process is in. */
export async function listChains(places: readonly string[] = PLACES): Promise<ChainsSeen> {
  const nft = places.find((place) => existsSync(place));
  if (nft === undefined) return { why: "The program nft is not installed." };
  return new Promise((resolve) => {
    const options = {
      timeout: MOST_MS,
      killSignal: "SIGKILL",
      maxBuffer: MOST_BYTES,
      env: { LC_ALL: "C" },
      encoding: "utf8",
    } as const;
    execFile(nft, ["-j", "list", "ruleset"], options, (error, stdout, stderr) => {
      if (!error) return resolve(parseChains(stdout));
      const told = stderr.trim().split("\n")[0] ?? "";
      if (error.killed) return resolve({ why: `nft took more than ${MOST_MS} ms, or said too much.` });
      if (/not permitted/i.test(told)) return resolve({ why: "Only root may list nftables." });
      resolve({ why: told === "" ? error.message : told });
    });
  });
}

/** What is kept of a listing: not what is counted, and no comments. */
const KEPT = ["table", "chain", "rule", "set", "map"];

/** Counts change all the time; comments may say anything. */
function withoutCounts(key: string, value: unknown): unknown {
  if (key === "comment" || key === "expires") return undefined;
  return key === "counter" && typeof value === "object" && value !== null && "packets" in value ? null : value;
}

interface Rule {
  family?: string;
  table?: string;
  chain?: string;
  expr?: Record<string, unknown>[];
}

interface Listing {
  nftables: { chain?: Record<string, unknown>; rule?: Rule; [kind: string]: unknown }[];
}

/** Chains at hooks, and the rules, from nft's JSON (libnftables-json(5)). */
export function parseChains(text: string): ChainsSeen {
  let listing: Listing;
  try {
    listing = JSON.parse(text, withoutCounts) as Listing;
    if (!Array.isArray(listing.nftables)) return { why: "nft did not answer with a rule set." };
  } catch {
    return { why: "nft did not answer with JSON." };
  }
  const accepting = new Map<string, number>();
  for (const { rule } of listing.nftables) {
    if (!rule?.expr?.some((part) => "accept" in part || "jump" in part || "goto" in part || "vmap" in part)) continue;
    const name = chainName(rule.family, rule.table, rule.chain);
    accepting.set(name, (accepting.get(name) ?? 0) + 1);
  }
  const chains = listing.nftables.flatMap(({ chain }): PictureChain[] => {
    const { family, table, name, hook, policy } = chain ?? {};
    if (![family, table, name, hook].every((word) => typeof word === "string")) return [];
    return [
      {
        family: String(family),
        table: String(table),
        name: String(name),
        hook: String(hook),
        policy: policy === "drop" ? "drop" : "accept",
        accepting: accepting.get(chainName(family, table, name)) ?? 0,
      },
    ];
  });
  if (text.length > MOST_KEPT) return { chains };
  const ruleset = listing.nftables.filter((row) => KEPT.some((kind) => kind in row)) as unknown as RulesetRow[];
  return { chains, ruleset };
}

function chainName(...words: unknown[]): string {
  return words.join(" ");
}
