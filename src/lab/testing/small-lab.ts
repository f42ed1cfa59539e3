// Owns the small topology that tests build, and the look at what a lab has left behind.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { hasErrors } from "../../model/diagnostic.ts";
import { readTopology, type Topology } from "../topology.ts";

/**
 * Two hosts with two links each on one segment; `tail` is more YAML for the top level. Test files run side by side in
 * one namespace, so each has a name of its own.
 */
export function smallText(name: string, tail = ""): string {
  return `
version: 1
name: ${name}
segments:
  ib: { mtu: 2044 }
hosts:
  a:
    links:
      ib0.8001: { segment: ib, addresses: [10.9.0.1/24, "fd00:9::1:1/64"] }
      ib1: { segment: ib, addresses: [10.9.0.2/24, "fd00:9::1:2/64"] }
    sysctls: { net/ipv4/conf/ib0.8001/rp_filter: 2, net.ipv4.conf.all.arp_ignore: 1 }
  b:
    links:
      ib0: { segment: ib, addresses: [10.9.0.11/24, "fd00:9::2:1/64"] }
      ib1: { segment: ib, addresses: [10.9.0.12/24] }
    routes: [ "10.77.0.0/16 via 10.9.0.1 table 77" ]
    rules: [ "from 10.9.0.11 table 77 priority 700", "from fd00:9::2:1 table 77 priority 700" ]
    sysctls: { net.ipv4.conf.all.arp_ignore: 1, net.ipv4.conf.all.arp_announce: 2 }
${tail}`;
}

/** Reads a topology that has to be right. */
export function mustRead(text: string, file = "small.yaml"): Topology {
  const { value, diagnostics } = readTopology(text, file);
  if (!value || hasErrors(diagnostics)) throw new Error(JSON.stringify(diagnostics, null, 2));
  return value;
}

/** What labs whose names begin like this have in the kernel and on disk, as seen from this namespace. */
export function traces(prefix: string): {
  namespaces: string[];
  state: string[];
  ports: string[];
  processes: string[];
} {
  return {
    namespaces: list("/run/netns").filter((name) => name.startsWith(`heddle-${prefix}`)),
    state: list("/run/heddle-lab").filter((name) => name.startsWith(prefix) || name.startsWith(`.${prefix}`)),
    ports: readFileSync("/proc/self/net/dev", "utf8").match(/^\s*h\d+-\d+(?=:)/gm) ?? [],
    processes: list("/proc").filter(
      (pid) => /^\d+$/.test(pid) && environmentOf(pid).includes(`\0HEDDLE_LAB=${prefix}`),
    ),
  };
}

/** What has to be left. */
export const NOTHING = { namespaces: [], state: [], ports: [], processes: [] };

/** Throws unless the process is in a network namespace that is not the machine's. */
export function assertOwnNamespace(): void {
  const own = readlinkSync("/proc/self/ns/net");
  let machine: string | undefined;
  try {
    machine = readlinkSync("/proc/1/ns/net");
  } catch {
    return; // Only a process in a user namespace of its own may not ask.
  }
  if (own === machine) throw new Error("lab tests run in a network namespace of their own: see tools/in-namespace");
}

function list(path: string): string[] {
  try {
    return readdirSync(path).toSorted();
  } catch {
    return [];
  }
}

function environmentOf(pid: string): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "utf8")}`;
  } catch {
    return "";
  }
}
