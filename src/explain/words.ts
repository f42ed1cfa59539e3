// Owns how the objects of a picture are called: as iproute2 does, with what the kernel marks them with.
import type { HostPicture, PictureRoute, PictureRule } from "../model/picture.ts";
import { routeRules } from "../plan/kinds/route.ts";
import { ruleRules } from "../plan/kinds/rule.ts";

/** "32760: from all iif ib0 lookup 2", with what the kernel marks it with. */
export function sayRule(rule: PictureRule): string {
  const { unresolved, iifDetached, oifDetached, partial, ...spec } = rule;
  const marks = [
    ...(unresolved ? ["[unresolved]"] : []),
    ...((iifDetached ?? oifDetached) ? ["[detached]"] : []),
    ...(partial ? ["[and more]"] : []),
  ];
  return [ruleRules.describe(spec), ...marks].join(" ");
}

/** "default via 10.0.0.1 dev ib0 table main", with the kernel's marks. */
export function sayRoute(route: PictureRoute): string {
  const hops = route.hops.map(({ dead: _dead, linkdown: _linkdown, ...hop }) => hop);
  const marks = [
    ...(route.hops.some(({ dead }) => dead) ? ["dead"] : []),
    ...(route.hops.some(({ linkdown }) => linkdown) ? ["linkdown"] : []),
  ];
  return [routeRules.describe({ ...route, hops }), ...marks].join(" ");
}

/** A table as its operator calls it: "alinat (201)", "2". */
export function sayTable(picture: Pick<HostPicture, "tableNames">, table: number | undefined): string {
  const name = Object.entries(picture.tableNames).find(([, id]) => id === table)?.[0];
  if (name !== undefined) return `${name} (${table})`;
  return table === 254 ? "main" : table === 255 ? "local" : table === 253 ? "default" : String(table);
}
