// Owns the kinds "route" and "rule" on a real host, over netlink.
import type { Observed } from "../../model/objects.ts";
import type { Step } from "../../model/plan.ts";
import type { KindDriver, StepResult } from "../host.ts";
import type { AdoptStep } from "./adopt.ts";
import type { RouteSocket } from "../netlink/client.ts";
import type { RouteMessage } from "../netlink/route.ts";
import { LinkNames } from "./link-names.ts";
import { performRouteAdoptions, performRuleAdoptions } from "./adopt.ts";
import { observe } from "./perform-steps.ts";
import { routeFromMessage } from "./route-message.ts";
import { withoutRepeats } from "./repeats.ts";
import { performRouteSteps } from "./route-steps.ts";
import { performRuleSteps } from "./rule-steps.ts";
import { ruleFromMessage } from "./rule-message.ts";

/** Routes of both families in all tables. */
export function routeDriver(socket: RouteSocket): KindDriver<"route"> {
  return {
    async list(links, { tables }, signal) {
      const names = new LinkNames(links);
      const read = (message: RouteMessage): Observed<"route"> | undefined => {
        const spec = routeFromMessage(message, names);
        return spec && observe("route", spec);
      };
      if (tables === undefined) return withoutRepeats(await socket.readRoutes(read, {}, signal));
      const lists = await Promise.all(tables.map((table) => socket.readRoutes(read, { table }, signal)));
      return withoutRepeats(lists.flat());
    },
    perform: (steps, links, signal) =>
      inRuns(steps, {
        adopt: (run) => performRouteAdoptions(socket, run, new LinkNames(links), signal),
        other: (run) => performRouteSteps(socket, run, new LinkNames(links), signal),
      }),
  };
}

/** Rules of both families. */
export function ruleDriver(socket: RouteSocket): KindDriver<"rule"> {
  return {
    async list(_links, _scope, signal) {
      const specs = (await socket.listRules({}, signal)).map(ruleFromMessage);
      return specs.filter((spec) => spec !== undefined).map((spec) => observe("rule", spec));
    },
    perform: (steps) =>
      inRuns(steps, {
        adopt: (run) => performRuleAdoptions(socket, run),
        other: (run) => performRuleSteps(socket, run),
      }),
  };
}

/** Adoptions need answers between their requests, so they go to the kernel apart from the others, all in their order. */
async function inRuns(
  steps: readonly Step[],
  perform: { adopt: (run: AdoptStep[]) => Promise<StepResult[]>; other: (run: Step[]) => Promise<StepResult[]> },
): Promise<StepResult[]> {
  const results: StepResult[] = [];
  let at = 0;
  while (at < steps.length) {
    const adopting = isAdoption(steps[at] as Step);
    const end = steps.findIndex((step, i) => i > at && isAdoption(step) !== adopting);
    const run = steps.slice(at, end < 0 ? steps.length : end);
    results.push(...(await (adopting ? perform.adopt(run.filter(isAdoption)) : perform.other(run))));
    at += run.length;
  }
  return results;
}

function isAdoption(step: Step): step is AdoptStep {
  return step.action === "adopt";
}
