// Owns the proof that what the kernel sends for a chosen connection whose process is gone goes the chosen way: the data
// that is left, its repetitions, the last acknowledgements, resets. Control: by the owner alone, it goes another way.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Lab } from "../src/lab/lab.ts";
import { upEgressLab } from "./egress-lab.ts";
import { ConnectionProgram, countFrames, ENDINGS } from "./endings/endings.ts";
import { MECHANISMS, SKUID, takeDown } from "./endings/mechanisms.ts";

let lab: Lab;
let program: ConnectionProgram;
beforeAll(async () => {
  program = new ConnectionProgram();
  lab = await upEgressLab("endings");
}, 60_000);
afterAll(async () => {
  program[Symbol.dispose]();
  await lab.down();
});

describe.each(MECHANISMS.filter(({ name }) => name.startsWith("heddle")))("$name", (mechanism) => {
  beforeEach(async () => {
    await takeDown(lab);
    await mechanism.up(lab);
  });
  test.each(ENDINGS)("no frame goes another way when the process $name", async (ending) => {
    const { frames, wrong } = await countFrames(lab, program.path, mechanism, ending);
    expect(wrong).toBe(0);
    expect(frames).toBeGreaterThan(3);
  });
});

test("the control: marked by the owner alone, frames do go another way", async () => {
  const mechanism = MECHANISMS.find(({ name }) => name === SKUID);
  if (!mechanism) throw new Error("the control is missing");
  await takeDown(lab);
  await mechanism.up(lab);
  // A reset is sent while the socket has an owner, or by the far end: of those endings the control need not lose any.
  const ownerless = ENDINGS.filter(({ name }) => !name.includes("resets"));
  expect(ownerless.length).toBe(4);
  for (const ending of ownerless) {
    expect((await countFrames(lab, program.path, mechanism, ending)).byAnother, ending.name).toBeGreaterThan(0);
  }
});
