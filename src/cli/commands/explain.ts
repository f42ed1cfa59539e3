// Owns `heddle explain`: why does my packet go there?
import { planForFacts } from "../../agent/plan-facts.ts";
import { crossBridge } from "../../explain/bridges.ts";
import { healthOf, passGateway } from "../../explain/gateways.ts";
import { explain as explainPacket } from "../../explain/explanation.ts";
import { markSocket } from "../../explain/marks.ts";
import type { Marking } from "../../explain/marks.ts";
import type { Packet } from "../../explain/packet.ts";
import { afterSteps } from "../../explain/planned.ts";
import { spreadPacket } from "../../explain/spread.ts";
import { lastWay } from "../../explain/verdict.ts";
import { WISHES } from "../../explain/wishes.ts";
import { cgroupProgramDriver } from "../../host/kinds/cgroup-program-driver.ts";
import { OWN_NAMESPACE } from "../../host/native.ts";
import { takePicture } from "../../host/picture/read.ts";
import { pictureSpreads } from "../../host/picture/spreads.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { HostFacts } from "../../model/host-facts.ts";
import type { Passing } from "../../model/passing.ts";
import type { HostPicture } from "../../model/picture.ts";
import type { CgroupProgramSpec } from "../../model/socket-marks.ts";
import type { PictureSpread } from "../../model/spread-picture.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { listForRoot, readFacts, takeFacts } from "../facts-files.ts";
import { readPacket } from "../packet-options.ts";
import type { PacketOptions } from "../packet-options.ts";
import { plannedPassing, readFileHere, takePassing, untold } from "../passing.ts";
import { explanationJson } from "../render/explain-json.ts";
import { renderExplanation } from "../render/explain.ts";

/** The options of the command. */
export interface ExplainOptions extends PacketOptions {
  reply?: true;
  short?: true;
  full?: true;
  planned?: true;
  facts?: string;
}

/** Explains the way of one packet. Changes nothing and sends nothing. */
export async function explain(context: Context, options: ExplainOptions): Promise<ExitCode> {
  const { picture, program, spreads = [], passing = NOTHING_PASSES, diagnostics } = await pictureFor(context, options);
  if (!picture) return context.fail(diagnostics);
  const { value, diagnostics: wrong } = await readPacket(options, picture);
  if (!value) return context.fail([...diagnostics, ...wrong], EXIT.usage);
  const { packet, sender } = value;
  const marking = program && packet.iif === undefined ? markSocket(program, sender, packet) : undefined;
  const { gid } = sender;
  const marked: Packet = {
    ...packet,
    ...(gid === undefined || packet.iif !== undefined ? {} : { gid }),
    ...(marking && marking.mark !== 0 ? { mark: marking.mark } : {}),
  };
  const spreading = spreadPacket(spreads, marked);
  const found = explainPacket(picture, spreading?.packet ?? marked, { reply: options.reply === true });
  const measure = options.short ? "short" : options.full ? "full" : "screen";
  const last = lastWay(found.way);
  const { gateways, bridges, signals, at, date } = passing;
  const beside = {
    ...(marking ? { marking } : {}),
    ...(spreading ? { spread: spreading } : {}),
    gateway: passGateway(gateways, signals, last, at),
    health: healthOf(signals, last),
    bridge: crossBridge(bridges, packet),
  };
  const isThen = options.facts !== undefined && (beside.gateway?.state !== undefined || beside.health.length > 0);
  const then = isThen ? [`What is told of gateways is as it was on ${date}, when the facts were written.`] : [];
  const explanation = { ...found, remarks: [...unmarked(options, marking, program), ...then, ...found.remarks] };
  if (context.options.json) context.sayJson({ ...explanationJson(explanation, beside), diagnostics });
  context.report(diagnostics);
  if (!context.options.json) context.say(renderExplanation(explanation, picture, beside, measure, context.paint));
  return last.verdict.is === "refused" && beside.bridge?.mgid === undefined ? EXIT.noWay : EXIT.ok;
}

/** What is said where a sender is described by more than rules ask for, or by less than marks depend on. */
function unmarked(
  { group, cgroup }: ExplainOptions,
  marking: Marking | undefined,
  program: CgroupProgramSpec | undefined,
): string[] {
  if (!program && (group ?? cgroup) !== undefined) {
    return ["Rules do not ask for groups and control groups, and no program of heddle's was seen to mark by them."];
  }
  if (!marking || marking.unknown.length === 0) return [];
  return [`Sockets are also marked by the ${marking.unknown.join(" and the ")} of who makes them, which was not said.`];
}

interface Seen {
  /** Absent where the diagnostics hold errors. */
  picture?: HostPicture;
  /** The program that marks sockets. */
  program?: CgroupProgramSpec | undefined;
  /** Sections of `spread` at work, and where their buckets are. */
  spreads?: PictureSpread[];
  /** Absent where a facts file does not tell. */
  passing?: Passing | undefined;
  diagnostics: Diagnostic[];
}

const NOTHING_PASSES: Passing = { gateways: [], bridges: [], signals: [], at: 0, date: "" };

/** The host that is asked about: this one or that of a facts file, as it is or as it will be. */
async function pictureFor(context: Context, { facts: file, planned }: ExplainOptions): Promise<Seen> {
  if (file === undefined && !planned) return pictureHere(context);
  const read = file === undefined ? await takeFacts(context) : await readFacts(context, file);
  const facts = "facts" in read ? read.facts : read.value;
  if (!facts) return { diagnostics: read.diagnostics };
  const { picture, programs, passing } = facts;
  const diagnostics = [...read.diagnostics, ...(passing || file === undefined ? [] : [untold(file)])];
  if (!planned) return { picture, program: programIn(programs), passing, diagnostics };
  const seen = await pictureOnceApplied(context, facts);
  return { ...seen, diagnostics: [...diagnostics, ...seen.diagnostics] };
}

async function pictureHere(context: Context): Promise<Seen> {
  const picture = await takePicture({ root: "/", wishes: WISHES });
  const { config, unseen } = await readFileHere(context);
  const driver = cgroupProgramDriver(OWN_NAMESPACE);
  const programs = await listForRoot(() => driver.list(picture.links, { sysctls: [], cgroupPrograms: true }));
  return {
    picture: { ...picture, unseen: [...picture.unseen, ...unseen] },
    passing: await takePassing(context, config),
    program: "specs" in programs ? programIn(programs.specs) : undefined,
    spreads: await pictureSpreads(OWN_NAMESPACE, picture.links),
    diagnostics: "why" in programs ? [NOT_ROOT] : [],
  };
}

function programIn(programs: readonly CgroupProgramSpec[]): CgroupProgramSpec | undefined {
  return programs.find(({ broken }) => !broken);
}

const NOT_ROOT: Diagnostic = {
  code: "marks-unseen",
  severity: "note",
  summary: "only root sees the programs that mark and spread packets; they are not in this",
  remedy: "Ask as root, or say the mark with --mark.",
};

async function pictureOnceApplied(context: Context, facts: HostFacts): Promise<Seen> {
  const { config, diagnostics } = await context.readConfig();
  if (!config) return { diagnostics };
  const outcome = await planForFacts(config, facts);
  const said = [...diagnostics, ...outcome.diagnostics];
  if (!outcome.look) return { diagnostics: said };
  const { steps, blocked } = outcome.look.plan;
  const waiting: Diagnostic = {
    code: "not-yet",
    severity: "note",
    summary: `${blocked.length} objects of the plan wait for something, and are left out here`,
    remedy: "heddle plan tells what they wait for.",
  };
  return {
    picture: afterSteps(facts.picture, steps),
    program: outcome.look.want.objects.find((object) => object.kind === "cgroupProgram")?.spec,
    passing: plannedPassing(config, facts.passing),
    diagnostics: blocked.length > 0 ? [...said, waiting] : said,
  };
}
