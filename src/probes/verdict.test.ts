// Owns the tests of verdicts.
import { expect, test } from "vitest";
import { judgeAnswer, noVerdict, THRESHOLDS } from "./verdict.ts";
import type { Verdict } from "./verdict.ts";

/** The verdicts after each answer: "+" came, "-" did not. Well is "w", ill is "i", not known is "?". */
function verdicts(answers: string): string {
  let verdict: Verdict = noVerdict();
  return answers
    .split("")
    .map((answer) => {
      verdict = judgeAnswer(verdict, answer === "+", THRESHOLDS);
      return verdict.well === undefined ? "?" : verdict.well ? "w" : "i";
    })
    .join("");
}

test.each([
  ["the first answer is enough", "+", "w"],
  ["the first silence is not", "---", "??i"],
  ["three in a row turn it", "+---", "wwwi"],
  ["two do not, however often", "+--+--+--+", "wwwwwwwwww"],
  ["and three bring it back", "---++-+++", "??iiiiiiw"],
])("%s", (_about, answers, expected) => {
  expect(verdicts(answers)).toBe(expected);
});
