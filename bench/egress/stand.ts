// Owns the place where the cost of egress is measured: a host for each contestant, whose only link is a veth to one far
// host. Chosen traffic and all other takes the same link, so that what differs is how it is chosen.
import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { must } from "../../src/lab/child.ts";
import { upLab } from "../../src/lab/lab.ts";
import type { Lab } from "../../src/lab/lab.ts";
import { readTopology } from "../../src/lab/topology.ts";
import { APPLY_HOST, applyUsers, prepareApply } from "./apply.ts";
import { markingTable } from "./by-hand.ts";
import type { Tool } from "./by-hand.ts";

const HEDDLE = join(import.meta.dirname, "../../bin/heddle");
const LOAD = join(import.meta.dirname, "../../build/egress-load");
const FAR = "192.0.2.80";
const PORT = 7000;
/** The first of the ids that are chosen; every other one is, so that they cannot be said as a range. */
const FIRST = 20_001;
const SENDERS = { chosen: FIRST, other: FIRST + 1 } as const;

/** Whose load it is. */
export type Sender = keyof typeof SENDERS;

/** One way to choose, for so many users. */
export interface Contestant {
  name: string;
  by: "nothing" | "bpf" | "nftables" | Tool;
  users: number;
  /** The table is taken away that remembers chosen connections. */
  forgets?: boolean;
}

export const CONTESTANTS: readonly Contestant[] = [
  { name: "plain routing", by: "nothing", users: 0 },
  ...[0, 10, 10_000].map((users) => ({ name: `heddle, ${count(users)}`, by: "bpf" as const, users })),
  { name: `heddle, ${count(10)}, resets forgotten`, by: "bpf", users: 10, forgets: true },
  ...[10, 10_000].map((users) => ({ name: `heddle by nftables, ${count(users)}`, by: "nftables" as const, users })),
  ...[10, 10_000].map((users) => ({ name: `iptables owner, ${count(users)}`, by: "iptables" as const, users })),
  ...[10, 10_000].map((users) => ({
    name: `iptables-legacy owner, ${count(users)}`,
    by: "iptables-legacy" as const,
    users,
  })),
];

function count(users: number): string {
  return `${users.toLocaleString("en")} users`;
}

/** Kinds of load (load.c). */
export const KINDS = ["segment", "packet", "routed", "udp", "tcp"] as const;
export type Kind = (typeof KINDS)[number];

/** What one kind of load took. */
export interface Load {
  perSecond: number;
  /** CPU time of the sender for each, ns. */
  cpuNs: number;
}

/** Builds it; what is put up for each contestant stays for all rounds. It ends with \`await using\`. */
export async function upStand(): Promise<Lab> {
  const host = (name: string, rest: string): string => `  ${name}:\n    links: {}\n${rest}`;
  // Whoever has users has control groups of its own, so that no program sees the sockets of two contestants.
  const users = "    users: { chosen: { uid: 20001 }, other: { uid: 20002 } }\n    config: |\n      version: 1\n";
  const hosts = [...CONTESTANTS.map((_, index) => host(`host${index}`, users)), host(APPLY_HOST, applyUsers())];
  const text = `version: 1\nname: egress-cost\nsegments: {}\nhosts:\n${host("far", "")}${hosts.join("")}`;
  const { value, diagnostics } = readTopology(text, "cost.yaml");
  if (!value) throw new Error(JSON.stringify(diagnostics));
  const lab = await upLab(value, { transient: true });
  try {
    await prepareFar(lab);
    for (const [index, contestant] of CONTESTANTS.entries()) await prepare(lab, index, contestant);
    await prepareApply(lab);
    return lab;
  } catch (error) {
    await lab.down();
    throw error;
  }
}

async function prepareFar(lab: Lab): Promise<void> {
  const words = ["ip", "address", "add", `${FAR}/32`, "dev", "lo"];
  await inside(lab, "far", words);
  await inside(lab, "far", ["sysctl", "-qw", "net.core.somaxconn=65535", "net.ipv4.tcp_max_syn_backlog=65535"]);
  await lab.spawn("far", [LOAD, "sink", FAR, String(PORT)], { listens: PORT });
}

async function prepare(lab: Lab, index: number, { by, users, forgets }: Contestant): Promise<void> {
  const name = `host${index}`;
  const [near, far] = [basename(lab.netns(name)), basename(lab.netns("far"))];
  const gateway = `10.100.${index}.1`;
  const other = ["peer", "name", `d${index}`, "netns", far];
  await must(["ip", "link", "add", "d0", "netns", near, "type", "veth", ...other]);
  for (const [host, link, address] of [
    ["far", `d${index}`, `${gateway}/24`],
    [name, "d0", `10.100.${index}.2/24`],
  ] as const) {
    await inside(lab, host, ["ip", "address", "add", address, "dev", link]);
    await inside(lab, host, ["ip", "link", "set", link, "up"]);
  }
  await inside(lab, name, ["ip", "route", "add", "default", "via", gateway]);
  const ids = Array.from({ length: users }, (_, i) => FIRST + 2 * i);
  if (by === "iptables" || by === "iptables-legacy") {
    await markingTable(by, ids, gateway, (words, input) =>
      inside(lab, name, words, input === undefined ? {} : { input }),
    );
  } else if (by !== "nothing") {
    // Nobody has the name, so that the program is there and chooses nobody.
    const chosen = users === 0 ? "[nobody-has-this-name]" : `[${ids.join(", ")}]`;
    writeFileSync(
      lab.configOf(name),
      `version: 1\negress:\n  bench: { match: { users: ${chosen} }, link: d0, gateways: [${gateway}], by: ${by} }\n`,
    );
    // With nobody, the section waits for the name.
    await inside(lab, name, [HEDDLE, "-f", lab.configOf(name), "apply"], { exit: users === 0 ? 3 : 0 });
    if (forgets) await inside(lab, name, ["nft", "delete", "table", "inet", "heddle-egress-bench"]);
  }
}

async function inside(
  lab: Lab,
  host: string,
  words: readonly string[],
  { exit = 0, ...options }: { exit?: number; input?: string } = {},
): Promise<void> {
  const { code, stdout, stderr } = await lab.exec(host, words, options);
  if (code !== exit) throw new Error(`${words.join(" ")} on ${host}: exit ${code}\n${stdout}${stderr}`);
}

/** Loads a contestant's host with every kind, for \`ms\` milliseconds each. */
export async function load(lab: Lab, index: number, sender: Sender, ms: number): Promise<Record<Kind, Load>> {
  // More connections at once than the far host accepts meanwhile would wait.
  const words = [LOAD, "send", FAR, String(PORT), String(ms), "60000"];
  const { code, stdout, stderr } = await lab.exec(`host${index}`, words, { as: sender });
  if (code !== 0) throw new Error(`the load ended with ${code}: ${stderr}`);
  const lines = stdout.trim().split("\n");
  return Object.fromEntries(
    lines.map((line): [string, Load] => {
      const [kind = "", ...numbers] = line.split(" ");
      const [many = NaN, wallNs = NaN, cpuNs = NaN] = numbers.map(Number);
      return [kind, { perSecond: (many / wallNs) * 1e9, cpuNs: cpuNs / many }];
    }),
  ) as Record<Kind, Load>;
}
