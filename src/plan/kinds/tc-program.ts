// Owns the rules of the kind "tcProgram": one program for all sections, whose packets and members are put together.
import { shortPrefix } from "../../model/ip.ts";
import type { SpreadSpec, TcProgramSpec } from "../../model/spread-program.ts";
import { canonicalText } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";

export const tcProgramRules: KindRules<"tcProgram"> = {
  identify: (spec) => `tcProgram ${spec.program}`,
  normalize: normalizeProgram,
  // A member or a link that is not there is left out by the role: the others carry on.
  needs: () => [],
  merge: (a, b) =>
    normalizeProgram({
      program: a.program,
      ingress: [...a.ingress, ...b.ingress],
      egress: [...a.egress, ...b.egress],
      frames: [...(a.frames ?? []), ...(b.frames ?? [])],
      spreads: [...a.spreads, ...b.spreads],
    }),
  describe: describeProgram,
  rank: () => 0,
  compare: (spec) => canonicalText(spec),
};

function normalizeProgram(spec: TcProgramSpec): TcProgramSpec {
  return {
    program: spec.program,
    ingress: sortedOnce(spec.ingress),
    egress: sortedOnce(spec.egress),
    ...(spec.frames && spec.frames.length > 0 ? { frames: sortedOnce(spec.frames) } : {}),
    spreads: spec.spreads.map(normalizeSpread).sort((a, b) => (a.name < b.name ? -1 : 1)),
    ...(spec.broken ? { broken: true } : {}),
  };
}

function normalizeSpread(spread: SpreadSpec): SpreadSpec {
  return {
    name: spread.name,
    mechanism: spread.mechanism,
    by: spread.by,
    to: sortedOnce(spread.to),
    ...(spread.of === undefined ? {} : { of: spread.of }),
    ...(spread.except && spread.except.length > 0 ? { except: sortedOnce(spread.except) } : {}),
    ...(spread.local ? { local: true } : {}),
    mask: spread.mask,
    shift: spread.shift,
    gapMs: spread.gapMs,
    ...(spread.busyMs === undefined ? {} : { busyMs: spread.busyMs }),
    members: spread.members
      .map(({ number, link, weight, via = [], takesFrames }) => ({
        number,
        link,
        weight,
        ...(via.length > 0 ? { via: sortedOnce(via) } : {}),
        ...(takesFrames ? { takesFrames } : {}),
      }))
      .sort((a, b) => a.number - b.number),
  };
}

function sortedOnce(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}

/**
 * "spread opa: 10.0.2.0/24 over ib1, ib2 (2) by load, mark at ingress of ib0". Where frames are passed on, "fast at ingress
 * of eth0, by XDP from eth0 to eth1, eth2".
 */
function describeProgram({ program, ingress, egress, frames = [], spreads }: TcProgramSpec): string {
  const said = spreads.map(({ name, mechanism, by, to, of, members, local }) => {
    const what = of === undefined ? to.map(shortPrefix).join(", ") : `what ${of} would carry`;
    const over = members.map(({ link, weight }) => (weight === 1 ? link : `${link} (${weight})`)).join(", ");
    const where = mechanism === "redirect" ? "egress" : "ingress";
    const links = (mechanism === "redirect" ? egress : ingress).join(", ");
    const takers = members.filter(({ takesFrames }) => takesFrames).map(({ link }) => link);
    const short = takers.length > 0 ? `, by XDP from ${frames.join(", ")} to ${takers.join(", ")}` : "";
    return `${name}: ${what} over ${over || "nothing"} by ${by}, ${mechanism} at ${where} of ${links}${short}${local ? ", and of this host itself" : ""}`;
  });
  return `${program} ${said.join("; ")}`;
}
