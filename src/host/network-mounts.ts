// Owns the question which file systems come over the network, and from where (proc_pid_mountinfo(5)).
import { readFileSync } from "node:fs";
import { parseAddress } from "../model/ip.ts";
import { parseMounts } from "./mounts.ts";

/** A file system that is mounted from a server. */
export interface NetworkMount {
  point: string;
  /** "nfs4", "lustre", … */
  type: string;
  /** IP address of the server. */
  server: string;
}

/** Types whose servers are told in an option (addr=), and in what is mounted: 10.0.0.5@o2ib:/scratch, 10.0.0.1:6789:/. */
const BY_OPTION: ReadonlySet<string> = new Set(["nfs", "nfs4", "cifs", "smb3"]);
const BY_SOURCE: ReadonlySet<string> = new Set(["lustre", "ceph"]);

/** Servers that are looked at: a job's node mounts a few, a broken one may have thousands. */
const MOST = 64;

/** What is mounted over the network; nothing where that cannot be told. */
export function networkMounts(): NetworkMount[] {
  try {
    return serversIn(readFileSync("/proc/self/mountinfo", "utf8"));
  } catch {
    return [];
  }
}

/** The network mounts in a text of the kernel's, each server once for each place. */
export function serversIn(mountinfo: string): NetworkMount[] {
  const found = parseMounts(mountinfo).flatMap(({ point, type, source, options }) =>
    serversOf(type, source, options).map((server) => ({ point, type, server })),
  );
  return found.slice(0, MOST);
}

function serversOf(type: string, source: string, options: readonly string[]): string[] {
  const found: string[] = [];
  if (BY_OPTION.has(type)) found.push(...options.flatMap((option) => /^addr=(.+)$/.exec(option)?.[1] ?? []));
  if (BY_SOURCE.has(type)) found.push(...[...source.matchAll(/\d+\.\d+\.\d+\.\d+/g)].map((match) => match[0]));
  return [...new Set(found)].filter((address) => parseAddress(address) !== undefined);
}
