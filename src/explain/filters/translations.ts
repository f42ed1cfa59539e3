// Owns what translations do to the first packet of a connection.
//
// Sources: nft_nat_eval, nft_nat_inet_eval (net/netfilter/nft_nat.c), nf_nat_masquerade_ipv4, nf_nat_masquerade_ipv6
// (nf_nat_masquerade.c), nf_nat_redirect_ipv4, nf_nat_redirect_ipv6 (nf_nat_redirect.c).
import type { NftFields, NftValue } from "../../model/nft.ts";
import { canonicalAddress, familyOf } from "../../model/ip.ts";
import type { Hooked } from "./hooked.ts";
import type { Hook } from "./ruleset.ts";
import { entryOf, wordOf } from "./ruleset.ts";
import type { Next } from "./statements.ts";

/** Where a chain is run, and what only routing can tell there. */
export interface Surroundings {
  hook: Hook;
  /** The links whose own chains are run (ingress, egress); none elsewhere. */
  links: readonly string[];
  /** The address that a packet gets by the link that it leaves by: "none" where there is none; undefined where nobody can tell. */
  addressOut: (packet: Hooked) => string | undefined;
  /** The first IPv4 address of a link; "none" where it has none. */
  addressIn: (link: string) => string;
}

/** Does the translation. In another family's packets it changes nothing. */
export function translate(
  kind: "snat" | "dnat" | "masquerade" | "redirect",
  { family, addr, port }: NftFields,
  packet: Hooked,
  around: Surroundings,
): Next {
  if (typeof family === "string" && (family === "ip") !== (packet.family === 4)) return { is: "on" };
  switch (kind) {
    case "snat":
      return fromAddress(packet, addressOf(addr, packet), port, sayAddresses(addr));
    case "masquerade": {
      const own = around.addressOut(packet);
      if (own === "none") return { is: "drop" };
      return fromAddress(packet, own, port, own ?? "the address of the link that it leaves by");
    }
    case "dnat": {
      const to = addr === undefined ? packet.to : addressOf(addr, packet);
      if (to === undefined) return { is: "unknown", why: "it changes the destination to what is no single address" };
      return toAddress(packet, to, port);
    }
    case "redirect": {
      if (around.hook === "output") return toAddress(packet, packet.family === 4 ? "127.0.0.1" : "::1", port);
      if (packet.family === 6 || packet.iif === undefined) {
        return { is: "unknown", why: "it changes the destination to an address of the link that it came in by" };
      }
      const own = around.addressIn(packet.iif);
      return own === "none" ? { is: "drop" } : toAddress(packet, own, port);
    }
  }
}

/** The one address of the packet's family that is meant; undefined where there are several, or it is computed. */
function addressOf(addr: NftValue | undefined, { family }: Hooked): string | undefined {
  const address = typeof addr === "string" ? canonicalAddress(addr) : undefined;
  return address !== undefined && familyOf(address) === family ? address : undefined;
}

function sayAddresses(addr: NftValue | undefined): string {
  if (typeof addr === "string") return addr;
  const [kind, inner] = entryOf(addr) ?? [];
  return kind === "range" && Array.isArray(inner)
    ? `one of ${inner.map((one: NftValue) => wordOf(one)).join("-")}`
    : "what the rule works out";
}

/** The port that is meant; undefined where there are several, or none is said. */
function portOf(port: NftValue | undefined): number | undefined {
  return typeof port === "number" && port >= 0 && port <= 65_535 ? port : undefined;
}

/** With another source. The port may change as well, when another connection has it. */
function fromAddress(packet: Hooked, from: string | undefined, port: NftValue | undefined, said: string): Next {
  const { from: _f, sourcePort: _p, ...rest } = packet;
  const number = portOf(port);
  const changed: Hooked = {
    ...rest,
    ...(from === undefined ? {} : { from }),
    ...(number === undefined ? {} : { sourcePort: number }),
    settled: { ...packet.settled, source: true },
  };
  return { is: "accept", packet: changed, does: `changes its source to ${said}` };
}

function toAddress(packet: Hooked, to: string, port: NftValue | undefined): Next {
  const { destinationPort, ...rest } = packet;
  const number = port === undefined ? destinationPort : portOf(port);
  const changed: Hooked = {
    ...rest,
    to,
    ...(number === undefined ? {} : { destinationPort: number }),
    settled: { ...packet.settled, destination: true },
  };
  const said = port !== undefined && number !== undefined ? `${to}, port ${number}` : to;
  return { is: "accept", packet: changed, does: `changes its destination to ${said}` };
}
