// Proves that a wall clock which jumps by hours and years neither hurries nor holds up what waits for its time, and that
// what is written down with the time of day stays whole and in its order.
import { beforeEach, describe, expect, test } from "vitest";
import { AgentHost } from "../../test/agent.ts";
import { HOUR_S, WrongClock, YEAR_S } from "../../test/clock/wrong-clock.ts";
import { until } from "../../test/contract-steps.ts";

let host: AgentHost;
let clock: WrongClock;
const MULTIHOME = "multihome: { ib: { links: [ib0, ib1] } }";
const ROUTE = "static: { s: { routes: [{ to: 10.1.0.0/16, link: ib0, table: 77 }] } }";
const JUMPS = [
  ["ten years ahead", 10 * YEAR_S],
  ["an hour back", -HOUR_S],
] as const;

const rules = (): string => host.namespace.ip("rule");
const table = (): string => host.namespace.ip("route show table all proto 72");
const apply = (text: string, ...words: string[]): void => {
  host.write(text);
  expect(host.heddle("apply", ...words)).toMatchObject({ code: 0 });
};

beforeEach(() => {
  host = new AgentHost();
  clock = new WrongClock(host.place);
  Object.assign(host.environment, clock.environment);
  host.namespace.addLink("ib0", ["172.16.34.1/16"]);
  host.namespace.addLink("ib1", ["172.16.34.2/16"]);
  apply(MULTIHOME);
  return () => host[Symbol.asyncDispose]();
});

/** A change waits, the clock jumps, whoever waits looks at it, and it is undone: not before its time, and at all. */
async function isUndoneInTime(aheadS: number, waitsS: number): Promise<void> {
  const began = performance.now();
  apply(`${MULTIHOME}\n${ROUTE}`, "--confirm", String(waitsS));
  expect(table()).toContain("10.1.0.0/16");
  clock.set(aheadS);
  host.namespace.ip("rule del from 172.16.34.2");
  await until(async () => !table().includes("10.1.0.0/16"));
  // The kernel tells its age in hundredths of a second.
  expect(performance.now() - began).toBeGreaterThan(waitsS * 1000 - 20);
  expect(rules()).toContain("from 172.16.34.1 lookup 7000");
}

describe.each(JUMPS)("the clock jumps %s", (_, aheadS) => {
  test("while a change waits for its confirmation: the agent undoes it when its time has come", async () => {
    await host.start();
    await isUndoneInTime(aheadS, 2);
    await until(async () => host.told("undone").length > 0);
    // The control: the agent's clock did jump.
    const off = Date.parse(host.status().looks.last ?? "") - Date.now();
    expect(Math.abs(off / 1000 - aheadS)).toBeLessThan(HOUR_S / 2);
  });

  test("while a change waits for its confirmation: without an agent the guard undoes it", async () => {
    // The guard looks every five seconds.
    await isUndoneInTime(aheadS, 6);
    await until(async () => host.guards().length === 0);
  });

  test("while somebody fights: the rest ends, and the fight with it", async () => {
    // That a fight is over is found by the next look.
    await host.start("--look-every", "1");
    await until(async () => {
      host.namespace.ip("rule del from 172.16.34.1");
      await until(async () => rules().includes("from 172.16.34.1") || host.told("fight").length > 0);
      return host.told("fight").length > 0;
    });
    host.namespace.ip("rule del from 172.16.34.1");
    clock.set(aheadS);
    await until(async () => rules().includes("from 172.16.34.1 lookup 7000"));
    await until(async () => host.told("fight-over").length > 0);
    expect(host.status().standing).toEqual([]);
  });

  test("while the agent is killed: the next one finds everything that the one before wrote", async () => {
    await host.start();
    clock.set(aheadS);
    host.namespace.ip("rule del from 172.16.34.1");
    await until(async () => host.told("repaired").length > 0);
    await host.end("SIGKILL");
    clock.set(-aheadS);
    await host.start();
    expect(host.heddle("plan").code).toBe(0);
    expect(host.heddle("remove")).toMatchObject({ code: 0 });
    expect(rules()).not.toContain("proto 72");
    expect(host.namespace.run("sysctl", "-n", "net.ipv4.conf.ib0.arp_ignore").trim()).toBe("0");
  });
});

test("history keeps the order in which things were done, and says where the clock was set back", async () => {
  apply(`${MULTIHOME}\n${ROUTE}`);
  expect(host.heddle("history").err).not.toContain("set back");
  clock.set(-YEAR_S);
  apply(MULTIHOME);
  const { out, err } = host.heddle("history");
  expect(out.split("\n").flatMap((line) => /^ +(\d+) /.exec(line)?.[1] ?? [])).toEqual(["3", "2", "1"]);
  expect(err).toContain("the clock was set back between 2 and 3");
  const { diagnostics } = JSON.parse(host.heddle("--json", "history").out) as { diagnostics: { code: string }[] };
  expect(diagnostics.map(({ code }) => code)).toEqual(["clock-set-back"]);
});
