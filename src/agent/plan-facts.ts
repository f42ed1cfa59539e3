// Owns the way from a file and a host's facts to a plan, without the host.
import type { Config } from "../config/config.ts";
import { snapshotOf } from "../explain/snapshot.ts";
import { factsHost } from "../host/facts-host.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { HostFacts } from "../model/host-facts.ts";
import { lookAndPlan } from "./look.ts";
import type { Look } from "./look.ts";

/** Plans for the host of the facts. `look` is absent when the file and the host do not fit; the diagnostics say why. */
export async function planForFacts(
  config: Config,
  facts: HostFacts,
): Promise<{ look?: Look; diagnostics: Diagnostic[] }> {
  const { ledger, numbers, owners } = facts;
  const host = factsHost(facts, snapshotOf(facts.picture, facts));
  const outcome = await lookAndPlan(config, host, { ledger, numbers, known: owners });
  if (!outcome.look) return outcome;
  return { look: outcome.look, diagnostics: [...outcome.diagnostics, ...unknownSwitches(outcome.look, facts)] };
}

/** Switches that the file sets and the facts do not tell of, as those of an older heddle may. */
function unknownSwitches({ want, snapshot }: Look, { host, picture }: HostFacts): Diagnostic[] {
  const links = new Set(snapshot.links.map(({ name }) => name));
  const unknown = want.objects.flatMap((object) => {
    if (object.kind !== "sysctl" || object.spec.path in picture.sysctls) return [];
    const [, link] = /^net\/ipv[46]\/(?:conf|neigh)\/(.*)\/[^/]+$/.exec(object.spec.path) ?? [];
    return link === undefined || link === "all" || links.has(link) ? [object.spec.path] : [];
  });
  if (unknown.length === 0) return [];
  return [
    {
      code: "facts-incomplete",
      severity: "warning",
      summary: `the facts of ${host} do not tell ${unknown.length === 1 ? unknown[0] : `${unknown.length} sysctls that the file sets`}`,
      detail: "The plan says that they are to be made, whatever they are now.",
      remedy: "Write the facts anew on the host.",
    },
  ];
}
