// Owns the check of routes that are used though nothing answers at the far end of their link.
//
// Source: ip-sysctl.rst (ignore_routes_with_linkdown, 0 by default). Measured on kernel 6.18: with 0, a multipath route went on using the leg without carrier.
import { TABLE } from "../../model/kinds.ts";
import type { HostPicture, PictureHop, PictureRoute } from "../../model/picture.ts";
import { someLines } from "../finding.ts";
import type { Check, Finding } from "../finding.ts";
import { rangeOf } from "../../model/prefix.ts";
import { ignoresLinkdown } from "../../explain/switches.ts";
import { sayRoute } from "../../explain/words.ts";

/** RTPROT_KERNEL: the connected route that comes with an address. */
const KERNEL = 2;

export const carrier: Check = {
  codes: ["no-carrier-route", "no-carrier-leg", "dead-leg"],
  find(picture) {
    const routes = picture.routes.filter(({ type, table }) => type === "unicast" && table !== TABLE.local);
    return [
      ...single(picture, routes),
      ...routes.filter(({ hops }) => hops.length > 1).flatMap((route) => multipath(picture, route)),
    ];
  },
};

/** One finding for each link without a carrier. Default routes have a finding of their own. */
function single(picture: HostPicture, routes: readonly PictureRoute[]): Finding[] {
  const lost = routes.filter(
    ({ family, to, hops: [hop, ...more] }) =>
      more.length === 0 &&
      hop !== undefined &&
      rangeOf(to).length > 0 &&
      !isLocal(to) &&
      isUsedDown(picture, family, hop),
  );
  return [...Map.groupBy(lost, ({ hops }) => hops[0]?.link ?? "")].map(([link, lines]): Finding => {
    const onlyConnected = lines.every(({ protocol }) => protocol === KERNEL);
    return {
      code: "no-carrier-route",
      severity: onlyConnected ? "note" : "warning",
      summary: `${link} has no carrier, and ${lines.length === 1 ? "a route still uses" : `${lines.length} routes still use`} it`,
      found: someLines(lines.map(sayRoute)),
      consequence:
        "Packets that these routes match are lost, though another route to the same place may work: the kernel keeps routes of a " +
        "link without carrier unless it is told to pass over them.",
      remedy: {
        text: `Mend the cable or the far end. Where there is another way, let the kernel pass over ${link} as long as its carrier is gone.`,
        commands: ignoreLinkdown(link, lines),
      },
    };
  });
}

function multipath(picture: HostPicture, route: PictureRoute): Finding[] {
  const used = route.hops.filter((hop) => isUsedDown(picture, route.family, hop));
  const dead = route.hops.filter((hop) => hop.dead);
  const findings: Finding[] = [];
  if (used.length > 0) {
    findings.push({
      code: "no-carrier-leg",
      severity: "error",
      summary: `${used.length} of ${route.hops.length} next hops of ${route.to} have no carrier and still get their share`,
      found: [sayRoute(route), ...used.map((hop) => `without carrier: ${sayHop(hop)}`)],
      consequence: `About ${used.length} of ${route.hops.length} connections by this route hang, while the others work.`,
      remedy: {
        text: "Let the kernel pass over links without carrier. It has to be set before the carrier is lost: make the route again after setting it.",
        commands: [...new Set(used.flatMap((hop) => ignoreLinkdown(hop.link ?? "", [route])))],
      },
    });
  }
  if (dead.length > 0) {
    findings.push({
      code: "dead-leg",
      severity: "warning",
      summary: `${dead.length} of ${route.hops.length} next hops of ${route.to} are dead`,
      found: [sayRoute(route), ...dead.map((hop) => `dead: ${sayHop(hop)}`)],
      consequence:
        "The other next hops carry everything. A leg that died with its link's address stays dead when both are back.",
      remedy: {
        text: "Bring the link up; where it is up, make the route again (ip route replace), which heddle does by itself for routes of its own.",
      },
    });
  }
  return findings;
}

/** Whether the kernel uses a hop by a link that has no carrier. */
function isUsedDown(picture: HostPicture, family: 4 | 6, hop: PictureHop): boolean {
  if (!hop.linkdown || hop.dead || hop.link === undefined) return false;
  return ignoresLinkdown(picture, family, hop.link) === false;
}

function ignoreLinkdown(link: string, routes: readonly PictureRoute[]): string[] {
  const families = [...new Set(routes.map(({ family }) => family))];
  return families.map(
    (family) => `sysctl -w net.ipv${family}.conf.${link.replaceAll(".", "/")}.ignore_routes_with_linkdown=1`,
  );
}

/** Link-local and multicast prefixes are on every link, used or not. */
function isLocal(to: string): boolean {
  return to.startsWith("fe80:") || to.startsWith("ff00:");
}

function sayHop({ via, link }: PictureHop): string {
  return [...(via === undefined ? [] : [`via ${via}`]), ...(link === undefined ? [] : [`dev ${link}`])].join(" ");
}
