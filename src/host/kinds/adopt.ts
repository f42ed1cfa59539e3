// Owns the taking over of routes and rules: nothing about them changes but the protocol, by which they are known as ours.
import { constants } from "node:os";
import type { RouteSpec, RuleSpec } from "../../model/kinds.ts";
import type { Step } from "../../model/plan.ts";
import { rulesOf } from "../../plan/kinds/index.ts";
import type { HostError } from "../error.ts";
import type { StepResult } from "../host.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { changedMeanwhile, firstRoutes } from "./first-routes.ts";
import type { LinkNames } from "./link-names.ts";
import { routeOfAnother } from "./route-message.ts";
import { ruleToMessage } from "./rule-message.ts";

const { ENOENT, EEXIST } = constants.errno;

export type AdoptStep = Extract<Step, { action: "adopt" }>;

/**
 * Gives routes another owner, each with one atomic replacement. The routes are read once more right before: the first of
 * their key, which is the one that a replacement hits, must still be the one that was planned for. Two readings cannot
 * close the gap to somebody who changes it in this very moment; they make it a millisecond instead of the time between
 * plan and apply.
 */
export async function performRouteAdoptions(
  socket: RouteSocket,
  steps: readonly AdoptStep[],
  links: LinkNames,
  signal?: AbortSignal,
): Promise<StepResult[]> {
  const tables = new Set(steps.map((step) => routesOf(step).before.table));
  const first = await firstRoutes(socket, tables, links, signal);
  const planned = steps.map((step) => {
    const { before, after } = routesOf(step);
    const found = first.get(step.before.key);
    if (!found) return { step, error: changedMeanwhile(ENOENT, step.before.key) };
    if (!isSameRoute(found.spec, before)) return { step, error: changedMeanwhile(EEXIST, step.before.key) };
    const message = routeOfAnother(found.message, after.protocol);
    return { step, request: { object: "route", type: "new", flags: VERB.change, message } as const };
  });
  const answers = await socket.perform(planned.flatMap(({ request }) => request ?? []));
  let at = 0;
  return planned.map(({ step, request, error }) => result(step, request ? answers[at++] : error));
}

/**
 * Gives rules another owner: all are made anew first, and the earlier ones go after that, so that no packet meets a
 * moment without them, and they stand among each other in the order of the steps.
 */
export async function performRuleAdoptions(socket: RouteSocket, steps: readonly AdoptStep[]): Promise<StepResult[]> {
  const made = await forEach(socket, steps, (step) =>
    step.beside ? undefined : request("new", VERB.create, rulesIn(step).after),
  );
  const gone = await forEach(socket, steps, (step) =>
    made.get(step) ? undefined : request("delete", 0, rulesIn(step).before),
  );
  const kept = (step: AdoptStep): HostError | undefined => {
    const error = gone.get(step);
    return error?.errno === ENOENT ? undefined : error;
  };
  // What could not be finished leaves nothing of ours behind.
  await forEach(socket, steps, (step) =>
    kept(step) && !step.beside ? request("delete", 0, rulesIn(step).after) : undefined,
  );
  return steps.map((step) => result(step, made.get(step) ?? kept(step)));
}

/** Sends one request for each step that has one; the answers that are errors, by step. */
async function forEach(
  socket: RouteSocket,
  steps: readonly AdoptStep[],
  requestOf: (step: AdoptStep) => Request | undefined,
): Promise<Map<AdoptStep, HostError>> {
  const asked = steps.flatMap((step) => {
    const found = requestOf(step);
    return found ? [{ step, request: found }] : [];
  });
  const answers = await socket.perform(asked.map(({ request }) => request));
  const errors = new Map<AdoptStep, HostError>();
  for (const [i, { step }] of asked.entries()) {
    const error = answers[i];
    if (error !== undefined) errors.set(step, error);
  }
  return errors;
}

function request(type: "new" | "delete", flags: number, spec: RuleSpec): Request {
  return { object: "rule", type, flags, message: ruleToMessage(spec) };
}

function result(step: AdoptStep, error: HostError | undefined): StepResult {
  return error === undefined ? { step } : { step, error };
}

function isSameRoute(a: RouteSpec, b: RouteSpec): boolean {
  return a.protocol === b.protocol && rulesOf("route").compare(a) === rulesOf("route").compare(b);
}

function routesOf({ before, after }: AdoptStep): { before: RouteSpec; after: RouteSpec } {
  if (before.kind !== "route" || after.kind !== "route") throw new Error("not a route");
  return { before: before.spec, after: after.spec };
}

function rulesIn({ before, after }: AdoptStep): { before: RuleSpec; after: RuleSpec } {
  if (before.kind !== "rule" || after.kind !== "rule") throw new Error("not a rule");
  return { before: before.spec, after: after.spec };
}
