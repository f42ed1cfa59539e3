// Owns the proof that what the kernel sends for a chosen connection whose process is gone goes the chosen way: the data
// that is left, its repetitions, the last acknowledgements, resets. Control: by the owner alone, it goes another way.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Lab } from "../src/lab/lab.ts";
import { CHOSEN, upEgressLab } from "./egress-lab.ts";
import { ConnectionProgram, countFrames, ENDINGS, WITHOUT_SOCKET } from "./endings/endings.ts";
import type { Ending } from "./endings/endings.ts";
import { BPF, BPF_ALONE, MECHANISMS, SKUID, takeDown } from "./endings/mechanisms.ts";
import type { Mechanism } from "./endings/mechanisms.ts";

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

async function up(mechanism: Mechanism): Promise<void> {
  await takeDown(lab);
  await mechanism.up(lab);
}

function mechanismOf(name: string): Mechanism {
  const mechanism = MECHANISMS.find((one) => one.name === name);
  if (!mechanism) throw new Error(`there is no mechanism ${name}`);
  return mechanism;
}

describe.each(MECHANISMS.filter(({ name }) => name.startsWith("heddle") && name !== BPF_ALONE.name))(
  "$name",
  (mechanism) => {
    beforeEach(() => up(mechanism));
    test.each(ENDINGS)("no frame goes another way when the process $name", async (ending) => {
      const { frames, wrong } = await countFrames(lab, program.path, mechanism, ending);
      expect(wrong).toBe(0);
      expect(frames).toBeGreaterThan(3);
    });
    test.each(WITHOUT_SOCKET.flatMap((ending) => ([4, 6] as const).map((family) => ({ ending, family }))))(
      "over IPv$family no frame goes another way when the process $ending.name",
      async ({ ending, family }) => {
        const { frames, wrong } = await countFrames(lab, program.path, mechanism, ending, { family });
        expect(wrong).toBe(0);
        expect(frames).toBeGreaterThan(3);
      },
    );
  },
);

test("the control: marked by the owner alone, frames do go another way", async () => {
  const mechanism = mechanismOf(SKUID);
  await up(mechanism);
  // A reset is sent while the socket has an owner, or by the far end: of those endings the control need not lose any.
  const ownerless = ENDINGS.filter(({ name }) => !name.includes("resets"));
  expect(ownerless.length).toBe(4);
  for (const ending of ownerless) {
    expect((await countFrames(lab, program.path, mechanism, ending)).byAnother, ending.name).toBeGreaterThan(0);
  }
});

describe("resets of connections that no socket knows any more", () => {
  test.each([4, 6] as const)(
    "the control: without the table that remembers them they go another way (IPv%i)",
    async (family) => {
      await up(BPF_ALONE);
      for (const ending of WITHOUT_SOCKET) {
        const { byAnother } = await countFrames(lab, program.path, BPF_ALONE, ending, { family });
        expect(byAnother, ending.name).toBeGreaterThan(0);
      }
    },
  );

  test.each([BPF, "heddle, by: nftables"])(
    "%s: those of somebody else's connection from a remembered address and port are left alone",
    async (name) => {
      const mechanism = mechanismOf(name);
      await up(mechanism);
      const [ending] = WITHOUT_SOCKET as readonly [Ending];
      const opening = { from: { address: CHOSEN[4], port: 40_000 }, to: lab.nextNumber() };
      const chosen = await countFrames(lab, program.path, mechanism, ending, opening);
      expect(chosen).toMatchObject({ byAnother: 0, withAnother: 0 });
      const other = await countFrames(lab, program.path, mechanism, ending, { ...opening, as: "bob" });
      expect(other).toMatchObject({ byAnother: other.frames, withAnother: 0 });
      expect(other.frames).toBeGreaterThan(3);
    },
  );
});
