// Owns what the lab calls things in the kernel and on disk: namespaces, ports, hardware addresses, folders.
//
// Lab names have no dot and host names have none either, so the first dot of a namespace's name ends the lab's part and
// two labs never share a namespace: "heddle-a.b" is host b of lab a, whatever other labs are called.
import { join } from "node:path";

/** Lab names: lower-case letters, digits and hyphens, 31 characters at most. */
export const LAB_NAME = /^[a-z0-9](?:[a-z0-9-]{0,29}[a-z0-9])?$/;

/** Host names: one label of a DNS name (RFC 1123). */
export const HOST_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/** Segment names become names of bridges. "all" and "default" would be ambiguous below /proc/sys. */
export const SEGMENT_NAME = /^(?!(?:all|default|lo)$)[A-Za-z0-9][A-Za-z0-9_-]{0,14}$/;

/** Link names: a part of what the kernel takes (dev_valid_name), without what programs read as options or patterns. */
export const LINK_NAME = /^(?!(?:all|default|lo)$)[A-Za-z0-9_][A-Za-z0-9._-]{0,14}$/;

/** User and group names, as useradd takes them. */
export const USER_NAME = /^[a-z_][a-z0-9_-]{0,31}$/;

/** Most hosts in a lab and most links of a host: a hardware address has one byte for each. */
export const MOST_HOSTS = 200;
export const MOST_LINKS = 200;

/** Where network namespaces are pinned (ip-netns(8)). */
export const NETNS_FOLDER = "/run/netns";

/** Name of the namespace that holds the bridges of a lab. */
export function switchNamespace(lab: string): string {
  return `heddle-${lab}`;
}

/** Name of the namespace that is a host of a lab. */
export function hostNamespace(lab: string, host: string): string {
  return `heddle-${lab}.${host}`;
}

/** Path by which setns(2) and nsenter(1) reach a namespace. */
export function namespacePath(namespace: string): string {
  return join(NETNS_FOLDER, namespace);
}

/**
 * Name of the switch's end of a host's link. Both are counted from 0 in the topology's order: host and link name
 * together would not fit into the kernel's 15 characters.
 */
export function portName(hostIndex: number, linkIndex: number): string {
  return `h${hostIndex}-${linkIndex}`;
}

/** Hardware address of a host's link, locally administered; the last two bytes count host and link from 1. */
export function hardwareAddress(hostIndex: number, linkIndex: number): string {
  const byte = (index: number): string => (index + 1).toString(16).padStart(2, "0");
  return `02:68:64:00:${byte(hostIndex)}:${byte(linkIndex)}`;
}

/** Folder that holds one folder for each lab: below /run for root, below $XDG_RUNTIME_DIR for anybody else. */
export function stateRoot(uid = process.geteuid?.() ?? 0, env: NodeJS.ProcessEnv = process.env): string {
  return uid === 0 ? "/run/heddle-lab" : join(env["XDG_RUNTIME_DIR"] ?? `/run/user/${uid}`, "heddle-lab");
}
