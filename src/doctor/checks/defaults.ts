// Owns the check of default routes: two that are equal, and one that leads nowhere.
//
// Sources: ip-route(8); fib_select_default (net/ipv4/fib_semantics.c) and RFC 4191 for IPv6 routers on one link, which
// are equal by design.
import { TABLE } from "../../model/kinds.ts";
import type { HostPicture, PictureHop, PictureRoute } from "../../model/picture.ts";
import type { Check, Finding } from "../finding.ts";
import { rangeOf } from "../../model/prefix.ts";
import { ignoresLinkdown } from "../../explain/switches.ts";
import { sayRoute, sayTable } from "../../explain/words.ts";
import { sayList } from "../words.ts";

/** RTPROT_RA: learned from router advertisements. */
const LEARNED = 9;

export const defaults: Check = {
  codes: ["equal-defaults", "default-down"],
  find(picture) {
    const routes = picture.routes.filter(
      ({ type, to, from, table }) =>
        type === "unicast" && from === undefined && table !== TABLE.local && rangeOf(to).length === 0,
    );
    return [...equal(picture, routes), ...routes.flatMap((route) => down(picture, route))];
  },
};

function equal(picture: HostPicture, routes: readonly PictureRoute[]): Finding[] {
  const name = ({ family, table, metric, tos, preference }: PictureRoute): string =>
    [family, table, metric ?? "-", tos ?? 0, preference ?? "medium"].join(" ");
  return [...Map.groupBy(routes, name).values()].flatMap((same): Finding[] => {
    const links = new Set(same.flatMap(({ hops }) => hops.map(({ link }) => link)));
    if (same.length < 2 || (links.size === 1 && same.every(({ protocol }) => protocol === LEARNED))) return [];
    const { family, table, metric } = same[0] as PictureRoute;
    return [
      {
        code: "equal-defaults",
        severity: "warning",
        summary: `table ${sayTable(picture, table)} has ${same.length} IPv${family} default routes of the same metric${metric === undefined ? "" : `, ${metric}`}`,
        found: same.map(sayRoute),
        consequence: "The order in which they were added decides, and that may differ after every boot and every flap.",
        remedy: {
          text: "Give the one that is meant as a fallback a higher metric, or make one route with two next hops. heddle's role static writes either down.",
        },
      },
    ];
  });
}

function down(picture: HostPicture, route: PictureRoute): Finding[] {
  const links = [...new Set(route.hops.flatMap(({ link }) => link ?? []))];
  if (links.length === 0 || route.hops.some((hop) => works(picture, hop))) return [];
  const others = picture.routes.some(
    (other) =>
      other.family === route.family &&
      other.table === route.table &&
      other.type === "unicast" &&
      rangeOf(other.to).length === 0 &&
      other.hops.some((hop) => works(picture, hop)),
  );
  // A fallback that the kernel takes by itself is no trouble.
  if (others && route.hops.every((hop) => isPassedOver(picture, route.family, hop))) return [];
  const off = links.filter((name) => picture.links.some((link) => link.name === name && !link.up));
  return [
    {
      code: "default-down",
      severity: "error",
      summary: `the IPv${route.family} default route of table ${sayTable(picture, route.table)} leads through ${sayList(links)}, which ${links.length > 1 ? "are" : "is"} down`,
      found: [
        sayRoute(route),
        ...links.map((link) => `${link} is ${off.includes(link) ? "switched off" : "without a carrier"}`),
      ],
      consequence: others
        ? "As long as the kernel uses it, what it matches is lost, though another default route is there."
        : "Nothing that needs it gets out of this host.",
      remedy: {
        text: `${off.length > 0 ? "Switch the link on" : "Mend the cable or the far end"}; where another default route is there, let the kernel pass over links without carrier.`,
        commands: links.map((link) =>
          off.includes(link)
            ? `ip link set ${link} up`
            : `sysctl -w net.ipv${route.family}.conf.${link.replaceAll(".", "/")}.ignore_routes_with_linkdown=1`,
        ),
      },
    },
  ];
}

/** Whether packets by the hop get out of the host; a link that is not in the picture may. */
function works(picture: HostPicture, { link, dead, linkdown }: PictureHop): boolean {
  const state = picture.links.find(({ name }) => name === link);
  return !dead && !linkdown && (state === undefined || (state.up && state.carrier));
}

function isPassedOver(picture: HostPicture, family: 4 | 6, { link, dead }: PictureHop): boolean {
  return dead === true || ignoresLinkdown(picture, family, link ?? "") === true;
}
