// Owns the naming of who changes heddle's objects: by the port id of a change, which for many programs is their pid,
// and otherwise by which of the programs that are known for it are running.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Programs that take away or change what others made, by the name of their process (15 bytes), and what mends it. */
const KNOWN: Readonly<Record<string, { name: string; remedy: string }>> = {
  "systemd-network": {
    name: "systemd-networkd",
    remedy:
      "Set ManageForeignRoutes=no and ManageForeignRoutingPolicyRules=no in /etc/systemd/networkd.conf.d/10-foreign.conf, and restart it.",
  },
  NetworkManager: {
    name: "NetworkManager",
    remedy: "Leave the link to one of the two: `nmcli device set LINK managed no`, or take the link out of the file.",
  },
  keepalived: {
    name: "keepalived",
    remedy: "Take the addresses, routes and rules that heddle keeps out of keepalived.conf.",
  },
  firewalld: {
    name: "firewalld",
    remedy: "Set FlushAllOnReload=no in /etc/firewalld/firewalld.conf, and reload it.",
  },
  dhclient: { name: "dhclient", remedy: "Let only one of the two set the address of the link." },
  zebra: { name: "FRR's zebra", remedy: "Take the routes that heddle keeps out of its configuration." },
  bird: { name: "BIRD", remedy: "Exclude heddle's tables from its kernel protocol." },
};

/** Tools that act for whoever started them. */
const TOOLS: ReadonlySet<string> = new Set(["ip", "nft", "tc", "iptables", "iptables-restor", "route", "ifconfig"]);

/** How long a change is remembered, in milliseconds. */
const REMEMBERED_MS = 10_000;
/** How often one port id is looked up, in milliseconds. */
const AGAIN_MS = 1000;
/** Port ids that are remembered. */
const MOST = 64;

/** A name for a person, and what may be done. */
export interface Culprit {
  culprit: string;
  remedy?: string;
}

/** Who has changed something of heddle's lately. */
export class Culprits {
  readonly #seen = new Map<number, { who: Process | undefined; at: number }>();

  /** Notes who asked for a change, while the process may still be there. 0 is the kernel itself. */
  note(port: number, now: number): void {
    if (port === 0 || port === process.pid) return;
    const seen = this.#seen.get(port);
    if (seen && now - seen.at < AGAIN_MS) return;
    if (this.#seen.size >= MOST) this.#seen.clear();
    this.#seen.set(port, { who: processOf(port) ?? seen?.who, at: now });
  }

  /** Who it may be; undefined when nothing is known. */
  name(now: number): Culprit | undefined {
    const lately = [...this.#seen]
      .filter(([, { at }]) => now - at < REMEMBERED_MS)
      .toSorted((a, b) => b[1].at - a[1].at);
    for (const [, { who }] of lately) {
      const known = who && KNOWN[who.comm];
      if (known) return { culprit: `${known.name} (process ${who.pid})`, remedy: known.remedy };
    }
    const [first] = lately.flatMap(([, { who }]) => who ?? []);
    if (first && !TOOLS.has(first.comm)) return { culprit: `${first.comm} (process ${first.pid})` };
    const running = runningKnown();
    const [only] = running;
    if (only && running.length === 1) return { culprit: `perhaps ${only.name}, which is running`, remedy: only.remedy };
    if (running.length > 1) return { culprit: `perhaps one of ${running.map(({ name }) => name).join(", ")}` };
    const [last] = lately;
    return last ? { culprit: `${first?.comm ?? "a process"} that has ended since (${last[0]})` } : undefined;
  }
}

/** Known programs that run in this network namespace. */
function runningKnown(): { name: string; remedy: string }[] {
  const own = namespaceOf("self");
  const found = new Map<string, { name: string; remedy: string }>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const known = KNOWN[commOf(Number(entry)) ?? ""];
    if (known && own !== undefined && namespaceOf(entry) === own) found.set(known.name, known);
  }
  return [...found.values()];
}

function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

interface Process {
  pid: number;
  comm: string;
}

/** The process, or the one that started it where it is only a tool; undefined when it has ended. */
function processOf(pid: number): Process | undefined {
  const comm = commOf(pid);
  if (comm === undefined || !TOOLS.has(comm)) return comm === undefined ? undefined : { pid, comm };
  const parent = parentOf(pid);
  const parentComm = parent === undefined ? undefined : commOf(parent);
  return parent === undefined || parentComm === undefined ? { pid, comm } : { pid: parent, comm: parentComm };
}

/** The fourth field of /proc/PID/stat; the second, a name in brackets, may hold blanks and brackets. */
function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const parent = Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
    return parent > 1 ? parent : undefined;
  } catch {
    return undefined;
  }
}

function commOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return undefined;
  }
}
