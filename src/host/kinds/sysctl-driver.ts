// Owns the kind "sysctl" on a real host: switches below /proc/sys/net, read and written inside the namespace.
import type { Observed } from "../../model/objects.ts";
import type { Step } from "../../model/plan.ts";
import { sysctlRules } from "../../plan/kinds/sysctl.ts";
import { HostError } from "../error.ts";
import type { KindDriver, StepResult } from "../host.ts";
import { sysctl } from "../native.ts";
import type { NamespaceFd } from "../native.ts";

/** Sysctls of a namespace. A path that the kernel does not have is not listed. */
export function sysctlDriver(namespace: NamespaceFd): KindDriver<"sysctl"> {
  return {
    async list(_links, scope) {
      const answers = sysctl(
        namespace,
        scope.sysctls.map((path) => ({ path })),
      );
      return scope.sysctls.flatMap((path, i): Observed<"sysctl">[] => {
        const answer = answers[i];
        if (!answer || !("value" in answer) || answer.value === undefined) return [];
        const spec = sysctlRules.normalize({ path, value: answer.value });
        return [{ kind: "sysctl", spec, key: sysctlRules.identify(spec) }];
      });
    },

    async perform(steps) {
      const answers = sysctl(namespace, steps.map(valueToWrite));
      return steps.map((step, i): StepResult => {
        const answer = answers[i];
        if (!answer || !("errno" in answer)) return { step };
        return { step, error: new HostError({ errno: answer.errno, object: `sysctl ${valueToWrite(step).path}` }) };
      });
    },
  };
}

function valueToWrite(step: Step): { path: string; value: string } {
  if (step.action === "delete" && step.before.kind === "sysctl" && step.restore !== undefined) {
    return { path: step.before.spec.path, value: step.restore };
  }
  if (step.action !== "delete" && step.after.kind === "sysctl") return { ...step.after.spec };
  throw new Error(`a step that is no sysctl's was given to its driver: ${step.action}`);
}
