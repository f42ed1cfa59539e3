// Owns the proof of when the agent looks: at once for what concerns it, seldom for noise, and always some time.
import { expect, test } from "vitest";
import { Pace } from "./pace.ts";
import type { Hint } from "./pace.ts";

const NET = 300_000;
const urgent: Hint = { changed: "route", urgency: "urgent" };
const calm: Hint = { changed: "address", urgency: "calm" };

test("without a word nothing is looked at but for the safety net, and then everything", () => {
  const pace = new Pace(NET, 0);
  expect(pace.due()).toBe(NET);
  const occasion = pace.take(NET);
  expect([...occasion.changed]).toEqual(["everything"]);
  expect(occasion.since).toBeUndefined();
  expect(pace.due()).toBe(2 * NET);
});

test("a burst is one look: shortly after its last event, at the latest 10 ms after the first", () => {
  const pace = new Pace(NET, 0);
  pace.note(urgent, 1000);
  expect(pace.due()).toBe(1002);
  pace.note({ changed: "rule", urgency: "urgent", link: "ib0" }, 1001);
  expect(pace.due()).toBe(1003);
  for (let at = 1002; at < 1020; at++) pace.note(urgent, at);
  expect(pace.due()).toBe(1010);
  const { changed, links, since } = pace.take(1010);
  expect([[...changed], [...links], since]).toEqual([["route", "rule"], ["ib0"], 1000]);
  expect(pace.due()).toBe(NET);
});

test("a storm of calm events costs a tenth of the time, and what is urgent does not wait for it", () => {
  const pace = new Pace(NET, 0);
  let looking = 0;
  let now = 1000;
  for (; now < 11_000; now += 1) {
    pace.note(calm, now);
    if (pace.due() > now) continue;
    pace.take(now);
    looking += 50;
    now += 50;
    pace.ended(now, 50);
  }
  expect(looking).toBeLessThanOrEqual(1000);
  expect(looking).toBeGreaterThan(500);
  pace.note(urgent, now);
  expect(pace.due() - now).toBeLessThanOrEqual(50);
});

test("rest has a ceiling, however long a look takes", () => {
  const pace = new Pace(NET, 0);
  const after = (hint: Hint): number => {
    pace.take(1000);
    pace.ended(4000, 3000);
    pace.note(hint, 4000);
    return pace.due() - 4000;
  };
  expect(after(urgent)).toBe(100);
  expect(after({ changed: "everything", urgency: "lost" })).toBe(1000);
  expect(after(calm)).toBe(5000);
});

test("a whole look for another reason puts the safety net off", () => {
  const pace = new Pace(NET, 0);
  pace.note({ changed: "everything", urgency: "lost" }, 1000);
  pace.take(1002);
  expect(pace.due()).toBe(1002 + NET);
  pace.note(urgent, 2000);
  pace.take(2002);
  expect(pace.due()).toBe(1002 + NET);
});
