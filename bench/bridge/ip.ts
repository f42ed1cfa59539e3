// Owns how long it takes until a host on one segment is reached from the other: one that has just come, and one that has
// moved; with heddle's agent between them, or parprouted with proxy_arp as its manual says. In shuffled rounds.
// Usage: tools/in-namespace.sh node bench/bridge/ip.ts [ROUNDS]
import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { AgentHost } from "../../test/agent.ts";
import type { TestNamespace } from "../../test/namespace.ts";
import { SegmentLab } from "../../test/segment-lab.ts";
import { shuffled, summarize } from "../statistics.ts";

const ROUNDS = Number(process.argv[2] ?? 15);
/** Between two pings, seconds; and when it is given up. */
const EVERY_S = 0.02;
const CEILING_MS = 60_000;
const PLACE = join(import.meta.dirname, "../../build/parprouted");

/** Debian's parprouted, unpacked and not installed. */
function parprouted(): string {
  const program = join(PLACE, "usr/sbin/parprouted");
  if (existsSync(program)) return program;
  mkdirSync(PLACE, { recursive: true });
  execFileSync("apt-get", ["download", "parprouted"], { cwd: PLACE, stdio: "inherit" });
  const [deb = ""] = readdirSync(PLACE).filter((name) => name.endsWith(".deb"));
  execFileSync("dpkg-deb", ["-x", deb, "."], { cwd: PLACE });
  return program;
}

function enter(namespace: TestNamespace, ...words: string[]): ChildProcess {
  const path = `/proc/${process.pid}/fd/${namespace.fd}`;
  return spawn("nsenter", [`--net=${path}`, "--", ...words], { stdio: ["ignore", "pipe", "ignore"] });
}

/** Milliseconds until the first answer to pings from now on; Infinity where none comes. */
async function untilAnswered(from: TestNamespace, to: string): Promise<number> {
  const start = performance.now();
  const ping = enter(from, "ping", "-n", "-i", String(EVERY_S), to);
  const answered = Promise.withResolvers<number>();
  ping.stdout?.setEncoding("utf8").on("data", (text: string) => {
    if (text.includes(" bytes from ")) answered.resolve(performance.now() - start);
  });
  const late = setTimeout(() => answered.resolve(Infinity), CEILING_MS);
  const ms = await answered.promise;
  clearTimeout(late);
  ping.kill("SIGINT");
  await once(ping, "exit");
  return ms;
}

interface Contestant {
  name: string;
  start: (router: AgentHost) => Promise<() => Promise<void>>;
}

const CONTESTANTS: Contestant[] = [
  {
    name: "heddle",
    start: async (router) => {
      router.write(`
bridge:
  fabrics: { infiniband: { link: ib0 }, ethernet: { link: eth2 }, arp: true }`);
      router.heddle("apply");
      await router.start();
      return async () => void (await router.end());
    },
  },
  {
    name: "parprouted",
    start: async ({ namespace }) => {
      for (const link of ["eth2", "ib0"]) {
        namespace.run("sysctl", "-qw", `net.ipv4.conf.${link}.proxy_arp=1`, `net.ipv4.conf.${link}.rp_filter=0`);
      }
      namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1");
      const child = enter(namespace, parprouted(), "-d", "eth2", "ib0");
      await new Promise((resolve) => setTimeout(resolve, 500));
      return async () => {
        child.kill("SIGTERM");
        await once(child, "exit");
      };
    },
  },
];

/** One contestant in a lab of its own: a host that comes, and moves. */
async function round({ start }: Contestant): Promise<{ fresh: number; moved: number }> {
  using lab = new SegmentLab();
  await using router = new AgentHost();
  lab.connect(router.namespace, "eth2", "left", "192.0.2.1/24");
  lab.connect(router.namespace, "ib0", "right", "192.0.2.2/24");
  const asker = lab.host("left", "192.0.2.10/24");
  const end = await start(router);
  try {
    const host = lab.host("right", "192.0.2.77/24");
    const fresh = await untilAnswered(asker.namespace, "192.0.2.77");
    // It comes with an empty memory, as after its link was down; the others know what they know.
    host.move("left");
    host.namespace.ip("neigh flush dev eth0");
    await untilAnswered(host.namespace, "192.0.2.10");
    await new Promise((resolve) => setTimeout(resolve, 3000));
    host.move("right");
    host.namespace.ip("neigh flush dev eth0");
    // It has something to say itself, as hosts do.
    void untilAnswered(host.namespace, "192.0.2.10").catch(() => {});
    const moved = await untilAnswered(asker.namespace, "192.0.2.77");
    return { fresh, moved };
  } finally {
    await end();
  }
}

const all = new Map(CONTESTANTS.map(({ name }) => [name, { fresh: [] as number[], moved: [] as number[] }]));
for (let i = 0; i < ROUNDS; i++) {
  for (const contestant of shuffled(CONTESTANTS)) {
    const { fresh, moved } = await round(contestant);
    all.get(contestant.name)?.fresh.push(fresh);
    all.get(contestant.name)?.moved.push(moved);
  }
  process.stderr.write(`round ${i + 1} of ${ROUNDS}\n`);
}
for (const [name, times] of all) {
  for (const [what, ms] of Object.entries(times)) {
    process.stdout.write(`${name.padEnd(10)} ${what.padEnd(5)} reached after, ms: ${JSON.stringify(summarize(ms))}\n`);
  }
}
