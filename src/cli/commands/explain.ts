// Owns `heddle explain`: why does my packet go there?
import { planForFacts } from "../../agent/plan-facts.ts";
import { explain as explainPacket } from "../../explain/explanation.ts";
import { applyMarks, marksOf } from "../../explain/marks.ts";
import type { Marking, Sender } from "../../explain/marks.ts";
import { afterSteps } from "../../explain/planned.ts";
import { lastWay } from "../../explain/verdict.ts";
import { WISHES } from "../../explain/wishes.ts";
import { takePicture } from "../../host/picture/read.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import type { HostFacts } from "../../model/host-facts.ts";
import type { Desired } from "../../model/objects.ts";
import type { HostPicture } from "../../model/picture.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { readFacts, takeFacts } from "../facts-files.ts";
import { readPacket } from "../packet-options.ts";
import type { PacketOptions } from "../packet-options.ts";
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
  const { picture, objects = [], diagnostics } = await pictureFor(context, options);
  if (!picture) return context.fail(diagnostics);
  const { value, diagnostics: wrong } = await readPacket(options, picture);
  if (!value) return context.fail([...diagnostics, ...wrong], EXIT.usage);
  const markings = value.packet.iif === undefined ? marksOf(objects, value.sender) : [];
  const mark = markings.length > 0 ? { mark: applyMarks(value.packet.mark ?? 0, markings) } : {};
  const found = explainPacket(picture, { ...value.packet, ...mark }, { reply: options.reply === true });
  const explanation = { ...found, remarks: [...unmarked(value.sender, markings), ...found.remarks] };
  const measure = options.short ? "short" : options.full ? "full" : "screen";
  if (context.options.json) context.sayJson({ ...explanationJson(explanation), diagnostics });
  context.report(diagnostics);
  if (!context.options.json) context.say(renderExplanation(explanation, picture, measure, context.paint));
  return lastWay(explanation.way).verdict.is === "refused" ? EXIT.noWay : EXIT.ok;
}

/** What is said when a sender is described by more than rules ask for, and no section of heddle's marks it. */
function unmarked({ gid, cgroup }: Sender, markings: readonly Marking[]): string[] {
  if (markings.length > 0 || (gid ?? cgroup) === undefined) return [];
  return ["Rules do not ask for groups and control groups, and no section of heddle's was seen to mark by them."];
}

interface Seen {
  /** Absent where the diagnostics hold errors. */
  picture?: HostPicture;
  /** What heddle's sections want, where that is known. */
  objects?: readonly Desired[];
  diagnostics: Diagnostic[];
}

/** The host that is asked about: this one or that of a facts file, as it is or as it will be. */
async function pictureFor(context: Context, { facts: file, planned }: ExplainOptions): Promise<Seen> {
  if (file === undefined && !planned)
    return { picture: await takePicture({ root: "/", wishes: WISHES }), diagnostics: [] };
  const read = file === undefined ? await takeFacts(context) : await readFacts(context, file);
  const facts = "facts" in read ? read.facts : read.value;
  if (!facts || !planned) return { ...(facts ? { picture: facts.picture } : {}), diagnostics: read.diagnostics };
  const seen = await pictureOnceApplied(context, facts);
  return { ...seen, diagnostics: [...read.diagnostics, ...seen.diagnostics] };
}

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
    objects: outcome.look.want.objects,
    diagnostics: blocked.length > 0 ? [...said, waiting] : said,
  };
}
