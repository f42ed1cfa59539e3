// Owns the neighbours of the role `static`: hardware addresses as they are written, and addresses to answer for.
import type { Diagnostic } from "../../model/diagnostic.ts";
import { familyOf } from "../../model/ip.ts";
import { HEDDLE_PROTOCOL } from "../../model/kinds.ts";
import type { NeighbourSpec } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import type { Section, View } from "../role.ts";
import type { Static, StaticNeighbour } from "./schema.ts";

/** The neighbour entries of a section; those that are wrong are left out, with diagnostics. */
export function desireNeighbours(section: Section<Static>, view: View, diagnostics: Diagnostic[]): Wanted[] {
  return (section.value.neighbours ?? []).flatMap((entry, index): Wanted[] => {
    const from = section.at("neighbours", index);
    const problem = findProblem(entry, view);
    if (problem) {
      diagnostics.push({ code: "neighbour", severity: "error", ...problem, range: from });
      return [];
    }
    const { address, link, lladdr, proxy, state, router } = entry;
    const spec: NeighbourSpec = {
      family: familyOf(address),
      link,
      address,
      ...(proxy ? { proxy } : {}),
      ...(lladdr === undefined ? {} : { hardwareAddress: lladdr }),
      ...(state === undefined ? {} : { state }),
      ...(router ? { router } : {}),
      protocol: HEDDLE_PROTOCOL,
    };
    return [{ kind: "neighbour", spec, from }];
  });
}

function findProblem(
  entry: StaticNeighbour,
  view: View,
): Pick<Diagnostic, "summary" | "detail" | "remedy"> | undefined {
  const { address, link, lladdr, proxy, state, router } = entry;
  if (proxy && (lladdr !== undefined || state !== undefined || router)) {
    return {
      summary: "the host answers with its own hardware address for a proxied one",
      remedy: "Take `lladdr`, `state` and `router` away, or `proxy`.",
    };
  }
  if (!proxy && lladdr === undefined) {
    return {
      summary: `nothing says which hardware address ${address} has`,
      remedy: "Add `lladdr`, or `proxy: true` to answer for it.",
    };
  }
  if (router && familyOf(address) === 4) {
    return { summary: "IPv4 neighbours are not told to be routers", remedy: "Take `router` away." };
  }
  // The kernel cuts off what is too long and says nothing.
  const own = view.links.find(({ name }) => name === link)?.hardwareAddress?.split(":").length;
  const given = lladdr?.split(":").length;
  if (own !== undefined && given !== undefined && own !== given) {
    return {
      summary: `${lladdr} cannot be on ${link}`,
      detail: `It has ${given} bytes, and hardware addresses there have ${own}.`,
      remedy: own === 20 ? "Write all 20 bytes of the IPoIB address, as `ip neighbour` does." : `Write ${own} bytes.`,
    };
  }
  return undefined;
}
