// Owns one burst of faults: drawn from a seed, done to a world, and judged when everybody else has put back what was theirs.
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../random.ts";
import { NETWORK_FAULTS, renamedBack } from "./faults.ts";
import type { Draw, Fault } from "./faults.ts";
import { CLOCK_FAULTS } from "./clock-faults.ts";
import { HOST_FAULTS, namesBack } from "./host-faults.ts";
import { LINKS } from "./world.ts";
import type { ForeignThing, State, World } from "./world.ts";

/** Faults of a burst: many that come over each other, or few, so that none is healed by the look for another. */
const MANY = 60;
const FEW = 3;
/** Longest rest of an object that is fought over, and what comes after it. */
const CEILING_MS = 150_000;
/** Longest time for a repair while nothing rests, on a machine that is busy with other things. */
const PATIENCE_MS = 30_000;

/** A fault with the pause before it. */
export interface Turn extends Fault {
  pauseMs: number;
}

/** How a burst ended: nothing was wrong where `wrong` is absent. */
export interface Verdict {
  faults: number;
  /** Until the host was whole after everything was put back, milliseconds. */
  healedMs: number;
  wrong?: string;
}

const SORTS: readonly Draw[] = [...NETWORK_FAULTS, ...HOST_FAULTS, ...CLOCK_FAULTS].flatMap(({ weight, draw }) =>
  Array.from({ length: weight }, () => draw),
);

/** The faults of a seed; `only` keeps some of them, by their place. */
export function drawBurst(seed: number, only?: readonly number[]): Turn[] {
  const random = new Random(seed);
  const all = Array.from({ length: 1 + random.below(random.chance(0.5) ? MANY : FEW) }, (): Turn => {
    const pauseMs = random.chance(0.5) ? 0 : random.below(40);
    return { ...random.pick(SORTS)(random), pauseMs };
  });
  return only ? all.filter((_, place) => only.includes(place)) : all;
}

/** Does the faults, and waits until the host is whole. */
export async function suffer(world: World, burst: readonly Turn[]): Promise<Verdict> {
  const faults = burst.length;
  try {
    for (const turn of burst) {
      if (turn.pauseMs > 0) await sleep(turn.pauseMs);
      await turn.do(world);
    }
    await settle(world, burst);
    const began = performance.now();
    const wrong = await heal(world, { takesLinks: burst.some(takesLinks), asksHeddle: faults % 4 === 0 });
    const healedMs = performance.now() - began;
    return { faults, healedMs, ...(wrong === undefined ? {} : { wrong }) };
  } catch (error) {
    return { faults, healedMs: 0, wrong: (error as Error).stack ?? String(error) };
  }
}

/** Everybody else puts back what was theirs; what is heddle's is heddle's to put back. */
async function settle(world: World, burst: readonly Turn[]): Promise<void> {
  world.freeDisk();
  namesBack(world);
  for (const name of LINKS) {
    await world.switchPort(name, "up");
    await world.ip(4, ...renamedBack(name), `link set ${name} up`);
  }
  await world.putBack(new Set<ForeignThing>(burst.flatMap(({ takes = [] }) => takes)));
  // Carrier comes late; only then the routes of others can stand there again.
  if (burst.some(takesLinks)) await world.putBack(new Set(["links"]));
  // Last, so that nothing else makes the agent look.
  await world.makeGroup();
  await payDebts(world);
}

/** Does again what a burst undid. */
async function payDebts(world: World): Promise<void> {
  if (world.owes === undefined) return;
  if (world.owes === "anew") await world.heddle("remove", "--force");
  // Without its last IPv4 address the kernel drops every IPv4 route of a link; their owners see that as a link that went.
  if (world.owes === "anew") await world.putBack(new Set(["links"]));
  const { code, stdout, stderr } = await world.heddle("apply", "--force");
  if (code !== 0 && code !== 3) throw new Error(`apply ends with ${code}:\n${stdout}${stderr}`);
  world.owes = undefined;
}

function takesLinks({ takes }: Turn): boolean {
  return takes?.includes("links") ?? false;
}

/** What matters of a burst when it is over. */
interface Aftermath {
  /** It took routes of others along that hang on links. */
  takesLinks: boolean;
  /** Whether heddle has to agree as well. */
  asksHeddle: boolean;
}

/** Waits until all is as it was. Gives what is not, when it takes too long. */
async function heal(world: World, aftermath: Aftermath): Promise<string | undefined> {
  let owesRoutes = aftermath.takesLinks;
  const began = performance.now();
  const end = began + CEILING_MS;
  let restedAt = began;
  let state: State = { ours: [], theirs: [] };
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 1.5, 1000)) {
    state = await world.look();
    const [ours, theirs] = [differences(world.whole.ours, state.ours), differences(world.whole.theirs, state.theirs)];
    const isWhole = ours.length + theirs.length === 0 && (await world.marks()) === world.marked;
    // A gateway may be found not to answer only now, of what happened to its link before.
    if (isWhole && (!aftermath.asksHeddle || (await world.heddle("plan")).code === 0)) break;
    // An address of heddle's that moves while its link gets its name back takes others' routes along, and their owners hear it.
    if (ours.length === 0 && theirs.length > 0 && owesRoutes) {
      owesRoutes = false;
      await world.putBack(new Set(["links"]));
    }
    const now = performance.now();
    if ((await world.status())?.standing.some(({ restsS }) => restsS > 0)) restedAt = now;
    if (now > end || now > restedAt + PATIENCE_MS) return notWhole(world, state, now - began);
    await sleep(pauseMs);
  }
  const status = await world.status();
  if (!status) return "the agent does not answer";
  if (status.troubles.length > 0) return `the agent has troubles: ${status.troubles.join("; ")}`;
  return undefined;
}

async function notWhole(world: World, state: State, ms: number): Promise<string> {
  const status = await world.status();
  const plan = await world.heddle("plan");
  const lines = [
    `not whole after ${(ms / 1000).toFixed(0)} s:`,
    ...differences(world.whole.ours, state.ours),
    ...differences(world.whole.theirs, state.theirs).map((line) => `(of others) ${line}`),
    `marks ${await world.marks().catch(String)}, before ${world.marked}`,
    `plan: ${plan.stdout}${plan.stderr}`,
    `status: ${JSON.stringify({ ...status, file: undefined })}`,
    `log: ${world.agent.said.slice(-3000)}`,
  ];
  return lines.join("\n");
}

/** Lines that are missing (-) and that are too many (+). */
function differences(before: readonly string[], now: readonly string[]): string[] {
  const left = [...now];
  const missing = before.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return [...missing.map((line) => `- ${line}`), ...left.map((line) => `+ ${line}`)];
}
