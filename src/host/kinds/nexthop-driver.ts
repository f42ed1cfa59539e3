// Owns the kind "nexthop" on a real host: nexthop objects and groups, over netlink.
import { constants } from "node:os";
import type { NexthopSpec } from "../../model/kinds.ts";
import type { Step } from "../../model/plan.ts";
import { nexthopRules } from "../../plan/kinds/nexthop.ts";
import { HostError } from "../error.ts";
import type { KindDriver } from "../host.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { GROUP_TYPE } from "../netlink/nexthop.ts";
import type { NexthopMessage } from "../netlink/nexthop.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { LinkNames } from "./link-names.ts";
import { observe, performSteps, specsOf } from "./perform-steps.ts";

/** Clock ticks in a second, by which the kernel counts timers towards programs (USER_HZ). */
const TICKS = 100;

/** Nexthop objects of both families, groups among them. */
export function nexthopDriver(socket: RouteSocket): KindDriver<"nexthop"> {
  return {
    async list(links, _scope, signal) {
      const names = new LinkNames(links);
      return (await socket.listNexthops(signal)).map((message) =>
        observe("nexthop", nexthopFromMessage(message, names)),
      );
    },
    async perform(steps, links, signal) {
      const names = new LinkNames(links);
      // The kernel replaces and deletes by id, whoever made the object, so whose it is has to be seen just before.
      const careful = steps.some(({ action }) => action !== "create");
      const protocols = new Map(
        careful ? (await socket.listNexthops(signal)).map(({ id, protocol }) => [id, protocol]) : [],
      );
      return performSteps(socket, steps, (step) => nexthopRequests(step, names, protocols));
    },
  };
}

function nexthopRequests(step: Step, links: LinkNames, protocols: Map<number, number>): Request[] {
  const { before, after } = specsOf("nexthop", step);
  if (before && protocols.get(before.id) !== before.protocol) {
    throw new HostError({ errno: constants.errno.ENOENT, object: `nexthop ${before.id}` });
  }
  if (after) {
    const message = nexthopToMessage(after, links);
    if (!before) protocols.set(after.id, after.protocol);
    return [{ object: "nexthop", type: "new", flags: before ? VERB.change : VERB.create, message }];
  }
  if (!before) return [];
  return [{ object: "nexthop", type: "delete", flags: 0, message: { ...bare(before), scope: 0, flags: 0 } }];
}

/** A nexthop of the kernel as a normalised spec. */
export function nexthopFromMessage(message: NexthopMessage, links: LinkNames): NexthopSpec {
  const { family, oif, gateway, onlink, blackhole, members, resilience } = message;
  return nexthopRules.normalize({
    ...bare(message),
    ...(family === undefined ? {} : { family }),
    ...(oif === undefined ? {} : { link: links.name(oif) }),
    ...(gateway === undefined ? {} : { via: gateway }),
    ...(onlink ? { onlink } : {}),
    ...(blackhole ? { blackhole } : {}),
    ...(members === undefined ? {} : { members }),
    ...(resilience === undefined
      ? {}
      : {
          resilient: {
            buckets: resilience.buckets ?? 0,
            idle: (resilience.idleTimer ?? 0) / TICKS,
            unbalanced: (resilience.unbalancedTimer ?? 0) / TICKS,
          },
        }),
  });
}

/** The kernel's words for a nexthop. Throws HostError (ENODEV) where its link is not there. */
export function nexthopToMessage(spec: NexthopSpec, links: LinkNames): NexthopMessage {
  const { family, link, via, onlink, blackhole, members, resilient } = spec;
  return {
    ...bare(spec),
    scope: 0,
    flags: 0,
    ...(family === undefined ? {} : { family }),
    ...(link === undefined ? {} : { oif: links.index(link) }),
    ...(via === undefined ? {} : { gateway: via }),
    ...(onlink ? { onlink } : {}),
    ...(blackhole ? { blackhole } : {}),
    ...(members === undefined
      ? {}
      : {
          members: members.map(({ id, weight = 1 }) => ({ id, weight })),
          groupType: resilient === undefined ? GROUP_TYPE.hashThreshold : GROUP_TYPE.resilient,
        }),
    // All of it is said, since a replacement keeps what is not.
    ...(resilient === undefined
      ? {}
      : {
          resilience: {
            buckets: resilient.buckets,
            idleTimer: Math.round(resilient.idle * TICKS),
            unbalancedTimer: Math.round(resilient.unbalanced * TICKS),
          },
        }),
  };
}

function bare({ id, protocol }: { id: number; protocol: number }): { id: number; protocol: number } {
  return { id, protocol };
}
