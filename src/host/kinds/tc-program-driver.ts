// Owns the kind "tcProgram" on a real host: the programs that spread packets over links, through BPF.
import { constants } from "node:os";
import { openPrograms, readObject } from "../bpf/load.ts";
import { MAP_TYPE } from "../bpf/map.ts";
import { spreadPackets } from "../bpf/spread.ts";
import { HostError } from "../error.ts";
import type { KindDriver, StepResult } from "../host.ts";
import type { NamespaceFd } from "../native.ts";
import { rulesOf } from "../../plan/kinds/index.ts";
import { observe, specsOf } from "./perform-steps.ts";

/** Programs at the links of a namespace. */
export function tcProgramDriver(namespace: NamespaceFd): KindDriver<"tcProgram"> {
  const spreader = spreadPackets({ namespace });
  return {
    async list(links, scope) {
      try {
        const spec = await spreader.read(links);
        return spec ? [observe("tcProgram", rulesOf("tcProgram").normalize(spec))] : [];
      } catch (error) {
        // Whoever may not look at programs and is not concerned by any has none.
        const { code } = error as NodeJS.ErrnoException;
        if (!scope.tcPrograms && (code === "EPERM" || code === "EACCES")) return [];
        throw error;
      }
    },

    async perform(steps, links) {
      const results: StepResult[] = [];
      for (const step of steps) {
        try {
          const { after } = specsOf("tcProgram", step);
          if (after) await spreader.write(after, links);
          else await spreader.remove();
          results.push({ step });
        } catch (error) {
          if (!(error instanceof HostError)) throw error;
          results.push({ step, error });
        }
      }
      return results;
    },
  };
}

/**
 * Whether this process may load programs for links: they are loaded, and let go of. Throws HostError (EPERM) where an
 * ordinary user asks, who cannot tell what root could do.
 */
export function canSpread(): boolean {
  try {
    const object = readObject("spread");
    // A ring has pages, and no entries.
    const small = [...object.maps].filter(([, { type }]) => type !== MAP_TYPE.ring);
    const entries = Object.fromEntries(small.map(([name]) => [name, 1]));
    using _loaded = openPrograms(object, { entries });
    return true;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    if (process.geteuid?.() === 0) return false;
    throw new HostError({ errno: constants.errno.EPERM, object: "programs at links" });
  }
}
