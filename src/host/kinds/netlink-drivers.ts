// Owns the kinds "route" and "rule" on a real host, over netlink.
import type { Step } from "../../model/plan.ts";
import type { KindDriver } from "../host.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { LinkNames } from "./link-names.ts";
import { observe, performSteps, specsOf } from "./perform-steps.ts";
import { routeFromMessage, routeToMessage } from "./route-message.ts";
import { ruleFromMessage, ruleToMessage } from "./rule-message.ts";

/** Routes of both families in all tables. */
export function routeDriver(socket: RouteSocket): KindDriver<"route"> {
  return {
    async list(links, _scope, signal) {
      const names = new LinkNames(links);
      const messages = await socket.listRoutes({}, signal);
      const specs = messages.map((message) => routeFromMessage(message, names));
      return specs.filter((spec) => spec !== undefined).map((spec) => observe("route", spec));
    },
    perform: (steps, links) => performSteps(socket, steps, (step) => routeRequests(step, new LinkNames(links))),
  };
}

/** Rules of both families. */
export function ruleDriver(socket: RouteSocket): KindDriver<"rule"> {
  return {
    async list(_links, _scope, signal) {
      const specs = (await socket.listRules({}, signal)).map(ruleFromMessage);
      return specs.filter((spec) => spec !== undefined).map((spec) => observe("rule", spec));
    },
    perform: (steps) => performSteps(socket, steps, ruleRequests),
  };
}

function routeRequests(step: Step, links: LinkNames): Request[] {
  const { before, after } = specsOf("route", step);
  if (after) {
    // Replacing without creating: what was seen to be ours and is gone meanwhile is not made over somebody else's.
    const flags = before ? VERB.change : VERB.create;
    return [{ object: "route", type: "new", flags, message: routeToMessage(after, links) }];
  }
  return before ? [{ object: "route", type: "delete", flags: 0, message: routeToMessage(before, links) }] : [];
}

function ruleRequests(step: Step): Request[] {
  const { before, after } = specsOf("rule", step);
  const requests: Request[] = [];
  if (after) requests.push({ object: "rule", type: "new", flags: VERB.create, message: ruleToMessage(after) });
  if (before) requests.push({ object: "rule", type: "delete", flags: 0, message: ruleToMessage(before) });
  return requests;
}
