// Owns the check of strict reverse path filters: links whose answers arrive where the kernel would not send to.
//
// Sources: ip-sysctl.rst (rp_filter: the larger of all and the link's own counts); __fib_validate_source in
// net/ipv4/fib_frontend.c looks the sender up as a packet of lo's, without the mark unless src_valid_mark is set, and
// without a user: rules that ask for those do not count in the look-up.
import type { HostPicture, PictureRoute, PictureRule } from "../../model/picture.ts";
import { someLines } from "../finding.ts";
import type { Check, Finding } from "../finding.ts";
import { rangeOf } from "../../model/prefix.ts";
import { isDetached } from "../selector.ts";
import { findSharedSubnets, findWays } from "../subnets.ts";
import { largerOf, setSwitch } from "../../explain/switches.ts";
import { ordinaryFlow } from "../../explain/packet.ts";
import { indexOf } from "../../explain/routing.ts";
import { decide } from "../../explain/walk.ts";
import { sayRoute, sayRule } from "../../explain/words.ts";
import { multihomeRemedy, sayList } from "../words.ts";

/** Routes of a table by one link that are looked at; the first that goes another way is enough. */
const MOST_ROUTES = 20;

export const strictRpFilter: Check = {
  codes: ["strict-rp-filter"],
  find(picture) {
    const filtering = (value: number): Set<string> =>
      new Set(
        picture.links
          .filter(({ up, name }) => up && largerOf(picture, name, "rp_filter") === value)
          .map(({ name }) => name),
      );
    const [strict, loose] = [filtering(1), filtering(2)];
    return [
      ...(strict.size > 0 ? [...inSharedSubnets(picture, strict), ...behindRules(picture, strict)] : []),
      ...(loose.size > 0 ? behindRules(picture, loose, true) : []),
      ...outsideOfGateways(picture, strict, loose),
    ];
  },
};

/** A gateway's link towards the world, when the world is expected from elsewhere, or from nowhere. */
function outsideOfGateways(picture: HostPicture, strict: ReadonlySet<string>, loose: ReadonlySet<string>): Finding[] {
  return (picture.configured?.sections ?? []).flatMap(({ section, outside }): Finding[] => {
    if (outside === undefined || !(strict.has(outside) || loose.has(outside))) return [];
    const back = decide(picture, ordinaryFlow(rangeOf("0.0.0.0/0"), ownAddress(picture, outside)))?.answer?.route;
    const expected = back?.type === "unicast" ? back.hops.flatMap((hop) => hop.link ?? []) : [];
    if (expected.includes(outside) || (loose.has(outside) && expected.length > 0)) return [];
    return [
      {
        code: "strict-rp-filter",
        severity: "error",
        summary: `rp_filter on ${outside} drops what the world sends to ${section}`,
        found: [
          `${outside}: rp_filter is ${strict.has(outside) ? 1 : 2}, and ${expected.length > 0 ? `the way to the world is by ${sayList(expected)}` : "there is no way to the world"}`,
        ],
        consequence:
          "A packet is dropped without a word when the way back to its sender is by another link (1), or by none at all (1 and 2).",
        remedy: {
          text: `Let the main table lead to the world by ${outside}: \`gateway\` makes no routes, and without one it passes nothing anyway.`,
        },
      },
    ];
  });
}

/** Links of a shared subnet whose neighbours' packets are dropped, because the answer would leave by another link. */
function inSharedSubnets(picture: HostPicture, strict: ReadonlySet<string>): Finding[] {
  return findSharedSubnets(picture)
    .filter(({ family }) => family === 4)
    .flatMap((shared): Finding[] => {
      const ways = findWays(picture, shared);
      const deaf = ways.filter(
        ({ member, links }) => strict.has(member.link.name) && !links.includes(member.link.name),
      );
      if (deaf.length === 0) return [];
      const names = [...new Set(deaf.map(({ member }) => member.link.name))];
      return [
        {
          code: "strict-rp-filter",
          severity: "error",
          summary: `strict rp_filter makes ${sayList(names)} deaf to ${shared.prefix}`,
          found: deaf.map(
            ({ member, links }) =>
              `${member.link.name}: rp_filter is 1, and answers from ${member.address} leave by ${sayList(links) || "no link"}`,
          ),
          consequence:
            "A packet is dropped without a word when the way back to its sender is not by the link it came in by; ARP questions too.",
          remedy: multihomeRemedy(
            picture,
            shared.links.map(({ name }) => name),
          ),
        },
      ];
    });
}

/** A route by a strict link, and the links that the reverse look-up expects instead. */
interface Detour {
  link: string;
  route: PictureRoute;
  expected: string[];
}

/** Links by which a rule sends what the reverse look-up, which does not see that rule, expects from elsewhere. */
function behindRules(picture: HostPicture, strict: ReadonlySet<string>, isLoose = false): Finding[] {
  const rules = picture.rules.filter(
    (rule) => rule.family === 4 && rule.action === "table" && !rule.partial && !rule.not && !isDetached(rule),
  );
  const byTable = Map.groupBy(rules, ({ table }) => table);
  const byLink = new Map<string, { rule: PictureRule; detour: Detour }[]>();
  for (const [table, leading] of byTable) {
    const asking = leading.filter((rule) => picture.links.some(({ name }) => isUnseen(picture, rule, name)));
    if (asking.length === 0) continue;
    for (const detour of findDetours(picture, strict, table)) {
      // A packet passes a loose filter when there is any way back.
      if (isLoose && detour.expected.length > 0) continue;
      for (const rule of asking.filter((one) => isUnseen(picture, one, detour.link))) {
        if (rangeOf(detour.route.to).length <= (rule.suppressPrefixLength ?? -1)) continue;
        byLink.set(detour.link, [...(byLink.get(detour.link) ?? []), { rule, detour }]);
      }
    }
  }
  return [...byLink].map(([link, ways]) => (isLoose ? looseBehindRules(link, ways) : strictBehindRules(link, ways)));
}

/** For each strict link that the table uses, the first route by it whose answers are expected from elsewhere. */
function findDetours(picture: HostPicture, strict: ReadonlySet<string>, table: number | undefined): Detour[] {
  const tried = new Map<string, number>();
  const found = new Map<string, Detour>();
  const routes = indexOf(picture).tables.get(4, table)?.routes ?? [];
  // Default routes first: they are the ones that lead elsewhere.
  const isDefault = ({ to }: PictureRoute): boolean => rangeOf(to).length === 0;
  for (const route of [...routes.filter(isDefault), ...routes.filter((one) => !isDefault(one))]) {
    if (route.type !== "unicast") continue;
    for (const { link } of route.hops) {
      if (link === undefined || found.has(link) || !strict.has(link)) continue;
      const count = tried.get(link) ?? 0;
      if (count >= MOST_ROUTES) continue;
      tried.set(link, count + 1);
      const from = route.source ?? ownAddress(picture, link);
      const back = decide(picture, ordinaryFlow(rangeOf(route.to), from))?.answer?.route;
      const expected = back?.hops.flatMap((hop) => hop.link ?? []) ?? [];
      if (!expected.includes(link)) found.set(link, { link, route, expected });
    }
  }
  return [...found.values()];
}

function strictBehindRules(link: string, ways: readonly { rule: PictureRule; detour: Detour }[]): Finding {
  return {
    code: "strict-rp-filter",
    severity: "error",
    summary: `strict rp_filter on ${link} drops the answers to what a rule sends there`,
    found: someLines(
      ways.map(
        ({ rule, detour: { route, expected } }) =>
          `${sayRule(rule)}: ${sayRoute(route)}; without the rule ${expected.length > 0 ? `by ${sayList(expected)}` : "there is no way"}`,
      ),
    ),
    consequence:
      "The kernel looks the way back up without the mark, the user and the incoming link, finds another link, and drops the packet.",
    remedy: {
      text: `Make it loose on ${link}: a packet then passes when any link reaches its sender. The larger of all and the link's own value counts, so that 2 wins over 1.`,
      commands: [setSwitch(link, "rp_filter", 2)],
      file: {
        path: "/etc/sysctl.d/90-rp-filter.conf",
        text: `net.ipv4.conf.${link.replaceAll(".", "/")}.rp_filter = 2\n`,
      },
    },
  };
}

function looseBehindRules(link: string, ways: readonly { rule: PictureRule; detour: Detour }[]): Finding {
  return {
    code: "strict-rp-filter",
    severity: "error",
    summary: `rp_filter on ${link} drops the answers to what a rule sends there, since nothing else leads to their senders`,
    found: someLines(
      ways.map(
        ({ rule, detour: { route } }) => `${sayRule(rule)}: ${sayRoute(route)}; without the rule there is no way`,
      ),
    ),
    consequence:
      "Also a loose filter (2) looks the way back up, without the mark, the user and the incoming link, and drops a packet to whose sender there is no way at all.",
    remedy: {
      text: `Give the main table any route to them, a default route for instance; or switch the filter off on ${link}, in a section of egress by \`rp_filter: off\`. It counts only while \`all\` is 0 too.`,
      commands: [setSwitch("all", "rp_filter", 0), setSwitch(link, "rp_filter", 0)],
    },
  };
}

/** The address that the answers are for, as far as can be told: the first that the link has. */
function ownAddress(picture: HostPicture, link: string): string | undefined {
  const addresses = picture.links.find(({ name }) => name === link)?.addresses ?? [];
  return addresses.find(({ family, scope }) => family === 4 && scope === "global")?.address.split("/")[0];
}

/** Whether the rule asks for something that the reverse look-up of a packet on the link does not have. */
function isUnseen(picture: HostPicture, rule: PictureRule, link: string): boolean {
  const marked = (rule.mark ?? 0) !== 0 && largerOf(picture, link, "src_valid_mark") === 0;
  return marked || rule.uids !== undefined || (rule.iif !== undefined && rule.iif !== "lo");
}
