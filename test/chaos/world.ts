// Owns the host on which chaos breaks out: a lab with an agent, everything that heddle keeps, and beside it objects of
// somebody else's; and the reading of both, by iproute2, nft and sysctl, never by heddle.
import { execFileSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import type { AgentStatus } from "../../src/agent/api/schema.ts";
import { namespaceCookie, openNamespace } from "../../src/host/native.ts";
import { must, run } from "../../src/lab/child.ts";
import type { Ended } from "../../src/lab/child.ts";
import { hostNamespace, switchNamespace } from "../../src/lab/names.ts";
import { readState } from "../../src/lab/state.ts";
import { upLab } from "../../src/lab/lab.ts";
import type { Lab } from "../../src/lab/lab.ts";
import { readTopology } from "../../src/lab/topology.ts";
import { WrongClock } from "../clock/wrong-clock.ts";
import { WorkerAgent } from "../worker-agent.ts";

export const LINKS = ["ib0", "ib1", "sp0", "sp1"] as const;
export type ManagedLink = (typeof LINKS)[number];
/** The control group that the file chooses. */
export const GROUP = "site.slice/jobs";

/** The lab of it, as a topology file says it. */
export const TOPOLOGY = `
version: 1
name: chaos
segments: { ib: {}, sp: {}, inside: {}, lan: {} }
groups: { alice: 600 }
hosts:
  worker:
    links:
      ib0: { segment: ib }
      ib1: { segment: ib }
      sp0: { segment: sp }
      sp1: { segment: sp }
      gw0: { segment: inside, addresses: [10.70.0.1/16] }
      eth0: { segment: lan, addresses: [192.0.2.1/24, "2001:db8::1/64"] }
    users: { alice: { uid: 5001 }, bob: { uid: 5002 }, carol: { uid: 5003 } }
    config: |
      version: 1
      links:
        ib0: { addresses: [172.16.34.1/16, "fd00:16::1/64"] }
        ib1: { addresses: [172.16.34.2/16] }
        sp0: { addresses: [172.20.0.1/16] }
        sp1: { addresses: [172.20.0.2/16] }
      multihome:
        ib: { links: [ib0, ib1] }
      egress:
        out:
          match: { users: [alice], cgroups: [/${GROUP}] }
          link: ib0
          gateways: [172.16.0.1]
          check: { interval: 200ms }
        old:
          match: { users: [bob] }
          by: nftables
          link: ib1
          gateways: [172.16.0.2]
      spread:
        even: { links: { sp0: 2, sp1: 1 }, mechanism: mark }
      gateway:
        nat: { inside: gw0, outside: eth0, nat: masquerade }
      static:
        s:
          nexthops:
            a: { via: 172.16.0.8, link: ib0 }
            b: { via: 172.16.0.9, link: ib1 }
            g: { group: { a: 1, b: 2 } }
          neighbours: [{ address: 172.16.0.8, link: ib0, lladdr: "02:00:00:00:00:08" }]
          rules:
            - { from: 10.9.0.0/16, table: 77, priority: 500 }
            - { from: "fd09::/32", table: 77, priority: 500 }
          routes:
            - { to: 10.1.0.0/16, nexthop: g, table: 77 }
            - { to: 10.2.0.0/16, type: unreachable, table: 77 }
            - { to: 10.3.0.0/16, link: ib1, table: 77 }
            - { to: 10.4.0.0/16, via: 172.16.0.7, link: ib0 }
            - { to: "fd01::/32", link: ib0, source: "fd00:16::1", table: 77 }
  gate:
    links:
      ib0: { segment: ib, addresses: [172.16.0.1/16] }
`;

/** What stands there of somebody else's, by what can take it away: the commands of its owner, who puts it back. */
export const FOREIGN = {
  rules: {
    4: [
      "rule add from 192.0.2.0/24 table 900 priority 900",
      "rule add priority 32766 table main protocol static",
      "rule add priority 32767 table default protocol static",
    ],
    6: ["rule add from 2001:db8::/32 table 900 priority 900", "rule add priority 32766 table main protocol static"],
  },
  routes: {
    4: ["route add 10.200.0.0/16 dev eth0 table 900", "route add default via 192.0.2.254 dev eth0"],
    6: ["route add fd02::/32 dev eth0 table 900", "route add default via 2001:db8::fe dev eth0"],
  },
  links: {
    4: ["route add 198.51.100.0/24 dev ib0 table 901", "route add 198.51.101.0/24 dev ib1 table 901"],
    6: ["route add fd03::/32 dev ib0 table 901"],
  },
  nexthops: { 4: ["nexthop add id 500 via 192.0.2.9 dev eth0", "route add 10.201.0.0/16 nhid 500 table 900"], 6: [] },
  neighbours: { 4: ["neighbour add 192.0.2.7 lladdr 02:00:00:00:00:07 dev eth0 nud permanent"], 6: [] },
  nft: { 4: [], 6: [] },
} as const;
export type ForeignThing = keyof typeof FOREIGN;
const ALL_FOREIGN = Object.keys(FOREIGN) as ForeignThing[];
const FOREIGN_NFT =
  "table inet theirs { chain c { type filter hook input priority 0; policy accept; tcp dport 9 drop; }; }";

/** What a host has: heddle's, and everybody else's. */
export interface State {
  ours: string[];
  theirs: string[];
}

/** What the agent does not hear of it shall not find by chance. */
export const NO_NET = ["--look-every", "3600"] as const;

/** The bit of the mark that egress draws; spread has others, which chance sets. */
const CHOSEN = 0x1000000;

/** A full disk is soon full. */
const DISK = "1m";

/** One host in chaos. */
export class World implements AsyncDisposable {
  readonly lab: Lab;
  readonly agent: WorkerAgent;
  /** The wall clock of heddle's processes. */
  readonly clock: WrongClock;
  readonly cookie: string;
  /** Folder of the host's control groups, as this process sees it. */
  readonly #groups: string;
  /** As it was before the first fault. */
  whole: State = { ours: [], theirs: [] };
  marked = "";
  /**
   * What has to be done when the burst is over and the network is whole: an apply that was refused meanwhile, or one from
   * the beginning, for the same numbers to be drawn as at first.
   */
  owes: "apply" | "anew" | undefined;

  private constructor(lab: Lab, groups: string, before: readonly string[]) {
    this.lab = lab;
    this.#groups = groups;
    this.clock = new WrongClock(lab.folder);
    this.agent = new WorkerAgent(lab, [...before, ...this.clock.words]);
    using fd = opened(lab.netns("worker"));
    this.cookie = namespaceCookie(fd.fd);
  }

  /** A host as it shall be, with an agent on it that has no safety net. `before`: what its command line begins with. */
  static async up(name: string, before: readonly string[] = [], topology = TOPOLOGY): Promise<World> {
    const { value, diagnostics } = readTopology(topology, "chaos.yaml");
    if (!value) throw new Error(JSON.stringify(diagnostics));
    const lab = await upLab(value, { name, transient: true });
    const confines = (await readState(name))?.confines;
    if (!confines) throw new Error("chaos needs real root");
    const world = new World(lab, join(confines.cgroups, "worker"), before);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${DISK},mode=755`, "tmpfs", world.state]);
      // The rules that the kernel begins with cannot be put back as they were: it calls those of others otherwise.
      for (const family of [4, 6] as const) await world.ip(family, "rule flush");
      await world.putBack(new Set(ALL_FOREIGN));
      await world.makeGroup();
      await world.agent.start(...NO_NET);
      await world.mustBeWhole();
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Where heddle remembers things: a file system of its own, which can be full. */
  get state(): string {
    return join(this.lab.folder, "hosts", "worker");
  }

  get namespace(): string {
    return hostNamespace(this.lab.name, "worker");
  }

  /** Lines for `ip`, each done whatever became of the one before. */
  async ip(family: 4 | 6, ...lines: string[]): Promise<Ended> {
    const input = lines.map((line) => `${line}\n`).join("");
    return run(["ip", `-${family}`, "-n", this.namespace, "-force", "-batch", "-"], { input });
  }

  /** The same at the switch, where the cables end. */
  async switchPort(link: string, state: "up" | "down"): Promise<void> {
    await run(["ip", "-n", switchNamespace(this.lab.name), "link", "set", "dev", this.lab.port("worker", link), state]);
  }

  /** A program in the network of the host. */
  async inside(...words: string[]): Promise<Ended> {
    return run(["nsenter", `--net=${this.lab.netns("worker")}`, "--", ...words]);
  }

  /** heddle on the host. */
  async heddle(...words: string[]): Promise<Ended> {
    return this.lab.exec("worker", this.#words(words), { timeoutMs: 120_000 });
  }

  /** heddle on the host, killed when the time has come. */
  async heddleUntil(signal: AbortSignal, ...words: string[]): Promise<void> {
    try {
      await this.lab.exec("worker", this.#words(words), { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  #words(words: readonly string[]): string[] {
    return [
      ...this.clock.words,
      join(import.meta.dirname, "../../bin/heddle"),
      "-f",
      this.lab.configOf("worker"),
      ...words,
    ];
  }

  /** The owners of other things put back what was taken from them too. */
  async putBack(things: ReadonlySet<ForeignThing>): Promise<void> {
    // In this order: without rules the kernel takes no gateway.
    for (const thing of ALL_FOREIGN.filter((one) => things.has(one))) {
      for (const family of [4, 6] as const) await this.ip(family, ...FOREIGN[thing][family]);
      if (thing !== "nft") continue;
      const { stdout } = await this.inside("nft", "list", "tables");
      if (!stdout.includes("theirs"))
        await must(["nsenter", `--net=${this.lab.netns("worker")}`, "--", "nft", FOREIGN_NFT]);
    }
  }

  /** The control group, as this process sees it. */
  group(path: string): string {
    return join(this.#groups, path);
  }

  async makeGroup(): Promise<void> {
    mkdirSync(this.group(GROUP), { recursive: true });
  }

  get passwd(): string {
    return join(this.lab.folder, "users", "worker.passwd");
  }

  /** Fills the file system of heddle's state; what it has stays. */
  fillDisk(): void {
    const path = join(this.state, "filler");
    try {
      for (let size = 65536; size >= 1; size >>= 1) {
        try {
          for (;;) writeFileSync(path, Buffer.alloc(size), { flag: "a" });
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        }
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }

  freeDisk(): void {
    rmSync(join(this.state, "filler"), { force: true });
  }

  /** What the agent says, over its socket; undefined where it does not answer. */
  async status(): Promise<AgentStatus | undefined> {
    const socketPath = `/run/heddle/agent-${this.cookie}.sock`;
    if (!existsSync(socketPath)) return undefined;
    return new Promise((resolve) => {
      const asked = request({ socketPath, path: "/v1/status", timeout: 10_000 }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve(JSON.parse(text) as AgentStatus));
      });
      asked
        .on("error", () => resolve(undefined))
        .on("timeout", () => asked.destroy())
        .end();
    });
  }

  /** Open descriptors of the agent. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.agent.pid}/fd`).length;
  }

  /** Resident memory of the agent, MB. */
  get memoryMb(): number {
    const text = readFileSync(`/proc/${this.agent.pid}/status`, "utf8");
    return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1]) / 1024;
  }

  /** What the kernel has now. */
  async look(): Promise<State> {
    const shown = (family: 4 | 6): Promise<Ended> =>
      run(["ip", "-d", `-${family}`, "-n", this.namespace, "-force", "-batch", "-"], {
        input: ["rule", "route show table all", "addr", "nexthop", "neigh show nud permanent"]
          .map((line) => `${line}\n`)
          .join(""),
      });
    const keys = ["arp_ignore", "arp_announce", "rp_filter", "accept_local", "forwarding"];
    const sysctls = [...LINKS, "gw0", "eth0"].flatMap((link) => keys.map((key) => `net.ipv4.conf.${link}.${key}`));
    const [four, six, nft, switches] = await Promise.all([
      shown(4),
      shown(6),
      // What packets put into sets is theirs.
      this.inside("nft", "-t", "list", "ruleset"),
      this.inside("sysctl", "-e", ...sysctls),
    ]);
    const lines = `${four.stdout}\n6:\n${six.stdout}`.split("\n").flatMap(plain);
    const tables = nft.stdout
      .replaceAll(/packets \d+ bytes \d+/g, "")
      .split(/^(?=table )/m)
      .map((text) => text.trim());
    const ofOurs = (line: string): boolean =>
      /proto (72|heddle)\b/.test(line) || / dev ib[01] .*PERMANENT| (ib|sp)[01]$|inet6 fd00:16:/.test(line);
    const isSwitchOfOurs = (line: string): boolean => /conf\.(ib|sp)[01]\.|\.forwarding/.test(line);
    const switchLines = switches.stdout.trim().split("\n");
    return {
      ours: [
        ...lines.filter(ofOurs),
        ...tables.filter((text) => text.includes("heddle-")),
        ...switchLines.filter(isSwitchOfOurs),
        // A pin at a link is called by the link's index, which a link that is made anew does not keep.
        ...this.agent.pins().map((pin) => `pin ${pin.slice(pin.lastIndexOf("/") + 1).replace(/-\d+$/, "")}`),
      ].toSorted(),
      theirs: [
        ...lines.filter((line) => !ofOurs(line)),
        ...tables.filter((text) => text !== "" && !text.includes("heddle-")),
        ...switchLines.filter((line) => !isSwitchOfOurs(line)),
      ].toSorted(),
    };
  }

  /** Whether sockets get the mark: of the chosen user, another one, and another one in the chosen control group. */
  async marks(): Promise<string> {
    const marks = await Promise.all([
      this.agent.markOf("alice"),
      this.agent.markOf("carol"),
      this.agent.markOf("carol", GROUP),
    ]);
    return marks.map((mark) => (mark & CHOSEN) !== 0).join(" ");
  }

  /** Notes what is there as what has to be there after every burst. Throws where heddle does not agree. */
  async mustBeWhole(): Promise<void> {
    const { code, stdout, stderr } = await this.heddle("plan");
    if (code !== 0) throw new Error(`the host is not whole before chaos begins:\n${stdout}${stderr}`);
    this.whole = await this.look();
    this.marked = await this.marks();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent.end();
    await run(["umount", "-l", this.state]);
    await this.lab.down();
    for (const name of [`agent-${this.cookie}.sock`, `net-${this.cookie}.lock`])
      rmSync(`/run/heddle/${name}`, { force: true });
  }
}

/** Lines of `ip` that can be compared: without states, lifetimes, and what the kernel makes for link-local addresses. */
function plain(line: string): string[] {
  if (/fe80::|ff00::|valid_lft|^\d+: |link\/|^6:$|^veth /.test(line)) return [];
  const text = line
    .replace(
      / (linkdown|dead|tentative|noprefixroute|nodad)\b| pref medium| scope (link|global|host)| unbalanced_time \S+/g,
      "",
    )
    .replace(/\s+/g, " ")
    .trim();
  return text === "" ? [] : [text];
}

function opened(path: string): { fd: number; [Symbol.dispose]: () => void } {
  const fd = openNamespace(path);
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}
