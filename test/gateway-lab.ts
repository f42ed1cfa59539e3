// Owns the lab in which gateways that stand in for each other are tested: workers, gateways, and a world that knows
// nothing of the addresses inside.
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { waitFor } from "../src/lab/child.ts";
import { upLab } from "../src/lab/lab.ts";
import type { Lab } from "../src/lab/lab.ts";
import type { Served } from "../src/lab/served.ts";
import { readTopology } from "../src/lab/topology.ts";
import type { GatewaySignal } from "../src/model/signals.ts";
import type { TrafficReport } from "./gateway-traffic.ts";
import { Talker } from "./talker.ts";

const HEDDLE = join(import.meta.dirname, "../bin/heddle");
const TRAFFIC = join(import.meta.dirname, "gateway-traffic.ts");

export const MOVING = { inside: "10.20.3.227", outside: "140.181.2.40" } as const;
/** Of the second share, where there are two. */
export const MOVING_TOO = { inside: "10.20.3.228", outside: "140.181.2.39" } as const;
export const WORLD = "140.181.2.1";
/** The same of IPv6. */
export const MOVING6 = { inside: "fd00:20::3:227", outside: "2001:db8:181::40" } as const;
export const MOVING6_TOO = { inside: "fd00:20::3:228", outside: "2001:db8:181::39" } as const;
export const WORLD6 = "2001:db8:181::1";

/** What a lab is made of. */
export interface GatewayLabOptions {
  name: string;
  workers: number;
  gateways: number;
  /** Between adverts: "1s", "20ms". */
  interval: string;
  /** How long a gateway that comes back waits: "0s", "never". */
  return: string;
  /** Two gateways work at once: odd workers use one address, even ones the other. */
  shares?: boolean;
  /** The IP versions of what moves; IPv4 alone unless stated. Gateways hear each other by the first. */
  versions?: readonly (4 | 6)[];
}

/** "g1", "g2", … */
export function gatewayName(number: number): string {
  return `g${number}`;
}

/** The file that all gateways have. */
export function gatewayFile({ gateways, interval, return: wait, shares, versions = [4] }: GatewayLabOptions): string {
  const inside = versions.map((version) => (version === 4 ? `${MOVING.inside}/16` : `"${MOVING6.inside}/64"`));
  const outside = versions.map((version) => (version === 4 ? MOVING.outside : `"${MOVING6.outside}"`));
  const share = (number: 1 | 2, four: typeof MOVING | typeof MOVING_TOO, six: typeof MOVING6 | typeof MOVING6_TOO) => {
    const each = (text4: string, text6: string): string =>
      versions.map((version) => (version === 4 ? text4 : `"${text6}"`)).join(", ");
    const [address, to] = [each(`${four.inside}/16`, `${six.inside}/64`), each(four.outside, six.outside)];
    const from = each(`10.20.${number}.0/24`, `fd00:20::${number}:0/112`);
    return `        - { address: [${address}], to: [${to}], from: [${from}] }`;
  };
  const what = shares
    ? `      shares:
${share(1, MOVING, MOVING6)}
${share(2, MOVING_TOO, MOVING6_TOO)}`
    : `      address: [${inside.join(", ")}]`;
  const nodes = Array.from({ length: gateways }, (_, i) =>
    versions[0] === 6
      ? `        - { inside: "fd00:20::3:${i + 1}", outside: "2001:db8:181::${51 + i}", sync: "fd00:9::${i + 1}" }`
      : `        - { inside: 10.20.3.${i + 1}, outside: 140.181.2.${51 + i}, sync: 192.168.9.${i + 1} }`,
  );
  return `version: 1
gateway:
  alinat:
    inside: ib0
    outside: eth9
${versions.includes(6) ? "    ipv6: true\n" : ""}${shares ? "" : `    nat: { to: [${outside.join(", ")}] }\n`}    failover:
${what}
      id: 51
      interval: ${interval}
      return: ${wait}
      uplink: [${versions[0] === 6 ? `"http://[${WORLD6}]:8080/"` : WORLD}]
      nodes:
${nodes.join("\n")}
`;
}

/** The topology. */
export function gatewayTopology(options: GatewayLabOptions): string {
  const six = (text: string): string => (options.versions?.includes(6) ? `, "${text}"` : "");
  const indent = (text: string, by: string): string => text.replace(/^(?=.)/gm, by);
  const workers = Array.from({ length: options.workers }, (_, i) => {
    const second = options.shares === true && i % 2 === 1;
    const [number, four, of6] = second ? [2, MOVING_TOO, MOVING6_TOO] : [1, MOVING, MOVING6];
    return `  w${i + 1}:
    links: { ib0: { segment: ib, addresses: [10.20.${number}.${i + 1}/16${six(`fd00:20::${number}:${i + 1}/64`)}] } }
    routes: [default via ${four.inside} dev ib0${six(`default via ${of6.inside} dev ib0`)}]
`;
  });
  const gateways = Array.from(
    { length: options.gateways },
    (_, i) => `  ${gatewayName(i + 1)}:
    links:
      ib0: { segment: ib, addresses: [10.20.3.${i + 1}/16${six(`fd00:20::3:${i + 1}/64`)}] }
      eth9: { segment: brokernetz, addresses: [140.181.2.${51 + i}/24${six(`2001:db8:181::${51 + i}/64`)}] }
      sync0: { segment: cable, addresses: [192.168.9.${i + 1}/24${six(`fd00:9::${i + 1}/64`)}] }
    routes: [default via ${WORLD} dev eth9]
    config: |
${indent(gatewayFile(options), "      ")}`,
  );
  return `version: 1
name: ${options.name}
segments: { ib: {}, brokernetz: {}, cable: {} }
hosts:
${workers.join("")}${gateways.join("")}  world:
    links: { eth0: { segment: brokernetz, addresses: [${WORLD}/24${six(`${WORLD6}/64`)}] } }
`;
}

/** A lab that stands, with its gateways and its traffic. */
export class GatewayLab implements AsyncDisposable {
  readonly lab: Lab;
  readonly options: GatewayLabOptions;
  readonly running = new Map<string, Served>();
  readonly #clients: Talker[] = [];

  private constructor(lab: Lab, options: GatewayLabOptions) {
    this.lab = lab;
    this.options = options;
  }

  static async up(options: GatewayLabOptions): Promise<GatewayLab> {
    const { value, diagnostics } = readTopology(gatewayTopology(options), "gateway.yaml");
    if (!value) throw new Error(JSON.stringify(diagnostics));
    return new GatewayLab(await upLab(value, { name: options.name, transient: true }), options);
  }

  get gateways(): string[] {
    return Array.from({ length: this.options.gateways }, (_, i) => gatewayName(i + 1));
  }

  /** Runs heddle on a gateway. */
  async heddle(host: string, ...words: readonly string[]): Promise<{ code: number | null; out: string; err: string }> {
    const { code, stdout, stderr } = await this.lab.exec(host, [HEDDLE, "-f", this.lab.configOf(host), ...words]);
    return { code, out: stdout, err: stderr };
  }

  /** Applies the file and starts the gateway process. */
  async start(host: string): Promise<void> {
    const applied = await this.heddle(host, "apply");
    if (applied.code !== 0) throw new Error(`${host}: ${applied.err}${applied.out}`);
    await this.run(host);
  }

  /** Starts the gateway process; `env` is added to its environment. */
  async run(host: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
    const words = [HEDDLE, "-f", this.lab.configOf(host), "gateway", "run"];
    this.running.set(host, await this.lab.spawn(host, words, { says: /one of \d gateways/, env }));
  }

  /** What a gateway tells of itself; undefined while it tells nothing. */
  signalOf(host: string): GatewaySignal | undefined {
    const run = join(this.lab.folder, "hosts", host, "run");
    try {
      const folder = readdirSync(run).find((name) => name.startsWith("signals-")) ?? "";
      const [row] = JSON.parse(readFileSync(join(run, folder, "gateway-alinat.json"), "utf8")) as GatewaySignal[];
      return row;
    } catch {
      return undefined;
    }
  }

  /** What the conntrackd of a gateway answers. */
  async askConntrackd(host: string, ...words: readonly string[]): Promise<string> {
    const run = join(this.lab.folder, "hosts", host, "run");
    const folder = readdirSync(run).find((name) => name.startsWith("gateway-")) ?? "";
    const { stdout } = await this.lab.exec(host, ["conntrackd", "-C", join(run, folder, "conntrackd.conf"), ...words]);
    return stdout;
  }

  /** Waits until a gateway's row is as it should be. */
  async until(host: string, holds: (row: GatewaySignal) => boolean, what: string): Promise<void> {
    await waitFor(`${host} to be ${what}`, async () => {
      const row = this.signalOf(host);
      return row && holds(row) ? true : undefined;
    });
  }

  async untilActive(host: string): Promise<void> {
    await this.until(host, ({ shares }) => shares.every(({ state, holds }) => state === "active" && holds), "active");
  }

  /** Waits until a gateway stands by with everybody's connections, and has nothing against it. */
  async untilReady(host: string): Promise<void> {
    await this.until(
      host,
      ({ shares, connections }) =>
        connections.state === "current" && shares.every(({ state }) => state === "standby" || state === "active"),
      "ready",
    );
  }

  /** Addresses that move, as they are on a host's links now. */
  async held(host: string): Promise<string[]> {
    const { stdout } = await this.lab.exec(host, ["ip", "-o", "addr", "show"]);
    return [MOVING, MOVING_TOO, MOVING6, MOVING6_TOO]
      .flatMap((moving) => Object.values(moving))
      .filter((address) => stdout.includes(` ${address}/`));
  }

  /** Process ids of a daemon of a gateway: of all of its processes, the oldest first. */
  async pidsOf(host: string, program: "keepalived" | "conntrackd" | "heddle"): Promise<number[]> {
    const served = this.running.get(host);
    if (!served) return [];
    // Everything before it has become it.
    if (program === "heddle") return served.ended ? [] : [served.pid];
    const all = await descendants(served.pid);
    return all.filter((pid) => commOf(pid) === program);
  }

  async signal(host: string, program: "keepalived" | "conntrackd" | "heddle", signal: NodeJS.Signals): Promise<void> {
    for (const pid of await this.pidsOf(host, program)) {
      try {
        process.kill(pid, signal);
      } catch {
        // A client of the daemon's, which has ended meanwhile.
      }
    }
  }

  /** Starts the traffic: the server in the world, a client at each worker, and a count of packets with a wrong source. */
  async startTraffic(each = 4): Promise<void> {
    const right = [MOVING.outside, MOVING_TOO.outside, ...this.gateways.map((_, i) => `140.181.2.${51 + i}`)];
    const right6 = [
      MOVING6.outside,
      MOVING6_TOO.outside,
      "fe80::/10",
      ...this.gateways.map((_, i) => `2001:db8:181::${51 + i}`),
    ];
    const judge = [`ip saddr != { ${right.join(", ")} }`, `ip6 saddr != { ${right6.join(", ")} }`];
    const seen = judge.map((wrong) => `iifname "eth0" ${wrong} counter`).join("; ");
    const rules = `table inet judge { chain seen { type filter hook prerouting priority -300; ${seen}; }; }`;
    const judged = await this.lab.exec("world", ["nft", rules]);
    if (judged.code !== 0) throw new Error(judged.stderr);
    await this.lab.spawn("world", [process.execPath, TRAFFIC, "server"], { says: /serving/ });
    for (let i = 1; i <= this.options.workers; i++) {
      const enter = ["setpriv", "--pdeathsig=SIGKILL", "--", "nsenter", `--net=${this.lab.netns(`w${i}`)}`, "--"];
      const servers = (this.options.versions ?? [4]).map((version) => (version === 4 ? WORLD : WORLD6)).join(",");
      const words = [...enter, process.execPath, TRAFFIC, "client", servers, String(each)];
      const child = spawn(words[0] as string, words.slice(1), {
        stdio: ["pipe", "pipe", "inherit"],
        env: { ...process.env, HEDDLE_LAB: "" },
      });
      this.#clients.push(new Talker(child));
    }
    await waitFor("all connections to be made", async () => {
      const alive = await this.#askAll("begin");
      return alive.every((line) => line === `begun ${2 * each}`) ? true : undefined;
    });
  }

  /** Packets at the world whose source was neither the translated address nor a gateway's own. */
  async wrongSources(): Promise<number> {
    const { stdout } = await this.lab.exec("world", ["nft", "list", "table", "inet", "judge"]);
    const counts = [...stdout.matchAll(/counter packets (\d+)/g)].map(([, count]) => Number(count));
    return counts.length === 2 ? counts.reduce((sum, count) => sum + count, 0) : Number.NaN;
  }

  /** Makes long-lived connections anew that are lost, and waits until all of them live. */
  async renew(each: number): Promise<void> {
    await this.#askAll("renew");
    await waitFor("all connections to be made", async () => {
      const alive = await this.#askAll("begin");
      return alive.every((line) => line === `begun ${2 * each}`) ? true : undefined;
    });
  }

  /** Begins an observation. */
  async begin(): Promise<void> {
    await this.#askAll("begin");
  }

  /** Ends an observation: the worst of all workers. */
  async report(): Promise<TrafficReport> {
    const reports = (await this.#askAll("report")).map(
      (line) => JSON.parse(line.replace(/^report /, "")) as TrafficReport,
    );
    const sum = (pick: (report: TrafficReport) => number): number => reports.reduce((all, one) => all + pick(one), 0);
    const worst = (pick: (report: TrafficReport) => number): number => Math.max(...reports.map(pick));
    return {
      gaps: {
        udp: worst(({ gaps }) => gaps.udp),
        push: worst(({ gaps }) => gaps.push),
        drive: worst(({ gaps }) => gaps.drive),
      },
      lost: sum(({ lost }) => lost),
      lostPorts: reports.flatMap(({ lostPorts }) => lostPorts),
      alive: sum(({ alive }) => alive),
      made: sum(({ made }) => made),
      failed: sum(({ failed }) => failed),
      slowestMs: worst(({ slowestMs }) => slowestMs),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client[Symbol.dispose]();
    await this.lab.down();
  }

  #askAll(word: string): Promise<string[]> {
    return Promise.all(this.#clients.map((client) => client.ask(word)));
  }
}

function commOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

async function descendants(pid: number): Promise<number[]> {
  const children = childrenOf(pid);
  return [...children, ...(await Promise.all(children.map(descendants))).flat()];
}
