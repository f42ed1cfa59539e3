// Owns the recognition of links in one subnet that were told apart by hand: a table for each link, a rule for each address.
import { prefixContains } from "../model/ip.ts";
import type { Draft, Proposal, RouteEntry } from "./draft.ts";

/** What `multihome` would say instead, for each subnet that several links share; nothing where none is. */
export function proposeMultihome(draft: Pick<Draft, "rules" | "routes">): Proposal[] {
  const bySubnet = Map.groupBy(draft.routes.filter(isConnected), (route) => route.to);
  return [...bySubnet].flatMap(([subnet, routes]) => {
    const chosen = routes.filter((route) =>
      draft.rules.some(
        ({ from, table }) => from !== undefined && table === route.table && prefixContains(subnet, from),
      ),
    );
    const links = [...new Set(chosen.map(({ link }) => link as string))];
    const tables = new Set(chosen.map(({ table }) => table));
    if (links.length < 2 || tables.size < links.length) return [];
    const name = /^[a-z]+/.exec(links[0] as string)?.[0] ?? "links";
    const because = `${links.join(" and ")} share ${subnet}, each with a table and rules of its own. The role multihome does that by itself, and answers ARP rightly too. Instead of these entries:`;
    return [{ because, yaml: `multihome:\n  ${name}: { links: [${links.join(", ")}] }` }];
  });
}

/** A route to a subnet straight by a link, in a table of its own. */
function isConnected(route: RouteEntry): boolean {
  return route.link !== undefined && route.via === undefined && route.table !== undefined && route.to !== "default";
}
