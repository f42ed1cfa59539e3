// Owns what has to be right about several gateways that stand in for each other, and which of them this host is.
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { LinkFact } from "../../model/facts.ts";
import { familyOf, isPrivateAddress, networkOf, parsePrefix, prefixContains } from "../../model/ip.ts";
import { ownAddresses } from "../own-addresses.ts";
import type { Section, View } from "../role.ts";
import type { Failover, Gateway, GatewayNode } from "./schema.ts";
import { sharesOf } from "./shares.ts";

/** Where a node synchronises: its own address there. */
export function syncAddressOf({ sync, inside }: GatewayNode): string {
  return sync ?? inside;
}

/** The place in `nodes` of the one that this host is: by its address on the inside link. */
export function findSelf(failover: Failover, inside: LinkFact | undefined): number | undefined {
  const own = inside ? ownAddresses(inside).map(({ address }) => address) : [];
  const place = failover.nodes.findIndex((node) => own.includes(node.inside));
  return place < 0 ? undefined : place;
}

/** What is wrong with `failover` on this host. Nothing for a section without. */
export function checkFailover(section: Section<Gateway>, view: View): Diagnostic[] {
  const { failover, inside, outside } = section.value;
  if (!failover) return [];
  const found = [...checkShares(section, failover), ...checkNodes(section, failover)];
  const links = { inside: linkOf(view, inside), outside: linkOf(view, outside) };
  const self = findSelf(failover, links.inside);
  if (!links.inside || !links.outside) return found;
  if (self === undefined) return [...found, notANode(section, failover, links.inside)];
  const node = failover.nodes[self] as GatewayNode;
  if (!ownAddresses(links.outside).some(({ address }) => address === node.outside)) {
    found.push({
      code: "waiting-address",
      severity: "warning",
      summary: `${outside} does not have ${node.outside}, this gateway's own address outside`,
      detail: "Without it, it can neither be active nor stand by.",
      remedy: "Correct the address in `nodes`, or put it on the link (`links`).",
      range: section.at("failover", "nodes", self, "outside"),
    });
  }
  for (const { link, address } of sharesOf(section.value).flatMap((share) => [
    ...share.addresses.map((one) => ({ link: links.inside, address: parsePrefix(one)?.address })),
    ...share.to.map(({ first }) => ({ link: links.outside, address: first })),
  ])) {
    if (link === undefined || !ownAddresses(link).some((own) => own.address === address)) continue;
    found.push({
      code: "moving-address-stays",
      severity: "error",
      summary: `${link.name} has ${address} already, which is to move between the gateways`,
      detail: "Somebody else put it there, so that it would stay when another gateway takes over, and be there twice.",
      remedy: "Take it out of the configuration of the link; heddle puts it where it is needed.",
      range: section.at("failover"),
    });
  }
  return [...found, ...outOfSubnets(section, links.inside)];
}

/** A moving IPv6 address comes without the route to its subnet, which would go with it: an own address has that. */
function outOfSubnets(section: Section<Gateway>, inside: LinkFact): Diagnostic[] {
  const own = ownAddresses(inside);
  return sharesOf(section.value).flatMap(({ addresses }) =>
    addresses
      .filter((one) => familyOf(one) === 6 && !own.some(({ subnet }) => subnet === networkOf(one)))
      .map((one): Diagnostic => ({
        code: "waiting-address",
        severity: "warning",
        summary: `${inside.name} has no address of its own in ${networkOf(one)}`,
        detail: "Without one, this gateway has no route to the IPv6 hosts inside.",
        remedy: "Give every gateway an address of its own in the subnet (`links`).",
        range: section.at("failover"),
      })),
  );
}

/** The moving addresses are said once, inside and outside. */
function checkShares(section: Section<Gateway>, { address, shares }: Failover): Diagnostic[] {
  const { nat, from } = section.value;
  if ((address === undefined) === (shares === undefined)) {
    return [
      {
        code: "address-or-shares",
        severity: "error",
        summary: "`failover` needs either `address` or `shares`",
        remedy: "Write `address` for one active gateway at a time, `shares` for several.",
        range: section.at("failover"),
      },
    ];
  }
  if (shares && (nat || from)) {
    return [
      {
        code: "shares-say-it",
        severity: "error",
        summary: "`shares` say who is translated to what, and so does the section",
        remedy: "Take `nat` and `from` out of the section.",
        range: nat ? section.at("nat") : section.at("from"),
      },
    ];
  }
  if (shares) return overlapping(section, shares);
  if (nat && nat !== "masquerade") return [];
  return [
    {
      code: "nothing-to-move",
      severity: "error",
      summary: nat ? "`masquerade` cannot be handed over" : "`failover` needs a translated address that moves",
      detail:
        "Connections that go by an address of one gateway's own end with it: the world goes on sending its answers there.",
      remedy: "Write `nat: { to: ADDRESS }` with an address in the outside subnet that no gateway has for itself.",
      range: nat ? section.at("nat") : section.at("failover"),
    },
  ];
}

/** A host inside that is in two shares would appear under one address and be looked for under the other. */
function overlapping(section: Section<Gateway>, shares: NonNullable<Failover["shares"]>): Diagnostic[] {
  const seen: { prefix: string; share: number }[] = [];
  return shares.flatMap((share, index) =>
    share.from.flatMap((prefix, place): Diagnostic[] => {
      const other = seen.find(
        (one) => one.share !== index && (prefixContains(one.prefix, prefix) || prefixContains(prefix, one.prefix)),
      );
      seen.push({ prefix, share: index });
      if (!other) return [];
      return [
        {
          code: "in-two-shares",
          severity: "error",
          summary: `${prefix} and ${other.prefix} of another share have hosts in common`,
          remedy: "Divide the hosts inside into prefixes that do not overlap.",
          range: section.at("failover", "shares", index, "from", place),
        },
      ];
    }),
  );
}

function checkNodes(section: Section<Gateway>, { nodes, address, shares }: Failover): Diagnostic[] {
  const found: Diagnostic[] = [];
  const subnets = [...(address ?? []), ...(shares ?? []).flatMap((share) => share.address)].map(networkOf);
  for (const key of ["inside", "outside", "sync"] as const) found.push(...oneVersion(section, nodes, key));
  const seen = new Set<string>();
  for (const [index, node] of nodes.entries()) {
    for (const key of ["inside", "outside"] as const) {
      if (!seen.has(node[key])) seen.add(node[key]);
      else found.push(namedTwice(section, index, key, node[key]));
    }
    const sync = syncAddressOf(node);
    if (!isPrivateAddress(sync)) found.push(publicSync(section, index, node, sync));
    const near = subnets.filter((subnet) => familyOf(subnet) === familyOf(node.inside));
    const away = near.find((subnet) => !prefixContains(subnet, node.inside));
    if (away !== undefined) {
      found.push({
        code: "outside-subnet",
        severity: "error",
        summary: `${node.inside} is not in ${away}, where the gateway address is`,
        remedy: "Give the length of the inside subnet with `address`, and addresses of that subnet as `inside`.",
        range: section.at("failover", "nodes", index, "inside"),
      });
    }
  }
  return found;
}

/** Adverts and connections go from each node to each other one. */
function oneVersion(
  section: Section<Gateway>,
  nodes: readonly GatewayNode[],
  key: "inside" | "outside" | "sync",
): Diagnostic[] {
  const of = (node: GatewayNode): string => (key === "sync" ? syncAddressOf(node) : node[key]);
  const [first] = nodes;
  const other = nodes.findIndex((node) => first && familyOf(of(node)) !== familyOf(of(first)));
  if (!first || other < 0) return [];
  return [
    {
      code: "node-version",
      severity: "error",
      summary: `${of(first)} and ${of(nodes[other] as GatewayNode)} are of different IP versions`,
      detail: "By these addresses the gateways tell each other that they are there, so that all have to be of one.",
      remedy: `Write the same IP version for \`${key}\` of all gateways; which addresses move does not depend on it.`,
      range: section.at("failover", "nodes", other),
    },
  ];
}

function namedTwice(section: Section<Gateway>, index: number, key: "inside" | "outside", address: string): Diagnostic {
  return {
    code: "node-twice",
    severity: "error",
    summary: `${address} is named twice among the gateways`,
    remedy: "Each gateway is listed once, with addresses of its own.",
    range: section.at("failover", "nodes", index, key),
  };
}

function publicSync(section: Section<Gateway>, index: number, node: GatewayNode, sync: string): Diagnostic {
  return {
    code: "public-sync",
    severity: "error",
    summary: `connections would be synchronised over ${sync}, which the world can reach`,
    detail:
      "What is sent there says who talks to whom; it is neither encrypted nor authenticated, and whoever can send to it writes into the table of connections.",
    remedy: "Say an address of a private network as `sync`, best on a cable of its own.",
    range:
      node.sync === undefined ? section.at("failover", "nodes", index) : section.at("failover", "nodes", index, "sync"),
  };
}

function notANode(section: Section<Gateway>, failover: Failover, inside: LinkFact): Diagnostic {
  return {
    code: "waiting-node",
    severity: "warning",
    summary: `this host is none of the gateways in \`nodes\``,
    detail: `${inside.name} has none of ${failover.nodes.map((node) => node.inside).join(", ")}. It passes traffic, but never has the gateway address.`,
    remedy: "Add it to `nodes` on every gateway, or give the link its address.",
    range: section.at("failover", "nodes"),
  };
}

function linkOf(view: View, name: string): LinkFact | undefined {
  return view.links.find((link) => link.name === name);
}
