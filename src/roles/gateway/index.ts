// Owns the role `gateway`: this host passes what comes from inside to the world, under an address that the world sees.
//
// Which of several gateways has the moving addresses is no kernel object that a plan makes: the room src/gateway decides
// it all the time, and puts them on the links and takes them off. What is the same on the active one and on those that
// stand by is here, so that a move needs nothing but the addresses.
import type { Claim } from "../../model/claim.ts";
import type { Diagnostic, Outcome } from "../../model/diagnostic.ts";
import type { LinkFact } from "../../model/facts.ts";
import { addressBits, familyOf } from "../../model/ip.ts";
import { HEDDLE_PROTOCOL } from "../../model/kinds.ts";
import { nearest } from "../../model/nearest.ts";
import type { Wanted } from "../../model/objects.ts";
import { ownAddresses } from "../own-addresses.ts";
import type { Role, Section, View } from "../role.ts";
import { wantForwarding6, wantSwitch } from "../wanted.ts";
import { checkFailover } from "./failover.ts";
import { gatewayTable } from "./nftables.ts";
import { gatewaySchema } from "./schema.ts";
import type { Gateway } from "./schema.ts";
import { listRange, MOST_ADDRESSES, sharesOf, translatedBy } from "./shares.ts";

export const gateway: Role<Gateway> = {
  name: "gateway",
  about:
    "This host passes traffic from an inside link to an outside link, translates it, and may share the work with others.",
  schema: gatewaySchema,

  claims(section): Claim[] {
    const { value } = section;
    return [
      // Each table refuses what it does not know, so that two of them would refuse each other's.
      { exclusive: `forwarding by ${value.inside}`, from: section.at("inside") },
      { exclusive: `forwarding by ${value.outside}`, from: section.at("outside") },
      // Each connection of the host is told to the same peers.
      ...(value.failover ? [{ exclusive: "the synchronisation of connections", from: section.at("failover") }] : []),
      ...translatedBy(value).map(({ first, last }) => ({
        exclusive: `translation to ${first === last ? first : `${first}-${last}`}`,
        from: section.at("nat"),
      })),
    ];
  },

  needsAgent: ({ value }) => value.failover !== undefined,

  desire(section, view): Outcome<Wanted[]> {
    const { value } = section;
    const diagnostics: Diagnostic[] = [...checkSection(section), ...checkFailover(section, view)];
    const inside = findLink(section, "inside", view, diagnostics);
    const outside = findLink(section, "outside", view, diagnostics);
    const wanted: Wanted[] = [
      {
        kind: "nftTable",
        spec: gatewayTable(section.name, value, {
          clamp: inside?.mtu !== outside?.mtu,
          own: [inside, outside].flatMap((link) => (link ? ownAddresses(link).map(({ address }) => address) : [])),
        }),
        from: section.at(),
      },
    ];
    for (const [key, link] of [
      ["inside", inside],
      ["outside", outside],
    ] as const) {
      if (link) wanted.push(wantSwitch(link.name, "forwarding", "1", section.at(key)));
    }
    if (value.failover) {
      // While traffic moves, each gateway sees a part of a connection only, and what it knows of windows grows old.
      const spec = { path: "net/netfilter/nf_conntrack_tcp_be_liberal", value: "1" };
      wanted.push({ kind: "sysctl", spec, from: section.at("failover") });
    }
    if (value.ipv6) wanted.push(...wantForwarding6(view, section.at("ipv6")));
    if (outside && !value.failover) wanted.push(...ownedAddresses(section, outside));
    return { value: wanted, diagnostics };
  },
};

/** The translated addresses, on the outside link where nobody else has put them there. */
function ownedAddresses(section: Section<Gateway>, outside: LinkFact): Wanted[] {
  const there = new Set(ownAddresses(outside).map(({ address }) => address));
  return translatedBy(section.value).flatMap(({ first, last }): Wanted[] => {
    return (listRange(first, last) ?? [])
      .filter((address) => !there.has(address))
      .map((address): Wanted => {
        const family = familyOf(address);
        const spec = {
          family,
          link: outside.name,
          address: `${address}/${addressBits(family)}`,
          scope: "global" as const,
        };
        return { kind: "address", spec: { ...spec, protocol: HEDDLE_PROTOCOL }, from: section.at("nat") };
      });
  });
}

function checkSection(section: Section<Gateway>): Diagnostic[] {
  const { inside, outside, nat, ipv6, untracked, failover } = section.value;
  const found: Diagnostic[] = translatedBy(section.value)
    .filter(({ first, last }) => !listRange(first, last))
    .map(({ first, last }) => tooMany(section, first, last));
  if (inside === outside) {
    found.push({
      code: "one-link",
      severity: "error",
      summary: `${inside} is both inside and outside`,
      remedy: "Name two different links.",
      range: section.at("outside"),
    });
  }
  if (untracked && nat && !failover) {
    found.push({
      code: "untracked-own-address",
      severity: "error",
      summary: "`untracked` needs an address that only those inside have",
      detail:
        "The translated address is this host's own as well, so that answers for it and for those inside cannot be told apart before they are tracked.",
      remedy: "Leave `untracked` out; with `failover` the translated address is nobody's own.",
      range: section.at("untracked"),
    });
  }
  const six = translatedBy(section.value).some(({ first }) => familyOf(first) === 6);
  const sixInside = sharesOf(section.value).some(({ addresses }) => addresses.some((one) => familyOf(one) === 6));
  if ((six || sixInside) && !ipv6) {
    found.push({
      code: "ipv6-not-forwarded",
      severity: "error",
      summary: `\`${six && nat ? "nat" : "failover"}\` names an IPv6 address, but IPv6 is not forwarded`,
      remedy: "Add `ipv6: true`, or take the address out.",
      range: six && nat ? section.at("nat") : section.at("failover"),
    });
  }
  return found;
}

function findLink(
  section: Section<Gateway>,
  key: "inside" | "outside",
  view: View,
  diagnostics: Diagnostic[],
): LinkFact | undefined {
  const name = section.value[key];
  const found = view.links.find((link) => link.name === name);
  if (found) return found;
  const guess = nearest(
    name,
    view.links.map((link) => link.name),
  );
  diagnostics.push({
    code: "waiting-link",
    severity: "warning",
    summary: `this host has no link ${name}`,
    detail: `${guess === undefined ? "" : `Did you mean "${guess}"? `}Until it is there, nothing passes.`,
    remedy: "Correct the name, or apply again when the link is there.",
    range: section.at(key),
  });
  return undefined;
}

function tooMany(section: Section<Gateway>, first: string, last: string): Diagnostic {
  return {
    code: "too-many-addresses",
    severity: "error",
    summary: `the range ${first}-${last} has more than ${MOST_ADDRESSES} addresses`,
    detail: "Each of them is put on the outside link.",
    remedy: "Say a smaller range.",
    range: section.at("nat"),
  };
}
