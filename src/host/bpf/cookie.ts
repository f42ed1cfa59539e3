// Owns finding out a network namespace's cookie where no socket option tells it (kernels before 5.14).
import { constants } from "node:os";
import { HostError } from "../error.ts";
import { namespaceCookie } from "../native.ts";
import type { NamespaceFd } from "../native.ts";
import { attachToCgroup } from "./link.ts";
import { openPrograms, readObject } from "./load.ts";

/**
 * The cookie, by a program that sees this process make a socket there. The cgroup, open as `cgroup`, has to be above the
 * process. Throws HostError, also in a PID namespace, where the process does not know the number that the kernel has for it.
 */
export function learnCookie(namespace: NamespaceFd, cgroup: number): bigint {
  const learner = new Uint8Array(4);
  new DataView(learner.buffer).setUint32(0, process.pid, true);
  using loaded = openPrograms(readObject("learn-cookie"), { constants: { learner } });
  const program = loaded.programs.get("cgroup/sock_create");
  if (!program) throw new Error("the BPF object learn-cookie has no program");
  using _link = attachToCgroup(program, "cgroup/sock_create", cgroup);
  // To ask for the cookie a socket is made in the namespace, which is what matters here.
  namespaceCookie(namespace);
  const value = loaded.map("learned").lookup(new Uint8Array(4));
  const cookie = value ? new DataView(value.buffer).getBigUint64(0, true) : 0n;
  if (cookie !== 0n) return cookie;
  const kernelMessage = "the kernel tells it neither by a socket option nor to a program";
  throw new HostError({ errno: constants.errno.EOPNOTSUPP, object: "cookie of the network namespace", kernelMessage });
}
