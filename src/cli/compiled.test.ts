// Owns the proof that the program runs with the code that was kept of it, and without.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadProgram, programFiles } from "./compiled.ts";

let place = "";
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "heddle-compiled-"));
  writeFileSync(
    programFiles(place, "program").text,
    '(function (module, moduleUrl) { const answer = () => moduleUrl.slice(-11); module.exports.finished = Promise.resolve().then(() => { process.env["HEDDLE_TEST"] = answer(); }); })',
  );
});
afterEach(() => {
  rmSync(place, { recursive: true });
  delete process.env["HEDDLE_TEST"];
});

test("code that was taken after a run is used by the next", async () => {
  const cold = loadProgram(place, "program");
  expect(cold.isWarm).toBe(false);
  const before = cold.code().length;
  await cold.run();
  expect(process.env["HEDDLE_TEST"]).toBe("/program.js");
  const code = cold.code();
  // The functions that were called are in it, not only the outermost one.
  expect(code.length).toBeGreaterThan(before);
  writeFileSync(programFiles(place, "program").code, code);
  expect(loadProgram(place, "program").isWarm).toBe(true);
});

test("code that is none of its is passed over", async () => {
  writeFileSync(programFiles(place, "program").code, "no code at all");
  const program = loadProgram(place, "program");
  expect(program.isWarm).toBe(false);
  await program.run();
  expect(process.env["HEDDLE_TEST"]).toBe("/program.js");
});
