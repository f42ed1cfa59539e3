// Owns the running of iproute2 batches and sysctl(8) for the lab, with the refused line's place in the topology.
import { must, run, type RunOptions } from "./child.ts";
import { LabError } from "./lab-error.ts";
import { namespacePath } from "./names.ts";
import type { BatchLine } from "./batches.ts";
import type { Topology } from "./topology.ts";

/** Runs the lines in one process, in order, up to the first that fails: LabError that says which and where. */
export async function runBatch(
  topology: Topology,
  namespace: string,
  lines: readonly BatchLine[],
  options: RunOptions & { family?: 4 | 6 },
): Promise<void> {
  if (lines.length === 0) return;
  const { family, ...rest } = options;
  const input = lines.map(({ line }) => `${line}\n`).join("");
  const argv = ["ip", ...(family ? [`-${family}`] : []), "-n", namespace, "-batch", "-"];
  const ended = await run(argv, { ...rest, input });
  if (ended.code === 0) return;
  const number = /Command failed -:(\d+)/.exec(ended.stderr)?.[1];
  const failed = number === undefined ? undefined : lines[Number(number) - 1];
  const said = ended.stderr.replace(/Command failed -:\d+\s*$/, "").trim();
  throw new LabError(`ip ${failed?.line ?? argv.slice(1).join(" ")}: ${said}`, {
    ...(failed && { range: topology.rangeOf(failed.path) }),
  });
}

/** Sets sysctls of a namespace, given as `path=value`. LabError with sysctl's words when one is refused. */
export async function setSysctls(namespace: string, settings: readonly string[], options: RunOptions): Promise<void> {
  if (settings.length === 0) return;
  // /proc/sys/net shows the network namespace of whoever looks: a child that has entered it has to write.
  await must(["nsenter", `--net=${namespacePath(namespace)}`, "--", "sysctl", "-q", "-w", ...settings], options);
}
