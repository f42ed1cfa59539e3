// Proves which claims of addresses are passed on, and which answers object to them.
import { beforeEach, expect, test } from "vitest";
import { CLAIM_MS, Claims, MOST_CLAIMS } from "./claims.ts";

const A = "2001:db8::10";
let claims: Claims;

beforeEach(() => {
  claims = new Claims();
});

test("a claim is passed on, and who has the address on the other segment objects once", () => {
  expect(claims.claimed(A, 0, 0)).toBe(true);
  // Its own segment hears that by itself.
  expect(claims.objects(A, 0, 10)).toBe(false);
  expect(claims.objects("2001:db8::11", 1, 10)).toBe(false);
  expect(claims.objects(A, 1, 20)).toBe(true);
  expect(claims.objects(A, 1, 30)).toBe(false);
});

test("one that comes back from the other segment goes no further", () => {
  claims.claimed(A, 0, 0);
  expect(claims.claimed(A, 1, 1)).toBe(false);
  expect(claims.claimed(A, 0, 2)).toBe(false);
  // The objection still goes where the claim came from.
  expect(claims.objects(A, 1, 3)).toBe(true);
});

test("who claims again is passed on again, and what is late is no objection", () => {
  claims.claimed(A, 0, 0);
  expect(claims.claimed(A, 0, CLAIM_MS.once)).toBe(true);
  expect(claims.objects(A, 1, CLAIM_MS.once + CLAIM_MS.open)).toBe(false);
});

test("there are so many at once, and room when their time is over", () => {
  const name = (i: number): string => `2001:db8::${i.toString(16)}`;
  for (let i = 0; i < MOST_CLAIMS; i++) expect(claims.claimed(name(i), 0, i)).toBe(true);
  expect(claims.claimed("2001:db8::ffff", 0, MOST_CLAIMS)).toBe(false);
  expect(claims.claimed("2001:db8::ffff", 0, CLAIM_MS.open)).toBe(true);
});
