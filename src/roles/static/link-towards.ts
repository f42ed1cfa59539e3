// Owns the guess which link reaches a gateway where the file does not say.
import { networkOf, parsePrefix, prefixContains } from "../../model/ip.ts";
import type { View } from "../role.ts";

/** The link with the longest subnet that contains the gateway. */
export function linkTowards(via: string, view: View): string | undefined {
  let best: { link: string; length: number } | undefined;
  for (const link of view.links) {
    for (const { address, peer } of link.addresses) {
      const length = parsePrefix(address)?.length ?? 0;
      const subnet = networkOf(peer === undefined ? address : `${peer}/${length}`);
      if (prefixContains(subnet, via) && (!best || length > best.length)) best = { link: link.name, length };
    }
  }
  return best?.link;
}
