import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalText, fingerprint, isSameData } from "./canonical.ts";

const leaf = fc.constantFrom<unknown>(0, 1, "a", "b", true, undefined, []);
const spec = fc.dictionary(
  fc.constantFrom("a", "b", "c"),
  fc.oneof(
    leaf,
    fc.array(
      leaf.filter((one) => one !== undefined),
      { maxLength: 2 },
    ),
    fc.dictionary(fc.constantFrom("x", "y"), leaf),
  ),
);

it("finds equal what has one text, and nothing else", () => {
  fc.assert(
    fc.property(spec, spec, (a, b) => {
      expect(isSameData(a, b)).toBe(canonicalText(a) === canonicalText(b));
      expect(isSameData(a, structuredClone(a))).toBe(true);
    }),
    { numRuns: 5000 },
  );
});

it("gives texts that differ fingerprints that differ", () => {
  const texts = Array.from(
    { length: 100_000 },
    (_, i) => `{"to":"10.${i >> 16}.${(i >> 8) & 255}.${i & 255}/32","table":100}`,
  );
  expect(new Set(texts.map(fingerprint)).size).toBe(texts.length);
});
