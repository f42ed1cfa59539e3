// Owns the check of addresses that are there twice: on two links of this host, or on this host and another one.
//
// Sources: RFC 4862, 5.4 (an address whose duplicate was found is not used; IFA_F_DADFAILED). The same host address
// (/32, /128) on several links is the usual way to number point-to-point links and is left alone.
import { addressBits, isLinkLocal, parsePrefix } from "../../model/ip.ts";
import type { PictureAddress, PictureLink } from "../../model/picture.ts";
import type { Check, Finding } from "../finding.ts";
import { sayList } from "../words.ts";

interface Held {
  link: PictureLink;
  spec: PictureAddress;
  /** Without its length. */
  address: string;
  /** With a subnet around it. */
  inSubnet: boolean;
}

export const addresses: Check = {
  codes: ["duplicate-address", "dad-failed"],
  find(picture) {
    const held = picture.links.flatMap((link) => link.addresses.flatMap((spec) => hold(link, spec)));
    return [...twiceHere(held), ...heldElsewhere(held)];
  },
};

function hold(link: PictureLink, spec: PictureAddress): Held[] {
  const parts = parsePrefix(spec.address);
  if (!parts) return [];
  const inSubnet = parts.length < addressBits(parts.family) && spec.peer === undefined;
  return [{ link, spec, address: parts.address, inSubnet }];
}

function twiceHere(held: readonly Held[]): Finding[] {
  const global = held.filter(({ address }) => !isLinkLocal(address));
  return [...Map.groupBy(global, ({ link, address }) => `${link.vrf ?? ""} ${address}`).values()].flatMap(
    (same): Finding[] => {
      const links = [...new Set(same.map(({ link }) => link.name))];
      if (links.length < 2 || !same.some(({ inSubnet }) => inSubnet)) return [];
      const { address } = same[0] as Held;
      return [
        {
          code: "duplicate-address",
          severity: "error",
          summary: `${address} is on ${sayList(links)}`,
          found: same.map(({ link, spec }) => `${spec.address} dev ${link.name}`),
          consequence:
            "Both links answer for it, and which of them carries its traffic depends on the order in which they came up.",
          remedy: {
            text: "Keep it on the link that peers reach it by, and take it from the other.",
            commands: same.slice(1).map(({ link, spec }) => `ip address del ${spec.address} dev ${link.name}`),
          },
        },
      ];
    },
  );
}

function heldElsewhere(held: readonly Held[]): Finding[] {
  return held
    .filter(({ spec }) => spec.dadFailed)
    .map(({ link, spec, address }) => ({
      code: "dad-failed",
      severity: "error",
      summary: `${address} of ${link.name} belongs to another host`,
      found: [`${spec.address} dev ${link.name} dadfailed`],
      consequence: "Somebody on the link answered for it, so the kernel does not use it: nothing can be bound to it.",
      remedy: {
        text: "Find the other holder, give one of the two another address, then add it again: the kernel asks once only.",
        commands: [
          `ip address del ${spec.address} dev ${link.name}`,
          `ip address add ${spec.address} dev ${link.name}`,
        ],
      },
    }));
}
