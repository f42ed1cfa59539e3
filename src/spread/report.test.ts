// Proves what is told of spreading: rates between two readings, and a chart that is well-formed whatever links are called.
import { expect, test } from "vitest";
import { drawChart, sayRate } from "./chart.ts";
import { reportMembers, unevennessOf } from "./report.ts";

const MEMBERS = [
  { number: 1, link: "ib1", weight: 2 },
  { number: 2, link: "ib2", weight: 1 },
];

function reading(atMs: number, ...buckets: [member: number, bytes: number][]) {
  const counted = buckets.map(([member, bytes]) => ({ member, bytes, packets: bytes / 100, moves: 0 }));
  return { atMs, buckets: counted, stoodIn: 0, nobody: 0 };
}

test("rates are those between the readings, by who has the bucket now", () => {
  const before = reading(1000, [1, 500], [1, 0], [0, 0]);
  const after = reading(3000, [1, 2500], [2, 1000], [0, 0]);
  const members = reportMembers(MEMBERS, [1, 2], before, after);
  expect(
    members.map(({ link, bytesPerSecond, packetsPerSecond, buckets }) => [
      link,
      bytesPerSecond,
      packetsPerSecond,
      buckets,
    ]),
  ).toEqual([
    ["ib1", 1000, 10, 1],
    ["ib2", 500, 5, 1],
  ]);
  expect(members.map(({ share }) => share)).toEqual([2 / 3, 1 / 3]);
  // Two thirds for a weight of two: even.
  expect(unevennessOf(members)).toBeCloseTo(1);
});

test("counters that began anew count as nothing carried", () => {
  const members = reportMembers(MEMBERS, [1], reading(0, [1, 5000]), reading(1000, [1, 10]));
  expect(members[0]?.bytesPerSecond).toBe(0);
  expect(unevennessOf(members)).toBeUndefined();
});

test("a chart holds a line for each link, and names as text", () => {
  const points = [0, 500, 1000].map((atMs) => ({ atMs, bytesPerSecond: atMs * 1000 }));
  const svg = drawChart('a "title" & <more>', [
    { name: "ib<1>", points },
    { name: "ib2", points: [] },
  ]);
  expect(svg).toContain("ib&lt;1&gt;");
  expect(svg).toContain("a &quot;title&quot; &amp; &lt;more&gt;");
  expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  expect(svg.match(/<polyline/g)).toHaveLength(2);
  expect(drawChart("nothing", [])).not.toMatch(/NaN|Infinity/);
});

test.each([
  [0, "0 bit/s"],
  [125, "1.00 kbit/s"],
  [1.25e8, "1.00 Gbit/s"],
  [12.5e9, "100 Gbit/s"],
])("%d bytes a second are %s", (bytes, text) => {
  expect(sayRate(bytes)).toBe(text);
});
