// Owns the kinds "route" and "rule" on a real host, over netlink.
import { constants } from "node:os";
import type { Step } from "../../model/plan.ts";
import { rulesOf } from "../../plan/kinds/index.ts";
import type { KindDriver, StepResult } from "../host.ts";
import type { AdoptStep } from "./adopt.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { NLM_F } from "../netlink/constants.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { LinkNames } from "./link-names.ts";
import { performRouteAdoptions, performRuleAdoptions } from "./adopt.ts";
import { observe, performSteps, specsOf } from "./perform-steps.ts";
import { routeFromMessage, routeToMessage } from "./route-message.ts";
import { withoutRepeats } from "./repeats.ts";
import { performRuleSteps } from "./rule-deletion.ts";
import { ruleFromMessage, ruleToMessage } from "./rule-message.ts";

const { EEXIST } = constants.errno;

/** Routes of both families in all tables. */
export function routeDriver(socket: RouteSocket): KindDriver<"route"> {
  return {
    async list(links, _scope, signal) {
      const names = new LinkNames(links);
      const messages = await socket.listRoutes({}, signal);
      const specs = messages.map((message) => routeFromMessage(message, names));
      return withoutRepeats(specs.filter((spec) => spec !== undefined).map((spec) => observe("route", spec)));
    },
    perform: (steps, links, signal) =>
      inRuns(steps, {
        adopt: (run) => performRouteAdoptions(socket, run, new LinkNames(links), signal),
        other: (run) => performSteps(socket, run, (step) => routeRequests(step, new LinkNames(links))),
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
        other: async (run) => beside(socket, await performRuleSteps(socket, run)),
      }),
  };
}

/**
 * Makes the rules that the kernel took for others. With EXCL it refuses a rule though the one that is there is more
 * specific: a prefix, TOS or DSCP that the new one does not state is no difference to it (rule_exists, net/core/fib_rules.c;
 * fib4_rule_compare). Where a look finds no equal one, it is asked again without EXCL, which for rules only ever adds.
 */
async function beside(socket: RouteSocket, results: readonly StepResult[]): Promise<StepResult[]> {
  const taken = ({ step, error }: StepResult): boolean => step.action === "create" && error?.errno === EEXIST;
  if (!results.some(taken)) return [...results];
  const present = (await socket.listRules()).map(ruleFromMessage).filter((spec) => spec !== undefined);
  const keys = new Set(present.map((spec) => rulesOf("rule").identify(spec)));
  const again = results.filter(
    (result) => taken(result) && result.step.action === "create" && !keys.has(result.step.after.key),
  );
  const answers = await performSteps(
    socket,
    again.map(({ step }) => step),
    (step) => {
      const { after } = specsOf("rule", step);
      return after ? [{ object: "rule", type: "new", flags: NLM_F.CREATE, message: ruleToMessage(after) }] : [];
    },
  );
  const answered = new Map(again.map(({ step }, i) => [step, answers[i]]));
  return results.map((result) => answered.get(result.step) ?? result);
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

function routeRequests(step: Step, links: LinkNames): Request[] {
  const { before, after } = specsOf("route", step);
  if (after) {
    // Replacing without creating: what was seen to be ours and is gone meanwhile is not made over somebody else's.
    const flags = before ? VERB.change : VERB.create;
    return [{ object: "route", type: "new", flags, message: routeToMessage(after, links) }];
  }
  if (!before) return [];
  // Metrics tell no two routes apart, and the kernel clamps them: a delete that named what was asked for could miss.
  const { metrics: _, ...spec } = before;
  return [{ object: "route", type: "delete", flags: 0, message: routeToMessage(spec, links) }];
}
