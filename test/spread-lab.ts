// Owns the lab in which the promises of the role `spread` are tested: a router between a sender and two destinations, with
// as many links to these as a test asks for, and traffic whose numbers tell what became of it.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readSpreading } from "../src/host/bpf/spread-watch.ts";
import type { SpreadNow } from "../src/host/bpf/spread-watch.ts";
import { spreadPackets } from "../src/host/bpf/spread.ts";
import type { Spreader } from "../src/host/bpf/spread.ts";
import { openNamespace } from "../src/host/native.ts";
import type { CapturedFrame } from "../src/lab/capture.ts";
import { upLab } from "../src/lab/lab.ts";
import type { Lab } from "../src/lab/lab.ts";
import type { Served } from "../src/lab/served.ts";
import { readTopology } from "../src/lab/topology.ts";

const HEDDLE = join(import.meta.dirname, "../bin/heddle");

export const SENDER = { 4: "10.0.1.10", 6: "fd00:1::10" } as const;
export const NODES = {
  node11: { 4: "10.0.2.11", 6: "fd00:2::11" },
  node40: { 4: "10.0.2.40", 6: "fd00:2::40" },
} as const;
export const PORT = 7777;

function topology(links: number): string {
  const numbers = Array.from({ length: links }, (_, i) => i + 1);
  const own = numbers.map(
    (n) => `      ib${n}: { segment: compute, addresses: [10.0.2.${n}/24, "fd00:2::${n}/64"] }\n`,
  );
  const node = (name: keyof typeof NODES): string => `
  ${name}:
    links:
      ib0: { segment: compute, addresses: [${NODES[name][4]}/24, "${NODES[name][6]}/64"] }
    routes: [default via 10.0.2.1 dev ib0, default via fd00:2::1 dev ib0]`;
  return `
version: 1
name: spread
segments: { storage: {}, compute: {} }
hosts:
  sender:
    links:
      ib0: { segment: storage, addresses: [${SENDER[4]}/24, "${SENDER[6]}/64"] }
    routes: [default via 10.0.1.1 dev ib0, default via fd00:1::1 dev ib0]
  router:
    links:
      ib0: { segment: storage, addresses: [10.0.1.1/24, "fd00:1::1/64"] }
${own.join("")}
    sysctls: { net.ipv4.ip_forward: 1, net.ipv6.conf.all.forwarding: 1, net.ipv4.conf.all.rp_filter: 1 }
    users: { admin: { uid: 5001 } }
    config: |
      version: 1
      spread: {}
${node("node11")}
${node("node40")}
`;
}

/** A lab with so many links from the router to the destinations, ib1 and on. It ends with \`await using\`. */
export async function upSpreadLab(name: string, links: number): Promise<Lab> {
  const { value, diagnostics } = readTopology(topology(links), "spread.yaml");
  if (!value) throw new Error(JSON.stringify(diagnostics));
  return upLab(value, { name, transient: true });
}

/** Runs heddle on the router. Throws when it does not end with the code. */
export async function heddle(lab: Lab, words: readonly string[], wanted = 0): Promise<string> {
  const command = [HEDDLE, "-f", lab.configOf("router"), ...words];
  const { code, stdout, stderr } = await lab.exec("router", command);
  if (code !== wanted) throw new Error(`heddle ${words.join(" ")} ended with ${code}: ${stderr || stdout}`);
  return stdout;
}

/** Writes the router's file, one section with the lines given, and applies it. */
export async function applySpread(lab: Lab, ...lines: readonly string[]): Promise<void> {
  const text = `version: 1\nspread:\n  opa:\n${lines.map((line) => `    ${line}\n`).join("")}`;
  writeFileSync(lab.configOf("router"), text);
  await heddle(lab, ["apply"]);
}

/** How datagrams are sent. */
export interface Sending {
  /** How many flows, or how many datagrams a round each of them sends. */
  flows?: number | readonly number[];
  rounds?: number;
  /** Bytes of a datagram. */
  size?: number;
  /** Microseconds after each round. */
  pauseUs?: number;
  /** A longer pause after so many rounds. */
  burst?: { rounds: number; pauseUs: number };
  /** The first source port; the kernel's choice where absent. */
  from?: number;
}

/** What became of a flow's datagrams. */
export interface Received {
  received: number;
  /** How many came behind one that was sent later. */
  reordered: number;
  /** The longest time between two of them, ms. */
  longestGapMs: number;
}

/** A receiver that runs. */
export class Receiver implements AsyncDisposable {
  readonly #served: Served;

  constructor(served: Served) {
    this.#served = served;
  }

  /** Ends the counting, and gives what came, by source port. */
  async counted(): Promise<Map<number, Received>> {
    this.#served.kill("SIGTERM");
    await until(() => this.#served.ended, "the receiver to end");
    const lines = this.#served.stdout.trim().split("\n").slice(1);
    return new Map(
      lines.map((line) => {
        const [port = 0, received = 0, reordered = 0, , gapUs = 0] = line.split(" ").map(Number);
        return [port, { received, reordered, longestGapMs: gapUs / 1000 }];
      }),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#served.stop();
  }
}

/** Waits until something is so. Throws after 30 s. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(20)) if (await isSo()) return;
  throw new Error(`waited 30 s for ${what}`);
}

/** The programs on the router, for tests that look into their maps. The descriptor is closed with the process. */
export function spreaderOf(lab: Lab): Spreader {
  return spreadPackets({ namespace: openNamespace(lab.netns("router")), bpffs: join(lab.folder, "pins", "router") });
}

/** The one section as it is at work on the router. */
export function readNow(spreader: Spreader): SpreadNow {
  using maps = spreader.open();
  const [now] = maps ? readSpreading(maps, []) : [];
  if (!now) throw new Error("nothing is spread");
  return now;
}

/** Starts the controller on the router, alone or as part of the agent. */
export function runController(lab: Lab, by: "itself" | "agent" = "itself"): Promise<Served> {
  const [words, says] = by === "agent" ? [["agent"], /"started"/] : [["spread", "run"], /Spreading/];
  return lab.spawn("router", [HEDDLE, "-f", lab.configOf("router"), ...words], { says });
}

/** The program that sends and counts, built for as long as it is not disposed of. */
export class Flows implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-flows-"));
  readonly path = join(this.#folder, "flows");

  constructor() {
    const source = join(import.meta.dirname, "flows.c");
    execFileSync("cc", ["-O2", "-Wall", "-Wextra", "-Werror", "-o", this.path, source]);
  }

  /** Words that send as `how` says. */
  words(to: string, how: Sending = {}): string[] {
    const { flows = 64, rounds = 4, size = 100, pauseUs = 1000, burst } = how;
    const many = typeof flows === "number" ? String(flows) : flows.join(",");
    const bursts = burst ? [burst.rounds, burst.pauseUs] : [];
    return [this.path, "send", to, String(PORT), many, ...[rounds, size, pauseUs, ...bursts].map(String)];
  }

  /** Sends from a host, to the end. */
  async send(lab: Lab, host: string, to: string, how: Sending = {}): Promise<void> {
    const env = how.from === undefined ? {} : { FLOWS_FROM: String(how.from) };
    const { code, stderr } = await lab.exec(host, this.words(to, how), { env });
    if (code !== 0) throw new Error(stderr);
  }

  /** Counts what a host receives, until `counted` is asked. */
  async receive(lab: Lab, host: string): Promise<Receiver> {
    return new Receiver(await lab.spawn(host, [this.path, "receive", String(PORT)], { says: /ready/ }));
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

/** Which of the router's links the datagrams of each flow left by: a flow as "SOURCE PORT DESTINATION". */
export function linksOfFlows(frames: readonly CapturedFrame[]): Map<string, Set<string>> {
  const flows = new Map<string, Set<string>>();
  for (const frame of frames) {
    if (frame.kind !== "udp" || !frame.sentByHost || frame.destinationPort !== PORT) continue;
    const flow = `${frame.source} ${frame.sourcePort} ${frame.destination}`;
    const links = flows.get(flow);
    if (links) links.add(frame.link);
    else flows.set(flow, new Set([frame.link]));
  }
  return flows;
}

/** How many flows went by each link; a flow that went by several counts under all of their names, "ib1+ib2". */
export function countByLink(flows: ReadonlyMap<string, ReadonlySet<string>>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const links of flows.values()) {
    const name = [...links].sort().join("+");
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}
