// Owns the trial of several users' ways to the same addresses in a standing lab.
import { listOwners } from "./judge.ts";
import type { Lab } from "./lab.ts";
import { LabError } from "./lab-error.ts";
import type { StepOf } from "./step-schema.ts";
import { echoCommands, listWays, seeWay, wayCommand, WAY_PORT, type WaySeen } from "./ways.ts";

/** Tries all of them at once and tells what was seen. LabError when a tool does not work; no answer is a result. */
export async function tryWays(lab: Lab, step: StepOf<"ways">, signal?: AbortSignal): Promise<WaySeen[]> {
  const { from, to } = step.ways;
  const options = signal ? { signal } : {};
  const owners = listOwners(lab.links);
  await using stack = new AsyncDisposableStack();
  for (const address of [to].flat()) {
    const owner = owners.byAddress.get(address);
    if (!owner) throw new LabError(`no host of the lab has the address ${address}`);
    for (const { argv, protocol } of echoCommands(address)) {
      const ready =
        protocol === "tcp" ? { listens: { address, port: WAY_PORT } } : { bound: { address, port: WAY_PORT } };
      stack.use(await lab.spawn(owner.host, argv, { ...ready, ...options }));
    }
  }
  const watched = lab.links.filter(({ host }) => host === from);
  const capture = stack.use(await lab.capture(watched.map(({ host, name }) => ({ host, link: name }))));
  const ways = listWays(step, () => lab.nextNumber());
  const ends = await Promise.all(
    ways.map(async (way) => {
      const { argv, input } = wayCommand(way);
      const { as, cgroup } = way;
      const who = { ...(as !== undefined && { as }), ...(cgroup !== undefined && { cgroup }) };
      return lab.exec(from, argv, { ...who, ...options, ...(input !== undefined && { input }) });
    }),
  );
  const frames = await capture.take();
  return ways.map((way, index) => seeWay(way, ends[index] ?? { code: null, stdout: "" }, frames, owners));
}
