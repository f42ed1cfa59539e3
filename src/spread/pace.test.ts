// Proves when the controller measures: at a steady pace while bytes flow, seldom while none do, and how late it wakes,
// where the programs tell of traffic and where they do not.
import { expect, test } from "vitest";
import { GLANCE_MS, LISTEN_MS, SpreadPace } from "./pace.ts";

/** Runs the pace from one moment to another as the controller does. Gives the moments of glances and of readings. */
function run(pace: SpreadPace, fromMs: number, untilMs: number, carried: (nowMs: number) => number, listens = false) {
  const glances: number[] = [];
  const readings: number[] = [];
  for (let now = fromMs; now < untilMs; now += pace.waitMs(now, listens)) {
    glances.push(now);
    pace.note(carried(now), now);
    if (!pace.isDue(now)) continue;
    pace.stepped(now);
    readings.push(now);
  }
  return { glances, readings };
}

const nothing = (): number => 0;

test("while bytes flow it reads ten times a second", () => {
  const { readings } = run(new SpreadPace(0), 0, 60_000, (now) => now * 1000);
  expect(readings).toHaveLength(600);
});

test("when nothing flows for ten seconds it glances twice a second and reads every two", () => {
  const pace = new SpreadPace(0);
  run(pace, 0, 20_000, nothing);
  const { glances, readings } = run(pace, 20_000, 80_000, nothing);
  expect([glances.length, readings.length]).toEqual([120, 30]);
});

test("small talk does not wake it, a flow does within a glance, and so does anything else that changes", () => {
  const pace = new SpreadPace(0);
  run(pace, 0, 20_000, nothing);
  const talk = run(pace, 20_000, 50_000, (now) => (now - 20_000) * 10);
  expect(talk.readings).toHaveLength(15);
  const begun = 50_001;
  const flow = run(pace, 50_000, 53_000, (now) => 300_000 + Math.max(0, now - begun) * 1000);
  const first = flow.readings.find((now) => now > begun) ?? Infinity;
  expect(first - begun).toBeLessThanOrEqual(GLANCE_MS);
  expect(flow.readings.filter((now) => now >= first)).toEqual(flow.glances.filter((now) => now >= first));
  run(pace, 60_000, 90_000, () => 10_000_000);
  expect(pace.isAwake(90_000)).toBe(false);
  pace.wake(90_000);
  expect(pace.isDue(90_000)).toBe(true);
});

test("where the programs tell, it looks and reads every thirty seconds", () => {
  const pace = new SpreadPace(0);
  run(pace, 0, 20_000, nothing, true);
  const { glances, readings } = run(pace, 20_000, 20_000 + 10 * LISTEN_MS, nothing, true);
  expect([glances.length, readings.length]).toEqual([10, 10]);
});

test("what it is told of is read at once; a flow is then measured, and small talk of minutes is not", () => {
  const pace = new SpreadPace(0);
  run(pace, 0, 20_000, nothing, true);
  const first = pace.untoldBytes;
  pace.told(60_000);
  const talk = run(pace, 60_000, 60_000 + LISTEN_MS, () => first + 1, true);
  expect(talk.readings).toEqual([60_000, 60_100, 60_200, 60_300, 60_400]);
  expect(pace.rests(60_400)).toBe(true);
  expect(pace.untoldBytes).toBe(2 * first);
  pace.told(100_000);
  const flow = run(pace, 100_000, 105_000, (now) => 2 * first + (now - 100_000) * 1000, true);
  expect(flow.readings).toHaveLength(50);
  expect(pace.rests(105_000)).toBe(false);
  expect(pace.untoldBytes).toBe(first);
});

test("the more talk it is told of, the more it takes to be told, within bounds", () => {
  const pace = new SpreadPace(0);
  run(pace, 0, 20_000, nothing, true);
  const first = pace.untoldBytes;
  const asked = [1, 2, 3, 4, 5].map((time) => {
    pace.told(100_000 * time);
    return pace.untoldBytes / first;
  });
  expect(asked).toEqual([2, 4, 8, 8, 8]);
});

test("counters that begin anew wake it", () => {
  const pace = new SpreadPace(0);
  run(pace, 0, 20_000, () => 5);
  pace.note(0, 20_000);
  expect(pace.isAwake(20_000)).toBe(true);
});
