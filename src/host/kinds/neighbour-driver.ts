// Owns the kind "neighbour" on a real host: stated entries of the neighbour tables, over netlink.
import { constants } from "node:os";
import type { Key, NeighbourSpec } from "../../model/kinds.ts";
import type { Observed } from "../../model/objects.ts";
import type { Step } from "../../model/plan.ts";
import { neighbourRules } from "../../plan/kinds/neighbour.ts";
import { HostError } from "../error.ts";
import type { KindDriver, StepResult } from "../host.ts";
import type { RouteSocket } from "../netlink/client.ts";
import { NEIGHBOUR_FLAG, NEIGHBOUR_STATE } from "../netlink/neighbour.ts";
import type { NeighbourMessage } from "../netlink/neighbour.ts";
import { VERB } from "../netlink/requests.ts";
import type { Request } from "../netlink/requests.ts";
import { LinkNames } from "./link-names.ts";
import { observe, performSteps, specsOf } from "./perform-steps.ts";

const { EEXIST, ENOENT } = constants.errno;

/** Neighbours that somebody stated, of both families. What the kernel learned is not listed. */
export function neighbourDriver(socket: RouteSocket): KindDriver<"neighbour"> {
  const list = async (names: LinkNames, signal?: AbortSignal): Promise<Observed<"neighbour">[]> => {
    const messages = [
      ...(await socket.listNeighbours({}, signal)),
      ...(await socket.listNeighbours({ proxy: true }, signal)),
    ];
    return messages.flatMap((message) => {
      const spec = neighbourFromMessage(message, names);
      return spec === undefined ? [] : [observe("neighbour", spec)];
    });
  };
  return {
    list: (links, _scope, signal) => list(new LinkNames(links), signal),
    async perform(steps, links, signal) {
      const names = new LinkNames(links);
      // The kernel changes and deletes by address, whoever made the entry, and takes an equal proxy entry over in spite
      // of EXCL (pneigh_lookup in neigh_add), so whose it is has to be seen just before.
      const careful = steps.some((step) => step.action !== "create" || isProxy(step));
      const owners = new Map((careful ? await list(names, signal) : []).map(({ key, spec }) => [key, spec.protocol]));
      const results = await performSteps(socket, steps, (step) => requests(step, names, owners, VERB.create));
      return overLearned(results, async (again) => {
        const stated = new Set((await list(names, signal)).map(({ key }) => key));
        const free = again.filter((step) => step.action === "create" && !stated.has(step.after.key));
        return performSteps(socket, free, (step) => requests(step, names, new Map(), VERB.replace));
      });
    },
  };
}

/**
 * Entries that are refused because there is one already are made once more, over those that the kernel learned by
 * itself: those stand in nobody's way.
 */
async function overLearned(
  results: readonly StepResult[],
  retry: (steps: Step[]) => Promise<StepResult[]>,
): Promise<StepResult[]> {
  const there = results.filter(({ step, error }) => error?.errno === EEXIST && !isProxy(step)).map(({ step }) => step);
  if (there.length === 0) return [...results];
  const second = new Map((await retry(there)).map((result) => [result.step, result]));
  return results.map((result) => second.get(result.step) ?? result);
}

function isProxy(step: Step): boolean {
  const { before, after } = specsOf("neighbour", step);
  return (after ?? before)?.proxy === true;
}

function requests(step: Step, links: LinkNames, owners: Map<Key, number>, create: number): Request[] {
  const { before, after } = specsOf("neighbour", step);
  const key = neighbourRules.identify((after ?? before) as NeighbourSpec);
  if (before && owners.get(key) !== before.protocol) throw new HostError({ errno: ENOENT, object: key });
  if (after) {
    if (!before && after.proxy && owners.has(key)) throw new HostError({ errno: EEXIST, object: key });
    owners.set(key, after.protocol);
    const message = neighbourToMessage(after, links);
    return [{ object: "neighbour", type: "new", flags: before ? VERB.change : create, message }];
  }
  if (!before) return [];
  return [{ object: "neighbour", type: "delete", flags: 0, message: neighbourToMessage(before, links) }];
}

/** A stated neighbour as a normalised spec; undefined for what the kernel learned, or made for itself. */
export function neighbourFromMessage(message: NeighbourMessage, links: LinkNames): NeighbourSpec | undefined {
  const { family, index, destination, hardwareAddress, state, proxy, flags, protocol = 0 } = message;
  if (destination === undefined) return undefined;
  const permanent = (state & NEIGHBOUR_STATE.permanent) !== 0;
  // The kernel makes entries that need no resolution for multicast and for links without addresses; they have no tag.
  const noarp = (state & NEIGHBOUR_STATE.noarp) !== 0 && protocol !== 0;
  if (!proxy && !permanent && !noarp) return undefined;
  return neighbourRules.normalize({
    family,
    ...(index === 0 ? {} : { link: links.name(index) }),
    address: destination,
    ...(proxy ? { proxy } : {}),
    ...(hardwareAddress === undefined ? {} : { hardwareAddress }),
    state: permanent ? "permanent" : "noarp",
    ...((flags & NEIGHBOUR_FLAG.router) !== 0 ? { router: true } : {}),
    protocol,
  });
}

function neighbourToMessage(spec: NeighbourSpec, links: LinkNames): NeighbourMessage {
  const { family, link, address, proxy, hardwareAddress, state, router, protocol } = spec;
  return {
    family,
    index: link === undefined ? 0 : links.index(link),
    destination: address,
    ...(proxy ? { proxy } : {}),
    ...(hardwareAddress === undefined ? {} : { hardwareAddress }),
    state: proxy ? 0 : NEIGHBOUR_STATE[state ?? "permanent"],
    flags: router ? NEIGHBOUR_FLAG.router : 0,
    type: 0,
    protocol,
  };
}
