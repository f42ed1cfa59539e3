// Owns links of BPF: what holds a program at its hook, made, swapped, looked at and ended.
import { constants } from "node:os";
import { HostError } from "../error.ts";
import type { NamespaceFd } from "../native.ts";
import { Attributes, call, COMMAND, describe, Descriptor, tryCall } from "./call.ts";
import { HOOKS } from "./load.ts";
import type { Hook } from "./load.ts";

/** What a link to a cgroup holds. */
export interface CgroupLink {
  /** Id of the program that runs now. */
  program: number;
  /** Id of the cgroup, as decimal digits; "0" when the cgroup has gone or the link was detached. */
  cgroup: string;
  /** Number of the hook (enum bpf_attach_type). */
  attach: number;
}

/** What a link to a network interface holds. */
export interface InterfaceLink {
  /** Id of the program that runs now. */
  program: number;
  /** Index of the interface; 0 when it has gone. */
  index: number;
  /** Number of the hook (enum bpf_attach_type). */
  attach: number;
}

/** BPF_LINK_TYPE_CGROUP, BPF_LINK_TYPE_XDP, BPF_LINK_TYPE_TCX of enum bpf_link_type. */
const TYPE_CGROUP = 3;
const TYPE_XDP = 6;
const TYPE_TCX = 11;

/** XDP_FLAGS_DRV_MODE: by the driver itself, or not at all. */
const BY_DRIVER = 4;

/**
 * Attaches a program to an interface of a namespace, behind the programs that are there; for frames (XDP), of which a
 * link has room for one. Kernel 6.6, for frames 5.9. Throws HostError; kernels that know no such links answer EINVAL.
 */
export function attachToInterface(program: Descriptor, hook: Hook, index: number, namespace: NamespaceFd): Descriptor {
  const attributes = new Attributes(32).u32(0, program.fd).u32(4, index).u32(8, HOOKS[hook].attach);
  if (hook === "xdp") attributes.u32(12, BY_DRIVER);
  return new Descriptor(call(COMMAND.createLink, attributes, `attachment to hook ${hook}`, namespace));
}

/** What a link holds; undefined when it is not one to an interface. */
export function lookAtInterfaceLink(link: Descriptor): InterfaceLink | undefined {
  // struct bpf_link_info: type, id, prog_id, then the interface's index at 16 and, for tcx, the attach type at 20.
  const told = describe(link.fd, 32, "BPF link");
  const type = told.getUint32(0, true);
  if (type !== TYPE_TCX && type !== TYPE_XDP) return undefined;
  const [program, index] = [told.getUint32(8, true), told.getUint32(16, true)];
  const attach = type === TYPE_XDP ? HOOKS.xdp.attach : told.getUint32(20, true);
  return { program, index, attach };
}

/**
 * Attaches a program to a cgroup, whose directory is open as `cgroup`. It runs for the cgroup and all below it, beside
 * other programs, until the link is pinned nowhere and open nowhere. Kernel 5.7. Throws HostError.
 */
export function attachToCgroup(program: Descriptor, hook: Hook, cgroup: number): Descriptor {
  const attributes = new Attributes(16).u32(0, program.fd).u32(4, cgroup).u32(8, HOOKS[hook].attach);
  const answer = tryCall(COMMAND.createLink, attributes);
  if (answer >= 0) return new Descriptor(answer);
  const object = `attachment to hook ${hook}`;
  if (answer !== -constants.errno.EPERM) throw new HostError({ errno: answer, object });
  const kernelMessage = "root is needed, and a cgroup whose hook no other program holds for itself alone";
  throw new HostError({ errno: answer, object, kernelMessage });
}

/** Puts another program into a link at once: every event sees the old one or the new one. False when its cgroup has gone. */
export function swapProgram(link: Descriptor, program: Descriptor): boolean {
  const answer = tryCall(COMMAND.updateLink, new Attributes(16).u32(0, link.fd).u32(4, program.fd));
  if (answer === -constants.errno.ENOLINK) return false;
  if (answer < 0) throw new HostError({ errno: answer, object: "exchange of a BPF program" });
  return true;
}

/** What a link holds; undefined when it is not one to a cgroup. */
export function lookAtLink(link: Descriptor): CgroupLink | undefined {
  // struct bpf_link_info: type, id, prog_id, then for a cgroup: its id at 16 and the attach type at 24.
  const told = describe(link.fd, 32, "BPF link");
  if (told.getUint32(0, true) !== TYPE_CGROUP) return undefined;
  const [program, attach] = [told.getUint32(8, true), told.getUint32(24, true)];
  return { program, cgroup: String(told.getBigUint64(16, true)), attach };
}

/** Ends an attachment though somebody else may hold the link open. Kernel 5.9. */
export function detach(link: Descriptor): void {
  call(COMMAND.detachLink, new Attributes(4).u32(0, link.fd), "end of a BPF attachment");
}
