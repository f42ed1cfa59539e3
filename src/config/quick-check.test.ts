// The quick way through a schema must say what zod says, keys in their order included, or nothing.
import fc from "fast-check";
import { expect, it } from "vitest";
import { ROLES } from "../roles/index.ts";
import { checkQuickly, WRONG } from "./quick-check.ts";
import { fileSchema } from "./schema.ts";

const schema = fileSchema(ROLES);

/** How often the quick way found the value right. */
function compare(value: unknown): boolean {
  const quick = checkQuickly(schema, value);
  if (quick === WRONG) return false;
  const result = schema.safeParse(value);
  expect(result.success).toBe(true);
  expect(JSON.stringify(quick)).toBe(JSON.stringify(result.data));
  return true;
}

const VALUES: unknown[] = [
  "ib0",
  "10.0.0.0/8",
  "10.0.0.1/8",
  "10.0.0.1",
  "fd00::1",
  "FD00::/64",
  "default",
  "main",
  "80-90",
  "x y",
  "",
  0,
  1,
  100,
  70000,
  -1,
  1.5,
  true,
  false,
  null,
  [],
  {},
  [1],
  ["mtu"],
  { mtu: 1400, lock: ["mtu"] },
  { first: 1 },
];
const value = fc.constantFrom(...VALUES);
const route = fc
  .subarray(["via", "to", "table", "link", "metric", "metrics", "hops", "source", "type", "family", "onlink", "odd"])
  .chain((keys) => fc.tuple(fc.shuffledSubarray(keys), fc.array(value, { minLength: 12, maxLength: 12 })))
  .map(([keys, values]) => Object.fromEntries(keys.map((key, i) => [key, values[i]])));
const likely = fc
  .shuffledSubarray(
    [
      ["to", "10.0.0.0/8"],
      ["table", 100],
      ["via", "192.0.2.1"],
      ["link", "ib0"],
      ["metric", 5],
      ["metrics", { lock: ["mtu"], mtu: 1400 }],
      ["hops", [{ link: "ib1", via: "fd00::1" }]],
      ["onlink", true],
    ] as [string, unknown][],
    { minLength: 1 },
  )
  .map((entries) => Object.fromEntries(entries) as Record<string, unknown>);
const rule = fc.constantFrom<unknown>(
  { from: "10.0.0.0/8", table: 1 },
  { uids: "5-6", sport: 80, table: "x" },
  { mark: 1 },
  1,
);

it("says what zod says of any file, or nothing", () => {
  let right = 0;
  const file = fc.record(
    {
      version: fc.constantFrom<unknown>(1, 1, 1, 2, "1"),
      ranges: fc.constantFrom<unknown>({ tables: "5-9" }, { tables: 5 }, { odd: 1 }, {}),
      static: fc.dictionary(
        fc.constantFrom("a", "b", "9", "__proto__"),
        fc.record(
          { rules: fc.array(rule, { maxLength: 2 }), routes: fc.array(fc.oneof(likely, route), { maxLength: 3 }) },
          { requiredKeys: [] },
        ),
        { maxKeys: 2 },
      ),
      multihome: fc.dictionary(
        fc.constantFrom("ib"),
        fc.constantFrom<unknown>({ links: ["ib0", "ib1"] }, { links: "ib*" }, {}),
      ),
    },
    { requiredKeys: ["version"] },
  );
  fc.assert(
    fc.property(file, (one) => {
      if (compare(one)) right++;
    }),
    { numRuns: 2000 },
  );
  expect(right).toBeGreaterThan(50);
});

it.each([undefined, null, [], "x", 1, new Map(), {}, { version: 1, odd: 1 }])("leaves %j to zod", (odd) => {
  expect(checkQuickly(schema, odd)).toBe(WRONG);
});
