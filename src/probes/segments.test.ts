// Proves where hosts are taken to be: found, moved, gone, doubled, within bounds.
import { beforeEach, expect, test } from "vitest";
import { SEGMENT_MS, Segments } from "./segments.ts";

const A = "192.0.2.10";
let told: string[];
let segments: Segments;

beforeEach(() => {
  told = [];
  segments = new Segments(
    {
      ask: (address, side) => told.push(`ask ${address} ${side}`),
      changed: ({ address, side }, what) => told.push(`${what} ${address} ${side}`),
    },
    3,
  );
});

/** What was told since this was asked last. */
const said = (): string[] => told.splice(0);

function found(address = A): void {
  segments.wanted(address, 1, 0);
  segments.answered(address, 0, 10);
  said();
}

test("who is asked for is asked for on the other segment, not too often, and found where it answers", () => {
  segments.wanted(A, 1, 0);
  segments.wanted(A, 1, SEGMENT_MS.seek - 1);
  expect(said()).toEqual([`ask ${A} 0`]);
  segments.wanted(A, 1, SEGMENT_MS.seek);
  segments.answered(A, 0, 300);
  expect(said()).toEqual([`ask ${A} 0`, `found ${A} 0`]);
  segments.wanted(A, 1, 5000);
  expect(said()).toEqual([]);
});

test("an answer that nobody asked for says nothing", () => {
  segments.answered(A, 0, 0);
  segments.failed(A, 0, 0);
  expect([said(), [...segments.hosts]]).toEqual([[], []]);
});

test("who answers elsewhere has moved when the place before is silent", () => {
  found();
  segments.present(A, 1, 1000);
  segments.answered(A, 1, 1010);
  expect(said()).toEqual([`ask ${A} 1`, `ask ${A} 0`]);
  segments.tick(1010 + SEGMENT_MS.rival - 1);
  expect(said()).toEqual([]);
  segments.tick(1010 + SEGMENT_MS.rival);
  expect(said()).toEqual([`moved ${A} 1`]);
});

test("who says elsewhere that it is there is asked at once, however short ago it was asked for", () => {
  segments.wanted(A, 1, 0);
  segments.answered(A, 0, 10);
  said();
  segments.present(A, 1, 20);
  expect(said()).toEqual([`ask ${A} 1`]);
});

test("a question that ends soon after another began is asked once more, and no more than that", () => {
  found();
  segments.present(A, 1, 1000);
  segments.failed(A, 1, 1005);
  expect(said()).toEqual([`ask ${A} 1`, `ask ${A} 1`]);
  segments.failed(A, 1, 4005);
  expect(said()).toEqual([]);
});

test("sooner when the kernel has asked in vain", () => {
  found();
  segments.answered(A, 1, 1000);
  segments.failed(A, 0, 1200);
  expect(said()).toEqual([`ask ${A} 0`, `moved ${A} 1`]);
});

test("who answers in both places is left alone, until it answers in one", () => {
  found();
  segments.answered(A, 1, 1000);
  segments.answered(A, 0, 1100);
  segments.answered(A, 1, 1200);
  segments.present(A, 1, 1300);
  expect(said()).toEqual([`ask ${A} 0`, `doubled ${A} 0`]);
  segments.tick(1100 + SEGMENT_MS.doubled);
  segments.answered(A, 1, 11_200);
  expect(said()).toEqual([`ask ${A} 0`, `ask ${A} 1`, `found ${A} 1`]);
});

test("who is silent is asked again, and is gone after a while", () => {
  found();
  segments.tick(10 + SEGMENT_MS.fresh);
  segments.tick(11 + SEGMENT_MS.fresh);
  expect(said()).toEqual([`ask ${A} 0`]);
  segments.tick(10 + SEGMENT_MS.gone);
  expect(said()).toEqual([`gone ${A} 0`]);
  segments.tick(10 + 2 * SEGMENT_MS.gone);
  expect([...segments.hosts]).toEqual([]);
});

test("who was only asked for makes room, who is there does not", () => {
  for (const address of ["192.0.2.11", "192.0.2.12"]) found(address);
  for (let i = 100; i < 120; i++) segments.wanted(`192.0.2.${i}`, 0, i);
  expect([...segments.hosts].map(({ address }) => address)).toEqual(["192.0.2.11", "192.0.2.12", "192.0.2.119"]);
  found("192.0.2.13");
  segments.wanted(A, 0, 1);
  expect([...segments.hosts].map(({ state }) => state)).toEqual(["found", "found", "found"]);
});
