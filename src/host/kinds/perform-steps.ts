// Owns how steps become netlink requests and their answers become results, whatever the kind.
import { constants } from "node:os";
import type { Kind, Specs } from "../../model/kinds.ts";
import type { Observed } from "../../model/objects.ts";
import type { Step } from "../../model/plan.ts";
import { rulesOf } from "../../plan/kinds/index.ts";
import { HostError } from "../error.ts";
import type { StepResult } from "../host.ts";
import type { RouteSocket } from "../netlink/client.ts";
import type { Request } from "../netlink/requests.ts";

const { EADDRNOTAVAIL, ESRCH, ENOENT, ENODEV } = constants.errno;

/** An object that the kernel has. The spec is normalised. */
export function observe<K extends Kind>(kind: K, spec: Specs[K]): Observed<K> {
  // The kind and its spec belong together, which TypeScript cannot follow through the union.
  return { kind, spec, key: rulesOf(kind).identify(spec) } as Observed<K>;
}

/** The spec that a step takes away or replaces, and the one that it makes. Throws Error for a step of another kind. */
export function specsOf<K extends Kind>(kind: K, step: Step): { before?: Specs[K]; after?: Specs[K] } {
  const before = step.action === "create" ? undefined : step.before;
  const after = step.action === "delete" ? undefined : step.after;
  for (const object of [before, after]) {
    if (object && object.kind !== kind) {
      throw new Error(`a step of the kind ${object.kind} was given to the driver of ${kind}`);
    }
  }
  return {
    ...(before ? { before: before.spec as Specs[K] } : {}),
    ...(after ? { after: after.spec as Specs[K] } : {}),
  };
}

/** Sends the requests of all steps at once. A step fails with the first of its requests that failed. */
export async function performSteps(
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

/** A link that went away since the look, or an object that is not what was seen, fails its own step only. */
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

/**
 * Deleting what is not there is no error: ESRCH for routes, ENOENT for rules, nexthops and neighbours, EADDRNOTAVAIL for
 * addresses, ENODEV with its link.
 */
function isAlreadyGone(step: Step, error: HostError): boolean {
  return step.action === "delete" && [ESRCH, ENOENT, ENODEV, EADDRNOTAVAIL].includes(error.errno);
}
