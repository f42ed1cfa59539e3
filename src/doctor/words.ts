// Owns words that several findings share: commands, lists, and the piece of heddle.yaml that cures a subnet.
import type { HostPicture, PictureRule } from "../model/picture.ts";
import { ruleRules } from "../plan/kinds/rule.ts";
import type { Remedy } from "./finding.ts";

/** The command that takes the rule away, said in full so that it hits no other of the same priority. */
export function deleteRule({ priority, family, ...rest }: PictureRule): string {
  const { unresolved: _u, iifDetached: _i, oifDetached: _o, partial: _p, ...spec } = rest;
  const words = ruleRules.describe({ priority, family, ...spec }).replace(/^(ipv6 )?\d+: /, "");
  return `ip ${family === 6 ? "-6 " : ""}rule del priority ${priority} ${words}`;
}

/** "ib0", "ib0 and ib1", "ib0, ib1 and ib2". */
export function sayList(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** What makes links that share a subnet right: the section of heddle.yaml, or its application. */
export function multihomeRemedy(picture: HostPicture, links: readonly string[]): Remedy {
  const section = picture.configured?.sections.find((one) => links.every((link) => one.links.includes(link)));
  if (section && picture.configured) {
    const { file } = picture.configured;
    const text = `${file} has it (${section.section}): apply it.`;
    return { text, commands: [`heddle -f ${file} plan`, `heddle -f ${file} apply`] };
  }
  const text =
    "Let heddle give each link a table and source rules, and ARP answers for its own addresses. Every host of the subnet should have it.";
  return { text, config: `multihome:\n  ${sectionName(links)}: { links: [${links.map(yamlWord).join(", ")}] }\n` };
}

/** What the links' names have in common, without a number at its end: "ib" of ib0 and ib1. */
function sectionName(links: readonly string[]): string {
  let common = links[0] ?? "";
  for (const link of links) while (!link.startsWith(common)) common = common.slice(0, -1);
  const name = common.replace(/[^A-Za-z]+$/, "");
  return /^[A-Za-z][\w.-]{0,30}$/.test(name) ? name : "links";
}

/** A link's name as YAML reads it back: quoted where it is not plainly a word. */
function yamlWord(name: string): string {
  return /^[A-Za-z][\w.-]*$/.test(name) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(name)
    ? name
    : JSON.stringify(name);
}
