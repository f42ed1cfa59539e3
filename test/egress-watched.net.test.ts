// Owns the proof that gateways whose health is watched are used while they answer: connections keep theirs, new ones go by
// those that are well, and when none is left, packets are refused.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { waitFor } from "../src/lab/child.ts";
import { upLab } from "../src/lab/lab.ts";
import { readTopology } from "../src/lab/topology.ts";
import { Talker } from "./talker.ts";
import type { TrafficReport } from "./gateway-traffic.ts";

const HEDDLE = join(import.meta.dirname, "../bin/heddle");
const TRAFFIC = join(import.meta.dirname, "gateway-traffic.ts");
const EACH = 8;
/** The kernel shares by destination (fib_multipath_hash_policy 0), so there are several. */
const WORLD = Array.from({ length: EACH }, (_, i) => `192.0.2.${80 + i}`);

const gatewayHost = (number: number): string => `  g${number}:
    links:
      ib0: { segment: ib, addresses: [10.20.3.${number}/16] }
      eth9: { segment: outside, addresses: [192.0.2.${number}/24] }
    config: |
      version: 1
      gateway: { a: { inside: ib0, outside: eth9, nat: masquerade } }
`;

const TOPOLOGY = `version: 1
name: watched
segments: { ib: {}, outside: {} }
hosts:
  worker:
    links: { ib0: { segment: ib, addresses: [10.20.1.1/16] } }
    config: |
      version: 1
      egress:
        world:
          match: { to: [192.0.2.0/24] }
          link: ib0
          gateways: [10.20.3.1, 10.20.3.2]
          check: { interval: 50ms }
${gatewayHost(1)}${gatewayHost(2)}  world:
    links: { eth0: { segment: outside, addresses: [${WORLD.map((address) => `${address}/24`).join(", ")}] } }
`;

const KEEPERS = [
  {
    keeper: "watch",
    begins: /watching/,
    lost: /10\.20\.3\.1: does not answer/,
    back: /10\.20\.3\.1: answers\n[^]*10\.20\.3\.1: answers/,
  },
  {
    keeper: "agent",
    begins: /"msg":"started"/,
    lost: /"target":"10\.20\.3\.1"[^\n]*does-not-answer/,
    back: /"target":"10\.20\.3\.1"[^\n]*does-not-answer[^]*"target":"10\.20\.3\.1"[^\n]*"answers"/,
  },
];

test.each(KEEPERS)(
  "connections keep their gateway, new ones go by those that answer ($keeper)",
  { timeout: 120_000 },
  async ({ keeper, begins, lost, back }) => {
    const { value, diagnostics } = readTopology(TOPOLOGY, "watched.yaml");
    if (!value) throw new Error(JSON.stringify(diagnostics));
    await using lab = await upLab(value, { transient: true });
    const heddle = (host: string, ...words: string[]): string[] => [HEDDLE, "-f", lab.configOf(host), ...words];
    for (const host of ["g1", "g2", "worker"]) {
      expect(await lab.exec(host, heddle(host, "apply"))).toMatchObject({ code: 0 });
    }
    await lab.spawn("world", [process.execPath, TRAFFIC, "server"], { says: /serving/ });
    const watcher = await lab.spawn("worker", heddle("worker", keeper), { says: begins });
    const words = ["nsenter", `--net=${lab.netns("worker")}`, "--", process.execPath, TRAFFIC, "client", WORLD.join()];
    using client = new Talker(
      spawn("setpriv", ["--pdeathsig=SIGKILL", "--", ...words, String(EACH)], { stdio: ["pipe", "pipe", "inherit"] }),
    );
    const alive = async (): Promise<number> => Number((await client.ask("begin")).split(" ")[1]);
    const report = async (): Promise<TrafficReport> =>
      JSON.parse((await client.ask("report")).replace("report ", "")) as TrafficReport;
    await waitFor("all connections", async () => ((await alive()) === 2 * EACH ? true : undefined));

    /** Long-lived connections that go by a gateway. */
    const by = async (host: string): Promise<number> => {
      const { stdout } = await lab.exec(host, ["conntrack", "-L", "-p", "tcp", "--state", "ESTABLISHED"]);
      return [...stdout.matchAll(/dport=700[12] src/g)].length;
    };
    const [first, second] = [await by("g1"), await by("g2")];
    expect(first + second).toBe(2 * EACH);
    expect(Math.min(first, second)).toBeGreaterThan(0);

    await lab.setLink("g1", "ib0", "carrier-lost", { wait: false });
    await waitFor("the loss to be seen", async () => (lost.test(watcher.output) ? true : undefined));
    await waitFor("the group to have one member", async () => {
      const { stdout } = await lab.exec("worker", ["ip", "nexthop", "show"]);
      return /group \d+ type resilient/.test(stdout) ? true : undefined;
    });
    // New ones: all of them are made from now on.
    await alive();
    await waitFor("new connections", async () => ((await report()).made >= 20 ? true : undefined));
    expect(await by("g2")).toBeGreaterThanOrEqual(second);
    // Those of the other gateway, which translates to an address of its own, are lost; none of this one's is.
    const { alive: most } = await waitFor("the lost ones to be silent", async () => {
      const seen = await report();
      return seen.alive <= second ? seen : undefined;
    });
    expect(most).toBe(second);

    await lab.setLink("g1", "ib0", "carrier-back");
    await waitFor("the return to be seen", async () => (back.test(watcher.output) ? true : undefined));
    await alive();
    await waitFor("new connections", async () => ((await report()).made >= 20 ? true : undefined));
    expect((await report()).alive).toBe(second);

    for (const host of ["g1", "g2"]) await lab.setLink(host, "ib0", "carrier-lost", { wait: false });
    await waitFor("packets to be refused", async () => {
      const { stderr } = await lab.exec("worker", ["ip", "route", "get", "192.0.2.80"]);
      return /No route to host/.test(stderr) ? true : undefined;
    });
  },
);
