// Owns `heddle spread`: what the links of each section carry now; the controller; and a chart of links' rates.
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ControllerBusy, runSpreading } from "../../agent/spread-run.ts";
import { ROWS_MS } from "../../agent/watchers.ts";
import { readSentBytes } from "../../agent/spread-loop.ts";
import { readNotedFlows, readSpreading } from "../../host/bpf/spread-watch.ts";
import type { NotedFlow, SpreadNow } from "../../host/bpf/spread-watch.ts";
import { spreadPackets } from "../../host/bpf/spread.ts";
import type { Spreader } from "../../host/bpf/spread.ts";
import type { Host } from "../../host/host.ts";
import { openHost } from "../../host/kernel.ts";
import { isHeldByAgent, lockNamespace } from "../../host/ledger/lock.ts";
import { StateStore, statePaths } from "../../host/ledger/store.ts";
import { OWN_NAMESPACE } from "../../host/native.ts";
import { readFreshSignals, signalsFolder } from "../../host/signals.ts";
import { bucketOf, hashFlow } from "../../model/spread-hash.ts";
import { deadLinks } from "../../spread/far-ends.ts";
import { drawChart } from "../../spread/chart.ts";
import type { Series } from "../../spread/chart.ts";
import { reportMembers, unevennessOf } from "../../spread/report.ts";
import type { FlowReport, SpreadReport } from "../../spread/report.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { renderSpread } from "../render/spread.ts";

/** Options of `heddle spread`. */
export interface SpreadOptions {
  live?: true;
  seconds: string;
}

/** One packet of so many is noted for the largest flows. */
const NOTED = 64;
const MOST_FLOWS = 5;
const CLEAR = "\u001b[H\u001b[J";

/** Shows what each section's links carry, once or again and again. */
export async function spread(context: Context, options: SpreadOptions): Promise<ExitCode> {
  const seconds = secondsOf(options.seconds);
  if (seconds === undefined) return badSeconds(context, options.seconds);
  const spreader = spreadPackets({ namespace: OWN_NAMESPACE });
  const host = openHost();
  try {
    let before = await look(spreader, host);
    if (!before) return nothing(context);
    for (;;) {
      await sleep(seconds * 1000);
      const after = await look(spreader, host);
      if (!after) return nothing(context);
      const reports = after.spreads.map((now) => reportOf(now, before as Looked, after));
      if (context.options.json) context.sayJson({ spreads: reports, diagnostics: [] });
      else context.say(`${options.live ? CLEAR : ""}${renderSpread(reports, context.paint)}`);
      if (!options.live) return EXIT.ok;
      before = after;
    }
  } finally {
    host.close();
  }
}

const BUSY = {
  code: "busy",
  severity: "error",
  summary: "the buckets of this host are placed already",
  detail: "An agent runs, which places them, or another `heddle spread run`. Two would undo what the other does.",
  remedy: "Leave it to the agent (`heddle status` shows it), or end the other command first.",
} as const;

/** Runs the controller until SIGINT or SIGTERM; refuses where an agent or another one runs. */
export async function spreadRun(context: Context): Promise<ExitCode> {
  const ended = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => ended.abort());
  const { runFolder, cookie } = await StateStore.open(statePaths(context.options.state));
  // An agent begins to place as soon as its file asks for it.
  if (await agentRuns(cookie, runFolder)) return context.fail([BUSY], EXIT.busy);
  const folder = signalsFolder(runFolder, cookie);
  let rows = await readFreshSignals(folder);
  // Read beside the loop, which waits for no file.
  let look: () => void = () => {};
  const read = async (): Promise<void> => {
    rows = await readFreshSignals(folder);
    look();
  };
  const reading = setInterval(() => void read(), ROWS_MS).unref();
  const onBegin = (): void =>
    context.remark(
      "Spreading by load until it is told to end (SIGINT, SIGTERM); the programs go on by themselves then.",
    );
  const onSteps: Parameters<typeof runSpreading>[0]["onSteps"] = (steps) => {
    for (const step of steps) {
      if (context.options.json) context.sayJson(step);
      else if (step.up) context.say(`${step.spread}: members ${step.up.join(", ") || "none"} can carry`);
    }
  };
  const spreader = spreadPackets({ namespace: OWN_NAMESPACE });
  const known = (section: string): ReadonlySet<string> => deadLinks(rows, section);
  try {
    const heed = (found: () => void): void => void (look = found);
    await runSpreading({ spreader, cookie, runFolder, deadLinks: known, heed, onSteps, onBegin }, ended.signal);
    return EXIT.ok;
  } catch (error) {
    if (error instanceof ControllerBusy) return context.fail([BUSY], EXIT.busy);
    throw error;
  } finally {
    clearInterval(reading);
  }
}

/** Whether an agent holds the lock of the namespace. A command holds it for a moment only, which is nothing to it. */
async function agentRuns(cookie: string, runFolder: string): Promise<boolean> {
  const lock = await lockNamespace(cookie, runFolder);
  if (!lock) return isHeldByAgent(cookie, runFolder);
  await lock.release();
  return false;
}

/** Records what links send for some time, and draws it. */
export async function spreadChart(
  context: Context,
  options: { seconds: string; output: string; links?: string[]; title?: string },
): Promise<ExitCode> {
  const seconds = secondsOf(options.seconds);
  if (seconds === undefined) return badSeconds(context, options.seconds);
  const first = readSentBytes();
  const names = options.links ?? [...first.keys()].filter((name) => name !== "lo");
  const series = names.map((name) => ({ name, points: [] as { atMs: number; bytesPerSecond: number }[] }));
  const stepMs = Math.max(100, Math.min(1000, (seconds * 1000) / 300));
  let [before, at] = [first, performance.now()];
  const end = at + seconds * 1000;
  while (at < end) {
    await sleep(stepMs);
    const [sent, now] = [readSentBytes(), performance.now()];
    for (const { name, points } of series) {
      const bytes = (sent.get(name) ?? 0) - (before.get(name) ?? 0);
      points.push({ atMs: now, bytesPerSecond: (1000 * Math.max(0, bytes)) / (now - at) });
    }
    [before, at] = [sent, now];
  }
  writeFileSync(options.output, drawChart(options.title ?? "What the links send", series satisfies Series[]));
  if (context.options.json) context.sayJson({ output: options.output, series, diagnostics: [] });
  else context.say(`${options.output} written: ${names.join(", ")}, ${seconds} s.`);
  return EXIT.ok;
}

interface Looked {
  atMs: number;
  spreads: SpreadNow[];
  flows: NotedFlow[];
}

async function look(spreader: Spreader, host: Host): Promise<Looked | undefined> {
  const links = await host.links();
  using maps = spreader.open();
  if (!maps) return undefined;
  return { atMs: performance.now(), spreads: readSpreading(maps, links), flows: readNotedFlows(maps) };
}

function reportOf(now: SpreadNow, before: Looked, after: Looked): SpreadReport {
  const { name, mechanism, by, members: stated } = now.spec;
  const earlier = before.spreads.find(({ spec }) => spec.name === name) ?? now;
  const readings = [
    { ...earlier, atMs: before.atMs },
    { ...now, atMs: after.atMs },
  ] as const;
  const members = reportMembers(stated, now.up, ...readings);
  const unevenness = unevennessOf(members);
  return {
    name,
    mechanism,
    by,
    members,
    ...(unevenness === undefined ? {} : { unevenness }),
    moves: now.buckets.reduce((sum, { moves }) => sum + moves, 0),
    stoodIn: now.stoodIn,
    nobody: now.nobody,
    flows: topFlows(now, before, after),
  };
}

function topFlows(now: SpreadNow, before: Looked, after: Looked): FlowReport[] {
  const keyOf = ({ bytes: _bytes, ...flow }: NotedFlow): string => JSON.stringify(flow);
  const known = new Map(before.flows.map((flow) => [keyOf(flow), flow.bytes]));
  const seconds = Math.max(after.atMs - before.atMs, 1) / 1000;
  return after.flows
    .filter(({ spread: number }) => number === now.number)
    .map((flow): FlowReport => {
      const { source, destination, protocol, ports } = flow;
      const bucket = bucketOf(hashFlow(now.key, { source, destination, protocol, ...(ports ? { ports } : {}) }));
      const member = now.buckets[bucket]?.member;
      const link = now.spec.members.find(({ number }) => number === member)?.link;
      const bytes = NOTED * Math.max(0, flow.bytes - (known.get(keyOf(flow)) ?? 0));
      return {
        source,
        destination,
        protocol,
        ...(ports ? { ports } : {}),
        bytesPerSecond: bytes / seconds,
        bucket,
        ...(link === undefined ? {} : { link }),
      };
    })
    .filter(({ bytesPerSecond }) => bytesPerSecond > 0)
    .sort((a, b) => b.bytesPerSecond - a.bytesPerSecond)
    .slice(0, MOST_FLOWS);
}

function secondsOf(text: string): number | undefined {
  const seconds = Number(text);
  return text.trim() !== "" && seconds >= 0.1 && seconds <= 86_400 ? seconds : undefined;
}

function badSeconds(context: Context, text: string): ExitCode {
  const summary = `"${text}" is no number of seconds`;
  const remedy = "Write a number from 0.1 to 86400.";
  return context.fail([{ code: "usage", severity: "error", summary, remedy }], EXIT.usage, { spreads: [] });
}

function nothing(context: Context): ExitCode {
  const summary = "nothing is spread on this host by programs of heddle's";
  const remedy = "Write a section `spread` and apply it; what nexthop groups carry, `ip -s nexthop` tells.";
  return context.fail([{ code: "nothing-spread", severity: "error", summary, remedy }], EXIT.failed, { spreads: [] });
}
