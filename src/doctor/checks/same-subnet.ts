// Owns the check of links in one subnet: source rules for each address, and ARP for one's own addresses only.
//
// Sources: Documentation/networking/ip-sysctl.rst (arp_ignore, arp_announce, arp_filter); the kernel takes the larger
// of the switch of all links and that of one (IN_DEV_ARP_IGNORE, IN_DEV_ARP_ANNOUNCE, include/linux/inetdevice.h).
import type { HostPicture, PictureLink } from "../../model/picture.ts";
import type { Check, Finding } from "../finding.ts";
import { areSteered, findSharedSubnets, findWays, onlyBy } from "../subnets.ts";
import type { SharedSubnet, Way } from "../subnets.ts";
import { largerOf } from "../../explain/switches.ts";
import { multihomeRemedy, sayList } from "../words.ts";

/** Subnets of the same links, and the ways in them: one finding for all of them. */
interface Group {
  links: PictureLink[];
  subnets: { shared: SharedSubnet; ways: Way[] }[];
}

export const sameSubnet: Check = {
  codes: ["same-subnet", "arp-flux"],
  find(picture) {
    const groups = new Map<string, Group>();
    for (const shared of findSharedSubnets(picture)) {
      const key = shared.links.map(({ name }) => name).join(" ");
      const group = groups.get(key) ?? { links: shared.links, subnets: [] };
      groups.set(key, group);
      group.subnets.push({ shared, ways: findWays(picture, shared) });
    }
    return [...groups.values()].flatMap((group) => [...unsteered(picture, group), ...arpFlux(picture, group)]);
  },
};

function unsteered(picture: HostPicture, group: Group): Finding[] {
  const wrong = group.subnets.filter(({ ways }) => !areSteered(ways));
  if (wrong.length === 0) return [];
  const names = group.links.map(({ name }) => name);
  const prefixes = sayList(wrong.map(({ shared }) => shared.prefix));
  return [
    {
      code: "same-subnet",
      severity: "error",
      summary: `${sayList(names)} are in one subnet, ${prefixes}, without source rules for each address`,
      found: wrong.flatMap(({ ways }) => ways.filter((way) => !areSteered([way])).map(sayWay)),
      consequence:
        "The kernel has a connected route for each link and takes the first for everything: traffic of the other links' " +
        "addresses leaves by the wrong one, answers come back by another way than the questions went, and which link is " +
        "first changes when one of them flaps.",
      remedy: multihomeRemedy(picture, names),
    },
  ];
}

function sayWay({ member, links }: Way): string {
  const own = member.link.name;
  if (onlyBy(links, own)) return `${member.address} leaves by its own ${own}, but by no rule of its own`;
  return `${member.address} of ${own} leaves by ${links.length > 0 ? sayList(links) : "no link at all"}`;
}

function arpFlux(picture: HostPicture, group: Group): Finding[] {
  const subnets = group.subnets.filter(({ shared }) => shared.family === 4);
  if (subnets.length === 0) return [];
  const speaking = group.links.filter((link) => !link.noArp);
  const steered = subnets.every(({ ways }) => areSteered(ways));
  const answering = speaking.filter(({ name }) => {
    // arp_filter asks the routes whether an answer would leave by this link: with source rules that is as good.
    if (steered && (largerOf(picture, name, "arp_filter") ?? 0) > 0) return false;
    return largerOf(picture, name, "arp_ignore") === 0;
  });
  const announcing = speaking.filter(({ name }) => (largerOf(picture, name, "arp_announce") ?? 2) < 2);
  if (speaking.length < 2 || (answering.length === 0 && announcing.length === 0)) return [];
  const names = group.links.map(({ name }) => name);
  return [
    {
      code: "arp-flux",
      severity: answering.length > 0 ? "error" : "warning",
      summary:
        answering.length > 0
          ? `${sayList(answering.map(({ name }) => name))} answer${answering.length > 1 ? "" : "s"} ARP for every address of this host`
          : `${sayList(announcing.map(({ name }) => name))} may ask by ARP in the name of another link's address`,
      found: [
        ...answering.map(({ name }) => `${name}: arp_ignore is 0, and 1 is wanted`),
        ...announcing.map(
          ({ name }) => `${name}: arp_announce is ${largerOf(picture, name, "arp_announce") ?? 0}, and 2 is wanted`,
        ),
      ],
      consequence:
        answering.length > 0
          ? "Whichever link answers first gets the traffic: peers send to the hardware address of the wrong link, so that TCP goes " +
            "another way than its answers, and RDMA connections are rejected or time out."
          : "A question in the name of another link's address teaches the peers the wrong hardware address for it.",
      remedy: multihomeRemedy(picture, names),
    },
  ];
}
