// Owns the mechanism `fast`: where packets may pass the IP stack by, and which never may.
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { FrameLinks, LinkFact } from "../../model/facts.ts";
import { addressBits, formatAddress, networkOf, parseAddress, parsePrefix, prefixContains } from "../../model/ip.ts";
import type { Section, View } from "../role.ts";
import type { Member } from "./members.ts";
import type { Spread } from "./schema.ts";

/** Says why packets may not pass the IP stack by on this host: something would not see them that has to. */
export function refuseShortCut(
  section: Section<Spread>,
  ingress: readonly string[],
  view: View,
  diagnostics: Diagnostic[],
): void {
  const { packetFilters } = view.features;
  const refuse = (summary: string, detail: string): void => {
    const remedy = "Leave `mechanism` out: the packets then go through the IP stack.";
    const range = section.at("mechanism");
    diagnostics.push({ code: "no-short-cut", severity: "error", summary, detail, remedy, range });
  };
  if (!packetFilters) {
    refuse("it cannot be told whether this host filters or translates packets", "nft did not list its chains.");
  } else if (packetFilters.length > 0) {
    const shown = packetFilters.slice(0, 4).join(", ");
    const more = packetFilters.length > 4 ? ` and ${packetFilters.length - 4} more` : "";
    refuse(
      "packets of this host are filtered or translated, which a short cut would pass by",
      `These would not see them: ${shown}${more}.`,
    );
  }
  const other = view.links.find(({ name, type }) => ingress.includes(name) && type !== "ether");
  if (other) {
    refuse(
      `${other.name}, by which packets come in, is no Ethernet-like link`,
      `Its link layer is ${other.type}, and the short cut rewrites an Ethernet header.`,
    );
  }
}

/**
 * Larger packets do not lie in one page with what drivers keep beside them, and not every driver hands programs more than
 * one; the stack, which puts packets together before it looks at them, is quick with those.
 */
const MOST_FRAME_BYTES = 3000;

/**
 * Between which links packets need not even become packets: undefined where there are none. A frame that comes in has to
 * show its VLAN, which drivers take out of it where the link has such children; and which link a packet would take
 * otherwise (`of`) is asked further up.
 */
export function chooseFrames(
  { value: { of } }: Section<Spread>,
  ingress: readonly string[],
  members: readonly Member[],
  { features: { frameLinks }, links }: View,
): FrameLinks | undefined {
  if (!frameLinks || of !== undefined) return undefined;
  const receive = ingress.filter((name) => {
    const link = links.find((one) => one.name === name);
    const hasChildren = links.some(({ parent }) => parent === name);
    return frameLinks.receive.includes(name) && link && link.mtu <= MOST_FRAME_BYTES && !hasChildren;
  });
  const send = members.map(({ link }) => link.name).filter((name) => frameLinks.send.includes(name));
  return receive.length > 0 && send.length > 0 ? { receive, send } : undefined;
}

/**
 * The addresses in the prefixes that packets may not be passed on to: this host's own, and of each IPv4 subnet the first
 * and the last, which mean everybody (RFC 1812, 4.2.3.1).
 */
export function holesIn(to: readonly string[], links: readonly LinkFact[]): string[] {
  const holes = links.flatMap(({ addresses }) =>
    addresses.flatMap(({ address }): string[] => {
      const parts = parsePrefix(address);
      if (!parts) return [];
      const host = (one: string): string => `${one}/${addressBits(parts.family)}`;
      const everybody = parts.family === 4 && parts.length < 31 ? endsOf(address) : [];
      return [parts.address, ...everybody].map(host);
    }),
  );
  return [...new Set(holes)].filter((hole) => to.some((prefix) => prefixContains(prefix, hole))).sort();
}

/** The first and the last address of an IPv4 subnet. */
function endsOf(prefix: string): string[] {
  const { address = "", length = 32 } = parsePrefix(networkOf(prefix)) ?? {};
  const first = parseAddress(address) ?? new Uint8Array(4);
  const last = first.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, length - 8 * i))));
  return [address, formatAddress(last)];
}
