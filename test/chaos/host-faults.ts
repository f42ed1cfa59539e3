// Owns the faults of the host beside its network: programs, control groups, names, disks, and processes that are killed.
import { readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../random.ts";
import type { Draw, Fault } from "./faults.ts";
import { GROUP, NO_NET } from "./world.ts";
import type { World } from "./world.ts";

export const HOST_FAULTS: readonly { weight: number; draw: Draw }[] = [
  // Programs.
  { weight: 3, draw: (random) => pinRemoved(random) },
  { weight: 1, draw: (random) => pinsRemoved(random) },
  { weight: 3, draw: (random) => detached(random) },
  // Control groups.
  { weight: 3, draw: (random) => groupGone(random.chance(0.5), random.chance(0.5)) },
  // Names, disks.
  { weight: 2, draw: () => namesGone() },
  { weight: 2, draw: () => diskFull() },
  { weight: 1, draw: () => diskFree() },
  // Processes.
  { weight: 2, draw: () => agentKilled() },
  { weight: 1, draw: (random) => agentStopped(random.below(200)) },
  { weight: 1, draw: (random) => commandKilled(random) },
  { weight: 1, draw: (random) => commandKilledAlone(random) },
];

/** One of the pins, which differ in number from time to time: the place of it among them, from 0 to 1. */
function pinAt({ agent }: World, place: number): string | undefined {
  const pins = agent.pins().toSorted();
  return pins[Math.floor(place * pins.length)];
}

function pinRemoved(random: Random): Fault {
  const place = random.below(1000) / 1000;
  return {
    text: `a pin is removed (${place})`,
    do: async (world) => {
      const pin = pinAt(world, place);
      if (pin !== undefined) rmSync(pin, { force: true });
    },
  };
}

function pinsRemoved(random: Random): Fault {
  const place = random.below(1000) / 1000;
  return {
    text: `a pin is removed with its folder (${place})`,
    do: async (world) => {
      const pin = pinAt(world, place);
      if (pin !== undefined) rmSync(dirname(pin), { recursive: true, force: true });
    },
  };
}

function detached(random: Random): Fault {
  const place = random.below(1000) / 1000;
  return {
    text: `the link behind a pin is detached (${place})`,
    do: async (world) => {
      const pin = pinAt(world, place);
      try {
        if (pin !== undefined) world.agent.detach(pin);
      } catch {
        // It has gone in this moment, was detached before, or is a program.
      }
    },
  };
}

/** The chosen control group goes, with the one above it or without, and is made anew now or when the burst is over. */
function groupGone(deep: boolean, back: boolean): Fault {
  return {
    text: `the control group ${deep ? "and the one above it go" : "goes"}${back ? " and comes back" : ""}`,
    do: async (world) => {
      for (let path = GROUP; path !== "."; path = dirname(path)) {
        removeGroup(world.group(path));
        if (!deep) break;
      }
      if (back) await world.makeGroup();
    },
  };
}

/** A control group in which somebody still is stays. */
function removeGroup(path: string): void {
  try {
    rmdirSync(path);
  } catch (error) {
    if (!["ENOENT", "EBUSY", "ENOTEMPTY"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** The name service knows none of the users; their numbers stay what they were. */
function namesGone(): Fault {
  return {
    text: "the name service knows nobody",
    do: async ({ passwd }) => {
      const text = readFileSync(passwd, "utf8");
      writeFileSync(passwd, text.replace(/^(alice|bob|carol):/gm, "x-$1:"));
    },
  };
}

/** The name service is up again. */
export function namesBack({ passwd }: World): void {
  const text = readFileSync(passwd, "utf8");
  if (text.includes("x-")) writeFileSync(passwd, text.replaceAll(/^x-/gm, ""));
}

function diskFull(): Fault {
  return { text: "the disk is full", do: async (world) => world.fillDisk() };
}

function diskFree(): Fault {
  return { text: "the disk has room", do: async (world) => world.freeDisk() };
}

function agentKilled(): Fault {
  return {
    text: "the agent is killed and started again",
    do: async (world) => {
      await world.agent.end();
      await world.agent.start(...NO_NET);
    },
  };
}

/** It stands still while things happen, as on a machine without time for it. */
function agentStopped(ms: number): Fault {
  return {
    text: `the agent stands still for ${ms} ms`,
    do: async ({ agent }) => {
      const { pid } = agent;
      if (pid === 0) return;
      process.kill(pid, "SIGSTOP");
      await sleep(ms);
      process.kill(pid, "SIGCONT");
    },
  };
}

/** A command is killed while it asks the agent. */
function commandKilled(random: Random): Fault {
  const ms = random.below(250);
  return { text: `an apply is killed after ${ms} ms`, do: (world) => killed(world, ms, ["apply"]) };
}

/** A command is killed while it does the work itself, no agent being there; then the agent starts. */
function commandKilledAlone(random: Random): Fault {
  const ms = 50 + random.below(300);
  const word = random.pick(["apply", "remove --force", "apply --confirm 1"]);
  return {
    text: `the agent is killed, a \`${word}\` after ${ms} ms, and the agent started`,
    do: async (world) => {
      await world.agent.end();
      world.freeDisk();
      await killed(world, ms, word.split(" "));
      // A removal that came through has confirmed that there is nothing, and forgotten the numbers.
      if (word.startsWith("remove")) world.owes = "anew";
      // Without others' rules the kernel may refuse it now.
      const { code } = await world.heddle("apply", "--force");
      if (code !== 0 && code !== 3) world.owes ??= "apply";
      await world.agent.start(...NO_NET);
    },
  };
}

async function killed(world: World, ms: number, words: readonly string[]): Promise<void> {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), ms);
  try {
    await world.heddleUntil(abort.signal, ...words);
  } finally {
    clearTimeout(timer);
  }
}
