// Owns the proof that only what repeats an earlier route in everything is left out, in whatever order a table is said.
import { expect, test } from "vitest";
import type { RouteSpec } from "../../model/kinds.ts";
import type { Observed } from "../../model/objects.ts";
import { observe } from "./perform-steps.ts";
import { withoutRepeats } from "./repeats.ts";

function route(to: string, more: Partial<RouteSpec> = {}): Observed<"route"> {
  const family = to.includes(":") ? 6 : 4;
  const spec: RouteSpec = { family, table: 100, to, type: "unicast", hops: [{ link: "ib0" }], protocol: 3, ...more };
  return observe("route", spec);
}

const TABLE = ["0.0.0.0/0", "10.0.0.0/16", "10.0.0.0/8", "10.0.0.1/32", "200.0.0.0/8", "255.255.255.255/32"];

test("a table that is said in the kernel's order stays whole", () => {
  const routes = TABLE.map((to) => route(to));
  expect(withoutRepeats([...routes])).toEqual(routes);
});

test.each(TABLE.map((_, i) => i + 1))("a table that is said again after %i of its routes is said once", (read) => {
  const other = route("10.0.0.1/32", { table: 356 });
  const routes = TABLE.map((to) => route(to));
  const again = TABLE.map((to) => route(to));
  expect(withoutRepeats([...routes.slice(0, read), ...again, other])).toEqual([...routes, other]);
});

test("routes that share their key and differ otherwise all stay, and none of them twice", () => {
  const links = ["ib0", "ib1", "ib2"].map((link) => route("fe80::/64", { hops: [{ link }] }));
  const metrics = [0, 7, 9].map((metric) => route("10.0.0.0/8", metric === 0 ? {} : { metric }));
  const routes = [...links, ...metrics];
  expect(withoutRepeats([...routes])).toEqual(routes);
  expect(withoutRepeats([...routes, ...routes])).toEqual(routes);
});
