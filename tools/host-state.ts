// Owns the check that tests leave the host alone: its network written down before, compared after.
//
// node tools/host-state.ts FILE            writes down links, addresses, routes, rules, nft tables and sysctls
// node tools/host-state.ts --compare FILE  says what differs now; exit code 1 when something does
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

type State = Record<string, string>;

/** Counters and secrets that change by themselves. */
const RESTLESS = /conntrack_count|rt_cache|stable_secret|\/flush$|tcp_fastopen_key|bpf_stats|\/nf_log\//;

const COMMANDS: Record<string, [string, ...string[]]> = {
  links: ["ip", "-o", "link"],
  addresses: ["ip", "-o", "addr"],
  "IPv4 routes": ["ip", "route", "show", "table", "all"],
  "IPv6 routes": ["ip", "-6", "route", "show", "table", "all"],
  "IPv4 rules": ["ip", "rule"],
  "IPv6 rules": ["ip", "-6", "rule"],
  "nexthop objects": ["ip", "nexthop"],
  namespaces: ["ip", "netns"],
  // Only root may look; whoever is not root cannot have changed it either.
  ...(process.geteuid?.() === 0 ? { "nft tables": ["nft", "list", "ruleset"] as [string, ...string[]] } : {}),
};

function look(): State {
  const state: State = {};
  for (const [name, [program, ...words]] of Object.entries(COMMANDS)) {
    // Lifetimes run down by themselves.
    const text = execFileSync(program, words, { encoding: "utf8" });
    state[name] = text.replace(/(expires|valid_lft|preferred_lft) \d+sec/g, "$1 …");
  }
  readSysctls("/proc/sys/net", state);
  return state;
}

function readSysctls(directory: string, state: State): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) readSysctls(path, state);
    else if (!RESTLESS.test(path)) state[path] = readQuietly(path);
  }
}

/** Some switches can only be written, or only be read by root. */
function readQuietly(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const [first, second] = process.argv.slice(2);
if (first === undefined) throw new Error("usage: host-state.ts [--compare] FILE");
if (first !== "--compare") {
  writeFileSync(first, JSON.stringify(look()));
} else {
  const before = JSON.parse(readFileSync(second ?? "", "utf8")) as State;
  const after = look();
  // A switch that is new came with a kernel module, which is no change of the network.
  for (const [name, text] of Object.entries(before)) {
    if (after[name] === text) continue;
    process.stderr.write(`The host's ${name} changed.\nBefore:\n${text}\nAfter:\n${after[name] ?? "(gone)"}\n`);
    process.exitCode = 1;
  }
}
