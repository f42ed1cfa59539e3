// Owns the second reading of routes right before they are replaced: the kernel replaces the first route of a key, whoever
// made it.
import { rulesOf } from "../../plan/kinds/index.ts";
import type { Key, RouteSpec } from "../../model/kinds.ts";
import { HostError } from "../error.ts";
import type { RouteSocket } from "../netlink/client.ts";
import type { RouteMessage } from "../netlink/route.ts";
import type { LinkNames } from "./link-names.ts";
import { routeFromMessage } from "./route-message.ts";

/** Tables that are read one by one; of more, all routes are read. */
const FEW_TABLES = 32;

/** The route that a replacement would hit, by its key, in the tables. Rejects with HostError. */
export async function firstRoutes(
  socket: RouteSocket,
  tables: ReadonlySet<number>,
  links: LinkNames,
  signal?: AbortSignal,
): Promise<Map<Key, { message: RouteMessage; spec: RouteSpec }>> {
  const scopes = tables.size > FEW_TABLES ? [{}] : [...tables].map((table) => ({ table }));
  const lists = await Promise.all(scopes.map((scope) => socket.listRoutes(scope, signal)));
  const first = new Map<Key, { message: RouteMessage; spec: RouteSpec }>();
  for (const message of lists.flat()) {
    const spec = routeFromMessage(message, links);
    const key = spec && rulesOf("route").identify(spec);
    if (spec && key !== undefined && !first.has(key)) first.set(key, { message, spec });
  }
  return first;
}

/** What a step fails with whose object is another by now. */
export function changedMeanwhile(errno: number, key: Key): HostError {
  return new HostError({ errno, object: key, kernelMessage: "somebody changed it since it was looked at" });
}
