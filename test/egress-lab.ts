// Owns the lab in which the promises of the role `egress` are tested: two gateways behind two links, and a world that
// can be reached through either, so that only the way tells who was chosen.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CapturedFrame } from "../src/lab/capture.ts";
import { listOwners } from "../src/lab/judge.ts";
import { upLab } from "../src/lab/lab.ts";
import type { Lab } from "../src/lab/lab.ts";
import { readTopology } from "../src/lab/topology.ts";

const HEDDLE = join(import.meta.dirname, "../bin/heddle");

export const WORLD = { 4: "192.0.2.80", 6: "2001:db8::80" } as const;
/** The chosen gateway, the ordinary one, and the worker's own addresses towards them. */
export const CHOSEN = { host: "alinat", 4: "10.20.1.17", 6: "fd00:20::1:17" } as const;
export const ORDINARY = { host: "router", 4: "192.168.7.17", 6: "fd00:7::17" } as const;

const TOPOLOGY = `
version: 1
name: egress
segments: { ib: {}, lan: {}, outside: {} }
groups: { alice: 600, staff: 601 }
hosts:
  worker:
    links:
      eth0: { segment: lan, addresses: [192.168.7.17/24, "fd00:7::17/64"] }
      ib0: { segment: ib, addresses: [10.20.1.17/16, "fd00:20::1:17/64"] }
    routes: [default via 192.168.7.1 dev eth0, default via fd00:7::1 dev eth0]
    # What many distributions set: the role has to make it loose on its own link.
    sysctls: { net.ipv4.conf.all.rp_filter: 1 }
    users:
      aliprod: { uid: 5001 }
      carol: { uid: 5004, group: alice }
      dave: { uid: 5005, group: staff, groups: [alice] }
      bob: { uid: 5006, group: staff }
    config: |
      version: 1
      egress: {}
  router:
    links:
      lan0: { segment: lan, addresses: [192.168.7.1/24, "fd00:7::1/64"] }
      out0: { segment: outside, addresses: [192.0.2.1/24, "2001:db8::1/64"] }
    sysctls: { net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1 }
  alinat:
    links:
      ib0: { segment: ib, addresses: [10.20.3.227/16, "fd00:20::3:227/64"] }
      out0: { segment: outside, addresses: [192.0.2.2/24, "2001:db8::2/64"] }
    sysctls: { net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1 }
  world:
    links:
      out0: { segment: outside, addresses: [192.0.2.80/24, "2001:db8::80/64"] }
    routes:
      - 192.168.7.0/24 via 192.0.2.1
      - 10.20.0.0/16 via 192.0.2.2
      - fd00:7::/64 via 2001:db8::1
      - fd00:20::/64 via 2001:db8::2
`;

/** Builds the lab. It ends with \`await using\`. */
export async function upEgressLab(name: string): Promise<Lab> {
  const { value, diagnostics } = readTopology(TOPOLOGY, "egress.yaml");
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return upLab(value, { name, transient: true });
}

/** What a run of heddle on the worker said. */
export interface Said {
  code: number | null;
  out: string;
  err: string;
}

/** Runs heddle on the worker. */
export async function heddle(lab: Lab, ...words: readonly string[]): Promise<Said> {
  const { code, stdout, stderr } = await lab.exec("worker", [HEDDLE, "-f", lab.configOf("worker"), ...words]);
  return { code, out: stdout, err: stderr };
}

/** Writes the worker's file: one section of egress by ib0, with the lines given. */
export function writeSection(lab: Lab, ...lines: readonly string[]): void {
  const section = ["link: ib0", 'gateways: [10.20.3.227, "fd00:20::3:227"]', ...lines];
  const text = `version: 1\negress:\n  alinat:\n${section.map((line) => `    ${line}\n`).join("")}`;
  writeFileSync(lab.configOf("worker"), text);
}

/** Writes the file and applies it. Throws when that does not end well. */
export async function applySection(lab: Lab, ...lines: readonly string[]): Promise<void> {
  writeSection(lab, ...lines);
  const said = await heddle(lab, "apply");
  if (said.code !== 0) throw new Error(said.err || said.out);
}

/** The host that a frame's hardware address belongs to. */
export function arrivalOf(lab: Lab, frame: CapturedFrame): string | undefined {
  return listOwners(lab.links).byMac.get(frame.destinationMac)?.host;
}

/** Frames of the worker to the world that a test cares for, with the host that they went to. */
export function toWorld(
  lab: Lab,
  frames: readonly CapturedFrame[],
  cares: (frame: Extract<CapturedFrame, { source: string }>) => boolean,
): { by: string | undefined; source: string; kind: string }[] {
  return frames.flatMap((frame) => {
    if (!frame.sentByHost || !("source" in frame) || !cares(frame)) return [];
    if (frame.destination !== WORLD[4] && frame.destination !== WORLD[6]) return [];
    return [{ by: arrivalOf(lab, frame), source: frame.source, kind: frame.kind }];
  });
}

/** Whether the machine has the program that makes traffic for a test; a missing one is a failure, not a skip. */
export function assertProgram(name: string): void {
  if (spawnSync(name, ["-V"], { stdio: "ignore" }).error) throw new Error(`${name} is missing: run tools/setup.sh`);
}
