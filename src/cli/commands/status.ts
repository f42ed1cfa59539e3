// Owns `heddle status`: is the host as the file says, section by section?
import { AgentRefusal } from "../../agent/api/client.ts";
import { lookAndPlan } from "../../agent/look.ts";
import type { Look } from "../../agent/look.ts";
import type { Host } from "../../host/host.ts";
import { secondsSinceBoot } from "../../host/signals.ts";
import { sayAge } from "../../model/age.ts";
import type { GatewaySignal, ProbeSignal, Signal } from "../../model/signals.ts";
import type { SocketCounts } from "../../model/socket-marks.ts";
import { isWaiting } from "../../agent/waiting.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { planJson, renderPlan, summarize } from "../render/plan.ts";
import { fromAgent } from "../ask.ts";
import { besideTheFile, renderAgent } from "../render/agent.ts";
import { openSession } from "../session.ts";

/** How one section stands. */
interface SectionState {
  section: string;
  state: "in place" | "differs" | "waiting" | "not applied";
  inPlace: number;
  wanted: number;
  tables: Record<string, number>;
  /** Of a gateway of several: which part it plays. */
  gateway?: GatewaySignal;
  /** Of a section that has far ends asked: what was told of them last. */
  probes?: ProbeSignal[];
  /** Of a section that marks sockets: connections with its mark, and older ones of the same owners without it. */
  connections?: SocketCounts;
}

/** Compares the kernel with the file and tells where they differ. */
export async function status(context: Context): Promise<ExitCode> {
  const { config, diagnostics } = await context.readConfig();
  if (!config) return context.fail(diagnostics);
  await using session = await openSession(context);
  const outcome = await lookAndPlan(config, session.host, session.memory, session.trace);
  const said = [...diagnostics, ...session.diagnostics, ...outcome.diagnostics];
  if (!outcome.look) return context.fail(said);

  const { plan, intent } = outcome.look;
  const counts = await countConnections(outcome.look, session.host);
  const sections = intent.sections.map(({ owner, view }) => ({
    ...sectionState(owner, view.tables, outcome.look as Look),
    ...connectionsOf(view.marks, counts),
    ...gatewayOf(owner, session.memory.signals ?? []),
    ...probesOf(owner, session.memory.signals ?? []),
  }));
  const agent = await fromAgent(session.store, (client) => client.status()).catch((error: unknown) => {
    if (!(error instanceof AgentRefusal)) throw error;
    said.push(...error.diagnostics);
    return undefined;
  });
  said.push(...(await besideTheFile(context, session, agent)));
  if (context.options.json) {
    context.sayJson({ sections, ...planJson(plan), ...(agent ? { agent } : {}), diagnostics: said });
  }
  context.report(said);
  if (!context.options.json) {
    for (const state of sections) context.say(renderSection(state, context));
    const rest = renderPlan(plan, context.paint);
    if (rest) context.say(`\nThe kernel differs from the file (${summarize(plan)}):\n${rest}`);
    if (agent) context.say(`\n${renderAgent(agent)}`);
  }
  if (plan.steps.length > 0) return EXIT.changes;
  return isWaiting(outcome.look, said) ? EXIT.waiting : EXIT.ok;
}

function sectionState(owner: string, tables: Readonly<Record<string, number>>, look: Look): SectionState {
  const wanted = look.want.objects.filter((object) => object.owners.includes(owner));
  const settled = new Set(look.plan.settled);
  const inPlace = wanted.filter((object) => settled.has(object.key)).length;
  const waiting = look.plan.blocked.filter(({ desired }) => desired.owners.includes(owner)).length;
  // A section that asks for nothing on this host has found none of its links.
  const state =
    inPlace === wanted.length
      ? wanted.length > 0
        ? "in place"
        : "waiting"
      : inPlace + waiting === wanted.length
        ? "waiting"
        : inPlace === 0
          ? "not applied"
          : "differs";
  return { section: owner, state, inPlace, wanted: wanted.length, tables: { ...tables } };
}

/** Connections by the number of the bit, where a program is at work that marks them. */
async function countConnections(look: Look, host: Host): Promise<Record<number, SocketCounts>> {
  const program = look.want.objects.find(
    ({ kind, key }) => kind === "cgroupProgram" && look.plan.settled.includes(key),
  );
  return program?.kind === "cgroupProgram" ? host.countSockets(program.spec) : {};
}

/** What the process of a gateway of several tells of it, where one runs. */
function gatewayOf(owner: string, signals: readonly Signal[]): Pick<SectionState, "gateway"> {
  const gateway = signals.find((signal) => signal.kind === "gateway" && `gateway/${signal.section}` === owner);
  return gateway?.kind === "gateway" ? { gateway } : {};
}

/** What was told of the far ends of a section that are asked. */
function probesOf(owner: string, signals: readonly Signal[]): Pick<SectionState, "probes"> {
  const probes = signals.filter((signal) => signal.kind === "probe" && signal.name.startsWith(`${owner} `));
  return probes.length > 0 ? { probes: probes as ProbeSignal[] } : {};
}

/** Which part a gateway plays, since when and why: a line for each share. */
function renderParts(gateway: GatewaySignal | undefined, now: number): string {
  return (gateway?.shares ?? [])
    .map(({ name, state, since, why }) => `\n  ${name}: ${state} for ${sayAge(now - since)}: ${why}`)
    .join("");
}

/** Far ends that do not answer; and how many do. */
function renderProbes(probes: readonly ProbeSignal[], { paint }: Context): string {
  if (probes.length === 0) return "";
  const ill = probes.filter(({ well }) => well === false);
  const well = probes.filter((probe) => probe.well === true).length;
  const lines = ill.map(({ name }) => `\n  ${paint("red", "does not answer")}: ${name.slice(name.indexOf(" ") + 1)}`);
  return `; ${well} of ${probes.length} probes answered${lines.join("")}`;
}

/** A section's counts: those of the one bit that it has. */
function connectionsOf(
  marks: Readonly<Record<string, number>>,
  counts: Readonly<Record<number, SocketCounts>>,
): Pick<SectionState, "connections"> {
  const [bit] = Object.values(marks);
  const connections = bit === undefined ? undefined : counts[bit];
  return connections ? { connections } : {};
}

/** "; 3 connections, 2 older ones keep the way that they had". */
function renderConnections(connections: SocketCounts | undefined): string {
  if (!connections) return "";
  const { open, earlier } = connections;
  const older =
    earlier > 0 ? `, ${earlier} older one${earlier === 1 ? "" : "s"} of the same owners on the way that they had` : "";
  return `; ${open} connection${open === 1 ? "" : "s"}${older}`;
}

function renderSection(
  { section, state, inPlace, wanted, tables, connections, gateway, probes = [] }: SectionState,
  context: Context,
): string {
  const { paint } = context;
  const colour = state === "in place" ? "green" : state === "waiting" ? "cyan" : "yellow";
  const drawn = Object.entries(tables).filter(([name]) => !name.startsWith("#"));
  const listed = drawn.map(([name, id]) => `${name.replace(/^:/, "")} ${id}`).join(", ");
  return `${section}: ${paint(colour, state)} (${inPlace} of ${wanted} objects)${listed ? `; tables: ${listed}` : ""}${renderConnections(connections)}${renderProbes(probes, context)}${renderParts(gateway, secondsSinceBoot())}`;
}
