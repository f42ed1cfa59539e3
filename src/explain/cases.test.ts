// Owns the cases of explanations that are worth reading: a picture of a host, a packet, and all that is said about it.
import { join } from "node:path";
import { testCases } from "../../test/cases.ts";
import { pictureFrom } from "../../test/pictures.ts";
import { renderExplanation } from "../cli/render/explain.ts";
import type { Measure } from "../cli/render/explain.ts";
import { explain } from "./explanation.ts";
import type { Packet } from "./packet.ts";

interface Question {
  packet: Packet;
  reply?: boolean;
  measure?: Measure;
}

testCases(join(import.meta.dirname, "cases"), "said.txt", (one) => {
  const picture = pictureFrom(one.yaml("picture.yaml"));
  const { packet, reply = false, measure = "screen" } = one.yaml("packet.yaml") as Question;
  return renderExplanation(explain(picture, packet, { reply }), picture, {}, measure, (_format, text) => text);
});
