// Owns the proposal of the role `egress` for packets that were marked by who sends them.
import type { Draft, Proposal } from "./draft.ts";
import type { OwnerMark } from "./commands/iptables.ts";
import { isTableName } from "./entries.ts";
import { stringify } from "yaml";

/** What `egress` would say for each mark that owners get and a rule sends to a table. */
export function proposeEgress(draft: Pick<Draft, "rules" | "routes">, marks: readonly OwnerMark[]): Proposal[] {
  const byMark = Map.groupBy(marks, ({ mark, mask }) => `${mark}/${mask ?? ""}`);
  return [...byMark.values()].map((owners) => {
    const { mark, mask } = owners[0] as OwnerMark;
    const rule = draft.rules.find((one) => one.mark === mark && one.mask === mask);
    const routes = draft.routes.filter((route) => rule?.table !== undefined && route.table === rule.table);
    const way = routes.find(({ to, via }) => to === "default" && via !== undefined);
    const users = owners.flatMap(({ user }) => user ?? []);
    const groups = owners.flatMap(({ group }) => group ?? []);
    const protocols = [...new Set(owners.map(({ protocol }) => protocol))];
    const section = {
      match: {
        ...(users.length > 0 ? { users } : {}),
        ...(groups.length > 0 ? { groups } : {}),
        ...(protocols.every((one) => one !== undefined) ? { protocols } : {}),
      },
      ...(way?.link === undefined ? {} : { link: way.link }),
      ...(way?.via === undefined ? {} : { gateways: [way.via] }),
      ...(routes.length > 1
        ? {
            routes: routes
              .filter((route) => route !== way)
              .map(({ to, via }) => ({ to, ...(via === undefined ? {} : { via }) })),
          }
        : {}),
    };
    const name = typeof rule?.table === "string" && isTableName(rule.table) ? rule.table : `mark-${mark}`;
    const because =
      `iptables gives mark ${mark} to what these users and groups send. The role egress says all of it. Put it in the place ` +
      "of that rule and table, and take the iptables commands away:";
    return { because, yaml: stringify({ egress: { [name]: section } }, { lineWidth: 0 }) };
  });
}
