// Owns the kind "sysctl" on a real host: switches below /proc/sys/net, read and written inside the namespace.
import { spawnSync } from "node:child_process";
import { constants } from "node:os";
import type { Observed } from "../../model/objects.ts";
import type { Step } from "../../model/plan.ts";
import { sysctlRules } from "../../plan/kinds/sysctl.ts";
import { HostError } from "../error.ts";
import type { KindDriver, StepResult } from "../host.ts";
import { sysctl } from "../native.ts";
import type { NamespaceFd, SysctlAnswer } from "../native.ts";
import { findProgram } from "../program.ts";

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
      const operations = steps.map(valueToWrite);
      let answers = sysctl(namespace, operations);
      // Switches of connection tracking come with its module, which nobody may have needed yet.
      if (answers.some((answer, i) => isMissing(answer) && operations[i]?.path.startsWith("net/netfilter/"))) {
        spawnSync(findProgram("modprobe", "kmod"), ["-q", "nf_conntrack"], { stdio: "ignore" });
        answers = sysctl(namespace, operations);
      }
      return steps.map((step, i): StepResult => {
        const answer = answers[i];
        if (!answer || !("errno" in answer)) return { step };
        return { step, error: new HostError({ errno: answer.errno, object: `sysctl ${valueToWrite(step).path}` }) };
      });
    },
  };
}

function isMissing(answer: SysctlAnswer): boolean {
  return "errno" in answer && answer.errno === constants.errno.ENOENT;
}

function valueToWrite(step: Step): { path: string; value: string } {
  if (step.action === "delete" && step.before.kind === "sysctl" && step.restore !== undefined) {
    return { path: step.before.spec.path, value: step.restore };
  }
  if (step.action !== "delete" && step.after.kind === "sysctl") return { ...step.after.spec };
  throw new Error(`a step that is no sysctl's was given to its driver: ${step.action}`);
}
