// Owns the proof that numbers are drawn as people expect: stable, free, in order.
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { drawNumbers, emptyNumbers } from "./numbers.ts";
import type { OwnedClaim } from "./numbers.ts";

const from = { file: "", start: { line: 1, column: 1 }, end: { line: 1, column: 1 } };
const claim = (name: string, more: Partial<OwnedClaim> = {}): OwnedClaim => ({
  pool: "tables",
  name,
  owner: "multihome/ib",
  from,
  ...more,
});
const ranges = {
  marks: { first: 24, last: 31 },
  tables: { first: 10, last: 19 },
  priorities: { first: 100, last: 199 },
  nexthops: { first: 1, last: 9 },
};
const nobody = { tables: [], priorities: [], nexthops: [], marks: [] };
const owners = ["multihome/ib"];
const NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"];

describe("numbers", () => {
  test("are the lowest free ones, in the order of the claims", () => {
    const { numbers } = drawNumbers(
      [claim("a"), claim("b"), claim("c", { fixed: 12 }), claim("d")],
      ranges,
      { ...nobody, tables: [10] },
      emptyNumbers(),
      owners,
    );
    expect(numbers.tables).toEqual({ "multihome/ib/a": 11, "multihome/ib/b": 13, "multihome/ib/d": 14 });
  });

  test("stay when others come before them", () => {
    const first = drawNumbers([claim("b")], ranges, nobody, emptyNumbers(), owners).numbers;
    const second = drawNumbers([claim("a"), claim("b")], ranges, nobody, first, owners).numbers;
    expect(second.tables).toEqual({ "multihome/ib/b": 10, "multihome/ib/a": 11 });
  });

  test("are kept for a link that is away, and given up when the section is gone", () => {
    const both = drawNumbers([claim("ib0"), claim("ib1")], ranges, nobody, emptyNumbers(), owners).numbers;
    const away = drawNumbers([claim("ib1"), claim("ib2")], ranges, nobody, both, owners).numbers;
    expect(away.tables).toEqual({ "multihome/ib/ib1": 11, "multihome/ib/ib2": 12, "multihome/ib/ib0": 10 });
    const gone = drawNumbers([claim("x", { owner: "static/a" })], ranges, nobody, away, ["static/a"]).numbers;
    expect(gone.tables).toEqual({ "static/a/x": 10 });
  });

  test("stay when somebody else begins to use them, and move when the range or a stated number says so", () => {
    const first = drawNumbers([claim("a")], ranges, nobody, emptyNumbers(), owners).numbers;
    const beside = drawNumbers(
      [claim("a"), claim("b")],
      ranges,
      { ...nobody, tables: [10, 11] },
      first,
      owners,
    ).numbers;
    expect(beside.tables).toEqual({ "multihome/ib/a": 10, "multihome/ib/b": 12 });
    const moved = { ...ranges, tables: { first: 50, last: 51 } };
    expect(drawNumbers([claim("a")], moved, nobody, first, owners).numbers.tables).toEqual({ "multihome/ib/a": 50 });
    const stated = drawNumbers([claim("a"), claim("c", { fixed: 10 })], ranges, nobody, first, owners).numbers;
    expect(stated.tables).toEqual({ "multihome/ib/a": 11 });
  });

  test("of nexthops move when somebody else has the object", () => {
    const hop = claim("a", { pool: "nexthops" });
    const first = drawNumbers([hop], ranges, nobody, emptyNumbers(), owners).numbers;
    expect(first.nexthops).toEqual({ "multihome/ib/a": 1 });
    const taken = drawNumbers([hop], ranges, { ...nobody, nexthops: [1] }, first, owners).numbers;
    expect(taken.nexthops).toEqual({ "multihome/ib/a": 2 });
  });

  test("that do not suffice are said, with the range to widen", () => {
    const { diagnostics } = drawNumbers([claim("a", { count: 11 })], ranges, nobody, emptyNumbers(), owners);
    expect(diagnostics).toMatchObject([{ code: "range-exhausted", severity: "error" }]);
  });

  test("never overlap and never leave the range, whatever was drawn before", () => {
    const claims = fc.uniqueArray(
      fc.record({ name: fc.constantFrom(...NAMES), count: fc.integer({ min: 1, max: 3 }) }),
      {
        selector: (one) => one.name,
      },
    );
    const earlier = fc.dictionary(
      fc.constantFrom(...NAMES).map((name) => `multihome/ib/${name}`),
      fc.integer({ min: 5, max: 25 }),
    );
    fc.assert(
      fc.property(
        claims,
        earlier,
        fc.uniqueArray(fc.integer({ min: 10, max: 19 }), { maxLength: 4 }),
        (list, tables, inUse) => {
          const wanted = list.map(({ name, count }) => claim(name, { count }));
          const { numbers } = drawNumbers(
            wanted,
            ranges,
            { ...nobody, tables: inUse },
            { ...emptyNumbers(), tables },
            owners,
          );
          const spans = wanted.flatMap(({ name, count = 1 }) => {
            const first = numbers.tables[`multihome/ib/${name}`];
            return first === undefined ? [] : Array.from({ length: count }, (_, i) => first + i);
          });
          // A name that was remembered and could not be drawn anew keeps no number.
          const drawn = spans.filter((number) => number >= 10 && number <= 19);
          expect(new Set(spans).size).toBe(spans.length);
          expect(drawn).toEqual(spans);
          for (const { name, count = 1 } of wanted) {
            const id = `multihome/ib/${name}`;
            const first = numbers.tables[id];
            if (first === undefined || first === tables[id]) continue;
            // What is drawn anew is nobody's.
            expect(inUse.filter((number) => number >= first && number < first + count)).toEqual([]);
          }
        },
      ),
    );
  });
});
