// Owns the proof that routes share their hops only where they go the same way.
import { expect, test } from "vitest";
import type { LinkFact } from "../../model/facts.ts";
import type { Hop } from "../../model/kinds.ts";
import { LinkNames } from "./link-names.ts";

const links = ["ib0", "ib1"].map((name, i) => ({ name, index: i + 2, kind: "other", addresses: [], up: true }));
const names = new LinkNames(links as unknown as LinkFact[]);

test("ways that differ in anything are different hops, in whatever order they come", () => {
  const ways: { by: Parameters<LinkNames["wayBy"]>; hops: Hop[] }[] = [
    { by: [undefined, undefined, undefined], hops: [] },
    { by: [2, undefined, undefined], hops: [{ link: "ib0" }] },
    { by: [3, undefined, undefined], hops: [{ link: "ib1" }] },
    { by: [3, "10.0.0.1", undefined], hops: [{ link: "ib1", via: "10.0.0.1" }] },
    { by: [3, "10.0.0.1", true], hops: [{ link: "ib1", via: "10.0.0.1", onlink: true }] },
    { by: [undefined, "10.0.0.1", undefined], hops: [{ via: "10.0.0.1" }] },
    { by: [9, undefined, undefined], hops: [{ link: "#9" }] },
  ];
  for (const one of ways) {
    for (const { by, hops } of [one, ...ways, one]) expect(names.wayBy(...by)).toEqual(hops);
  }
});

test("routes in a row that go the same way have the same hops", () => {
  expect(names.wayBy(2, "10.0.0.1", undefined)).toBe(names.wayBy(2, "10.0.0.1", undefined));
});
