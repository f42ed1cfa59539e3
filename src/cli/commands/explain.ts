// Owns `heddle explain`: why does my packet go there?
import { explain as explainPacket } from "../../explain/explanation.ts";
import { spreadPacket } from "../../explain/spread.ts";
import { lastWay } from "../../explain/verdict.ts";
import { WISHES } from "../../explain/wishes.ts";
import { takePicture } from "../../host/picture/read.ts";
import { OWN_NAMESPACE } from "../../host/native.ts";
import { pictureSpreads } from "../../host/picture/spreads.ts";
import type { HostPicture } from "../../model/picture.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { readPacket } from "../packet-options.ts";
import type { PacketOptions } from "../packet-options.ts";
import { explanationJson } from "../render/explain-json.ts";
import { renderExplanation } from "../render/explain.ts";

/** The options of the command. */
export interface ExplainOptions extends PacketOptions {
  reply?: true;
  short?: true;
  full?: true;
}

/** Explains the way of one packet on this host. Changes nothing and sends nothing. */
export async function explain(context: Context, options: ExplainOptions): Promise<ExitCode> {
  const picture: HostPicture = await takePicture({ root: "/", wishes: WISHES });
  const { value, diagnostics } = await readPacket(options, picture);
  if (!value) return context.fail(diagnostics, EXIT.usage);
  const spreads = await pictureSpreads(OWN_NAMESPACE, picture.links);
  const spreading = spreadPacket(spreads, value.packet);
  const explanation = explainPacket(picture, spreading?.packet ?? value.packet, { reply: options.reply === true });
  const measure = options.short ? "short" : options.full ? "full" : "screen";
  if (context.options.json) {
    const { packet: _packet, ...spread } = spreading ?? {};
    context.sayJson({ ...explanationJson(explanation), ...(spreading ? { spread } : {}), diagnostics });
  } else {
    const text = renderExplanation(explanation, picture, measure, context.paint);
    context.say(spreading ? `${text}${measure === "short" ? "" : "\n"}${spreading.said}\n` : text);
  }
  return lastWay(explanation.way).verdict.is === "refused" ? EXIT.noWay : EXIT.ok;
}
