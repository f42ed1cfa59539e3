// Owns the doing of steps that create, replace and delete routes.
import { constants } from "node:os";
import type { Step } from "../../model/plan.ts";
import type { StepResult } from "../host.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { changedMeanwhile, firstRoutes } from "./first-routes.ts";
import type { LinkNames } from "./link-names.ts";
import { performSteps, specsOf } from "./perform-steps.ts";
import { routeToMessage } from "./route-message.ts";

const { EEXIST } = constants.errno;

/**
 * Does the steps, all of them in one batch. A replacement hits the first route of its key: where that is somebody else's by
 * now, it is refused. What is left of that danger is the moment between this reading and the batch.
 */
export async function performRouteSteps(
  socket: RouteSocket,
  steps: readonly Step[],
  links: LinkNames,
  signal?: AbortSignal,
): Promise<StepResult[]> {
  const replaced = steps.flatMap((step) => (step.action === "replace" ? (specsOf("route", step).before ?? []) : []));
  const tables = new Set(replaced.map(({ table }) => table));
  const first = await firstRoutes(socket, tables, links, signal);
  return performSteps(socket, steps, (step) => {
    const found = step.action === "replace" ? first.get(step.before.key)?.spec : undefined;
    if (step.action === "replace" && found && found.protocol !== specsOf("route", step).before?.protocol) {
      throw changedMeanwhile(EEXIST, step.before.key);
    }
    return routeRequests(step, links);
  });
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
