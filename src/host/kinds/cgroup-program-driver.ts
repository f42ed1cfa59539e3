// Owns the kind "cgroupProgram" on a real host: the program that marks sockets, through BPF.
import { constants } from "node:os";
import type { Observed } from "../../model/objects.ts";
import { cgroupKey, parseCgroupKey } from "../../model/owners.ts";
import type { Step } from "../../model/plan.ts";
import type { CgroupProgramSpec } from "../../model/socket-marks.ts";
import { openPrograms, readObject } from "../bpf/load.ts";
import type { SocketMarker } from "../bpf/mark-sockets.ts";
import { markSockets } from "../bpf/mark-sockets.ts";
import { HostError } from "../error.ts";
import type { KindDriver, StepResult } from "../host.ts";
import type { NamespaceFd } from "../native.ts";
import { closeMarked } from "../sockets/marked-sockets.ts";
import { observe, specsOf } from "./perform-steps.ts";

/** Programs that mark the sockets of a namespace. */
export function cgroupProgramDriver(namespace: NamespaceFd): KindDriver<"cgroupProgram"> {
  const marker = markSockets({ namespace });
  return {
    async list(_links, scope) {
      try {
        const spec = await readProgram(marker);
        return spec ? [observe("cgroupProgram", spec)] : [];
      } catch (error) {
        // Whoever may not look at programs and is not concerned by any has none.
        const { code } = error as NodeJS.ErrnoException;
        if (!scope.cgroupPrograms && (code === "EPERM" || code === "EACCES")) return [];
        throw error;
      }
    },

    async perform(steps) {
      const results: StepResult[] = [];
      for (const step of steps) {
        try {
          results.push({ step, ...(await performOne(marker, namespace, step)) });
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
 * Whether this process may load programs of control groups: a small one is loaded, and let go of. Throws HostError (EPERM)
 * where an ordinary user asks, who cannot tell what root could do.
 */
export function canMarkSockets(): boolean {
  try {
    using _loaded = openPrograms(readObject("learn-cookie"), { constants: { learner: new Uint8Array(4) } });
    return true;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    if (process.geteuid?.() === 0) return false;
    throw new HostError({ errno: constants.errno.EPERM, object: "marking of sockets" });
  }
}

async function performOne(marker: SocketMarker, namespace: NamespaceFd, step: Step): Promise<{ made?: Observed }> {
  const { before, after } = specsOf("cgroupProgram", step);
  if (after) {
    const cgroups = after.cgroups.map(({ cgroup, id, bits }) => {
      const { controller } = parseCgroupKey(cgroup);
      return { id, bits, ...(controller === undefined ? {} : { hierarchy: controller }) };
    });
    await marker.write(after.mask, { ...after, cgroups });
  } else {
    await marker.remove();
  }
  // The rules that look for these bits go next: what still carries one must not leave by another way.
  const gone = before ? (before.mask & ~(after?.mask ?? 0)) >>> 0 : 0;
  if (gone !== 0) await closeMarked(namespace, gone);
  return {};
}

async function readProgram(marker: SocketMarker): Promise<CgroupProgramSpec | undefined> {
  const found = await marker.read();
  if (!found) return undefined;
  const { users, groups, members, cgroups } = found.marks;
  return {
    program: "mark-sockets",
    mask: found.mask,
    users: [...users],
    groups: [...groups],
    members: [...members],
    cgroups: cgroups.map(({ id, hierarchy = "v2", bits }) => {
      const path = `/#${id}`;
      return { id, bits, cgroup: cgroupKey(hierarchy === "v2" ? { path } : { path, controller: hierarchy }) };
    }),
    ...(found.attached ? {} : { broken: true }),
  };
}
