// Owns the check of forwarding: a host that shall forward, and a chain that drops what it forwards.
//
// Source: nft(8): a packet has to pass every chain at its hook, and a drop in any of them, as a chain's policy too, is
// the end; another table's accept does not overrule it.
import { TABLE } from "../../model/kinds.ts";
import type { HostPicture, PictureChain } from "../../model/picture.ts";
import type { Check, Finding } from "../finding.ts";
import { numberOf } from "../../explain/switches.ts";

export const forwarding: Check = {
  codes: ["forward-drop"],
  find(picture) {
    const families = ([4, 6] as const).filter((family) => forwards(picture, family) && routesBetween(picture, family));
    const concerned = (picture.chains ?? []).filter(
      ({ hook, policy, family }) =>
        hook === "forward" && policy === "drop" && families.some((version) => holds(family, version)),
    );
    return concerned.map(dropping);
  },
};

function forwards(picture: HostPicture, family: 4 | 6): boolean {
  return numberOf(picture, family === 4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding") === 1;
}

/** Whether the family's routes lead out of two links or more: there is something to forward between. */
function routesBetween(picture: HostPicture, family: 4 | 6): boolean {
  const links = new Set<string>();
  for (const { type, table, to, hops, family: own } of picture.routes) {
    if (own !== family || type !== "unicast" || table === TABLE.local || /^(fe80|ff00):/.test(to)) continue;
    for (const { link } of hops) if (link !== undefined && link !== "lo") links.add(link);
  }
  return links.size > 1;
}

/** Whether a chain of an nftables family sees packets of the IP version. */
function holds(family: string, version: 4 | 6): boolean {
  return family === "inet" || family === (version === 4 ? "ip" : "ip6");
}

function dropping({ family, table, name, accepting }: PictureChain): Finding {
  return {
    code: "forward-drop",
    severity: accepting > 0 ? "note" : "warning",
    summary: `this host forwards, and chain ${name} of table ${family} ${table} drops what ${accepting > 0 ? "none of its rules accepts" : "comes by"}`,
    found: [
      `table ${family} ${table}, chain ${name}: hook forward, policy drop, ${accepting === 0 ? "no rule that accepts" : accepting === 1 ? "1 rule that may accept" : `${accepting} rules that may accept`}`,
    ],
    consequence:
      "A packet has to pass every table's forward chain: whatever routes and other tables say, what this one drops is gone.",
    remedy: {
      text: "Accept in this chain what is to be forwarded, by the program that owns the table; with the names of your own links:",
      commands: [`nft add rule ${family} ${table} ${name} iifname ib0 oifname eth0 accept`],
    },
  };
}
