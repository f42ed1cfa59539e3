// Owns the proof that a fight is known for one, that its object rests for longer and longer, and that it ends.
import { expect, test } from "vitest";
import { Fights } from "./fights.ts";

const wanted = new Set(["a", "b"]);
const none = new Set<string>();

test("three repairs of one object within ten seconds are a fight; of several objects they are none", () => {
  const fights = new Fights();
  expect(fights.repaired("a", 0)).toBeUndefined();
  expect(fights.repaired("b", 1000)).toBeUndefined();
  expect(fights.repaired("a", 2000)).toBeUndefined();
  expect(fights.repaired("a", 9999)).toMatchObject({ key: "a", why: "fight", count: 3, restsUntil: 10_999 });
  expect([fights.rests("a", 10_998), fights.rests("a", 10_999), fights.rests("b", 10_000)]).toEqual([
    true,
    false,
    false,
  ]);
});

test("three repairs within more than ten seconds are none", () => {
  const fights = new Fights();
  for (const at of [0, 6000, 12_000, 18_000]) expect(fights.repaired("a", at)).toBeUndefined();
});

test("rests double up to a minute, and a refusal of the kernel rests alike", () => {
  const fights = new Fights();
  let at = 0;
  const rests: number[] = [];
  expect(fights.refused("a", at)).toMatchObject({ why: "refused" });
  for (let i = 0; i < 8; i++) {
    const end = fights.nextEnd(at) as number;
    rests.push(end - at);
    at = end;
    expect(fights.refused("a", at)).toBeUndefined();
  }
  expect(rests).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
});

test("who takes it away at once meets longer and longer rests, who does so seldom short ones", () => {
  const restsOf = (every: number): number[] => {
    const fights = new Fights();
    for (const at of [0, 1, 2]) fights.repaired("a", at);
    let at = 2;
    return Array.from({ length: 6 }, () => {
      // Repaired when the rest is over, or when it is taken away after that.
      at = Math.max(fights.nextEnd(at) ?? at, at + every);
      fights.repaired("a", at);
      return (fights.all[0]?.restMs ?? 0) / 1000;
    });
  };
  expect(restsOf(100)).toEqual([2, 4, 8, 16, 32, 60]);
  expect(restsOf(7000)).toEqual([1, 1, 1, 1, 1, 1]);
});

test("it is over when the object has stood for as long again, or is no longer wanted", () => {
  const fights = new Fights();
  for (const at of [0, 1, 2]) fights.repaired("a", at);
  fights.refused("b", 0);
  expect(fights.settle(wanted, none, 5000)).toEqual([]);
  expect(fights.settle(wanted, new Set(["a"]), 20_000).map(({ key }) => key)).toEqual(["b"]);
  expect(fights.settle(wanted, none, 20_000).map(({ key }) => key)).toEqual(["a"]);
  fights.refused("b", 20_000);
  expect(fights.settle(new Set(["a"]), none, 20_001).map(({ key }) => key)).toEqual(["b"]);
  expect(fights.all).toEqual([]);
});

test("what lies back further than ten seconds takes no memory", () => {
  const fights = new Fights();
  for (let i = 0; i < 1000; i++) fights.repaired(`route ${i}`, i);
  fights.settle(wanted, none, 20_000);
  expect(fights.repaired("route 1", 20_001)).toBeUndefined();
  expect(fights.repaired("route 1", 20_002)).toBeUndefined();
  expect(fights.repaired("route 1", 20_003)).toBeDefined();
});
