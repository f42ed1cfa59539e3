// Owns the sentences of what nftables did to a packet.
import { sayLast } from "../say.ts";
import { sayPlace } from "./hooked.ts";
import type { Filtered, Passage } from "./passage.ts";

/** What becomes of a packet in the end: routing's word, where nftables lets it pass. */
export function sayPassage({ way, filtered }: Passage): string {
  const said = sayLast(way);
  return filtered?.fate.is === "unknown" ? `${said}, unless nftables has it otherwise` : said;
}

/** What nftables did, one thing a line, each a clause. */
export function sayFiltered({ fate, acts, before }: Filtered): string[] {
  const end =
    fate.is === "unknown"
      ? [`cannot tell from ${sayPlace(fate.by)} on: ${fate.why}`]
      : fate.is === "dropped"
        ? [`${fate.rejected ? "rejects" : "drops"} it: ${sayPlace(fate.by)}`]
        : acts.length === 0
          ? ["lets it pass as it is"]
          : [];
  return [
    ...acts.map(({ by, does }) => `${does}: ${sayPlace(by)}`),
    ...end,
    ...(before ? [`without it, it ${sayLast(before)}`] : []),
  ];
}
