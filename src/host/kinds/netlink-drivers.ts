// Owns the kinds that live in the kernel's routing tables: routes, rules and (to look at) addresses, over netlink.
import { constants } from "node:os";
import type { Specs } from "../../model/kinds.ts";
import type { Observed } from "../../model/objects.ts";
import type { Step } from "../../model/plan.ts";
import { rulesOf } from "../../plan/kinds/index.ts";
import { HostError } from "../error.ts";
import type { KindDriver, StepResult } from "../host.ts";
import type { AdoptStep } from "./adopt.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { LinkNames } from "./link-names.ts";
import { performRouteAdoptions, performRuleAdoptions } from "./adopt.ts";
import { routeFromMessage, routeToMessage } from "./route-message.ts";
import { ruleFromMessage, ruleToMessage } from "./rule-message.ts";

const { ESRCH, ENOENT, ENODEV } = constants.errno;

/** Addresses, as the links of the look already hold them. */
export const addressDriver: KindDriver<"address"> = {
  list: async (links) => links.flatMap((link) => link.addresses.map((spec) => observe("address", spec))),
  perform: async () => {
    throw new Error("addresses are observed, never changed");
  },
};

/** Routes of both families in all tables. */
export function routeDriver(socket: RouteSocket): KindDriver<"route"> {
  return {
    async list(links, _scope, signal) {
      const names = new LinkNames(links);
      const messages = await socket.listRoutes({}, signal);
      const specs = messages.map((message) => routeFromMessage(message, names));
      return specs.filter((spec) => spec !== undefined).map((spec) => observe("route", spec));
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
        other: (run) => performSteps(socket, run, ruleRequests),
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

function observe<K extends "address" | "route" | "rule">(kind: K, spec: Specs[K]): Observed<K> {
  // The kind and its spec belong together, which TypeScript cannot follow through the union.
  return { kind, spec, key: rulesOf(kind).identify(spec) } as Observed<K>;
}

function routeRequests(step: Step, links: LinkNames): Request[] {
  if (step.action === "delete") {
    if (step.before.kind !== "route") throw wrongKind(step);
    // Metrics tell no two routes apart, and the kernel clamps them: a delete that named what was asked for could miss.
    const { metrics: _, ...spec } = step.before.spec;
    return [{ object: "route", type: "delete", flags: 0, message: routeToMessage(spec, links) }];
  }
  if (step.after.kind !== "route") throw wrongKind(step);
  // Replacing without creating: what was seen to be ours and is gone meanwhile is not made over somebody else's.
  const flags = step.action === "create" ? VERB.create : VERB.change;
  return [{ object: "route", type: "new", flags, message: routeToMessage(step.after.spec, links) }];
}

function ruleRequests(step: Step): Request[] {
  const requests: Request[] = [];
  if (step.action !== "delete") {
    if (step.after.kind !== "rule") throw wrongKind(step);
    requests.push({ object: "rule", type: "new", flags: VERB.create, message: ruleToMessage(step.after.spec) });
  }
  if (step.action !== "create") {
    if (step.before.kind !== "rule") throw wrongKind(step);
    requests.push({ object: "rule", type: "delete", flags: 0, message: ruleToMessage(step.before.spec) });
  }
  return requests;
}

/** Sends the requests of all steps at once. A step fails with the first of its requests that failed. */
async function performSteps(
  socket: RouteSocket,
  steps: readonly Step[],
  requestsOf: (step: Step) => Request[],
): Promise<StepResult[]> {
  const planned = steps.map((step) => requestsOrError(step, requestsOf));
  const answers = await socket.perform(planned.flatMap(({ requests }) => requests));
  let at = 0;
  return planned.map(({ step, requests, error }) => {
    const own = answers.slice(at, (at += requests.length));
    const refused = error ?? own.find((answer) => answer !== undefined && !isAlreadyGone(step, answer));
    return refused === undefined ? { step } : { step, error: refused };
  });
}

/** A link that went away since the look fails its own step only. */
function requestsOrError(
  step: Step,
  requestsOf: (step: Step) => Request[],
): { step: Step; requests: Request[]; error?: HostError } {
  try {
    return { step, requests: requestsOf(step) };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return isAlreadyGone(step, error) ? { step, requests: [] } : { step, requests: [], error };
  }
}

/** Deleting what is not there is no error: ESRCH for routes, ENOENT for rules, ENODEV with its link. */
function isAlreadyGone(step: Step, error: HostError): boolean {
  return step.action === "delete" && [ESRCH, ENOENT, ENODEV].includes(error.errno);
}

function wrongKind(step: Step): Error {
  return new Error(`a step of another kind was given to a driver: ${step.action}`);
}
