// Owns the question which file systems come over the network, and from where (proc_pid_mountinfo(5)).
import { readFileSync } from "node:fs";
import { parseAddress } from "../model/ip.ts";

/** A file system that is mounted from a server. */
export interface Mount {
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
export function networkMounts(): Mount[] {
  try {
    return parseMounts(readFileSync("/proc/self/mountinfo", "utf8"));
  } catch {
    return [];
  }
}

/** The network mounts in a text of the kernel's, each server once for each place. */
export function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const [before, after] = line.split(" - ");
    const point = before?.split(" ")[4];
    const [type = "", source = "", options = ""] = (after ?? "").split(" ");
    if (point === undefined) continue;
    for (const server of serversOf(type, source, options)) {
      if (mounts.length < MOST) mounts.push({ point: unescape(point), type, server });
    }
  }
  return mounts;
}

function serversOf(type: string, source: string, options: string): string[] {
  const found: string[] = [];
  if (BY_OPTION.has(type)) found.push(...[...options.matchAll(/(?:^|,)addr=([^,]+)/g)].map((match) => match[1] ?? ""));
  if (BY_SOURCE.has(type)) found.push(...[...source.matchAll(/\d+\.\d+\.\d+\.\d+/g)].map((match) => match[0]));
  return [...new Set(found)].filter((address) => parseAddress(address) !== undefined);
}

/** The kernel writes blanks and backslashes as octal numbers. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
