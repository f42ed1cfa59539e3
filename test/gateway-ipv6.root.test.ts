// Owns the proof that IPv6 addresses move as IPv4 ones do, beside them and alone, and connections with them.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { waitFor } from "../src/lab/child.ts";
import { join } from "node:path";
import { GatewayLab, MOVING, MOVING6, WORLD6 } from "./gateway-lab.ts";

const EACH = 4;
const HEDDLE = join(import.meta.dirname, "../bin/heddle");
const SERVER = join(import.meta.dirname, "health-server.ts");

/** A lab in which the first gateway is active, the second is ready, and traffic flows. */
async function stand(name: string, versions: readonly (4 | 6)[]): Promise<GatewayLab> {
  const lab = await GatewayLab.up({ name, workers: 1, gateways: 2, interval: "1s", return: "1s", versions });
  await lab.lab.spawn("world", [process.execPath, SERVER, "::"], { says: /serving/ });
  for (const host of lab.gateways) await lab.start(host);
  await lab.untilActive("g1");
  await lab.untilReady("g2");
  await lab.startTraffic(EACH);
  return lab;
}

/** Waits until one gateway has all moving addresses, the other none, and every flow goes on. */
async function untilOnly(lab: GatewayLab, host: "g1" | "g2", moving: readonly string[]): Promise<void> {
  await waitFor(`only ${host} to have the addresses`, async () => {
    const [own, others] = [await lab.held(host), await lab.held(host === "g1" ? "g2" : "g1")];
    return others.length === 0 && String(own) === String(moving) ? true : undefined;
  });
  expect((await lab.report()).lost).toBe(0);
  await waitFor("the flows to go on", async () => {
    await lab.begin();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { gaps, alive } = await lab.report();
    return alive === 2 * EACH && Math.max(...Object.values(gaps)) < 250 ? true : undefined;
  });
  expect(await lab.wrongSources()).toBe(0);
}

test("both versions go together, whatever becomes of the active one", { timeout: 180_000 }, async () => {
  await using lab = await stand("gw-both", [4, 6]);
  const moving = [...Object.values(MOVING), ...Object.values(MOVING6)];
  await untilOnly(lab, "g1", moving);
  const { stdout } = await lab.lab.exec("g2", ["conntrack", "-L", "-f", "ipv6", "-p", "tcp"]);
  expect(stdout.match(/ESTABLISHED/g)?.length).toBeGreaterThanOrEqual(EACH);

  await lab.begin();
  await lab.lab.setLink("g1", "ib0", "carrier-lost", { wait: false });
  await untilOnly(lab, "g2", moving);
  await lab.lab.setLink("g1", "ib0", "carrier-back");
  await untilOnly(lab, "g1", moving);
  await lab.untilReady("g2");

  // Nobody takes the addresses off: the kernel does.
  await lab.begin();
  await lab.signal("g1", "heddle", "SIGKILL");
  await untilOnly(lab, "g2", moving);
  await lab.run("g1");
  await untilOnly(lab, "g1", moving);
  await lab.untilReady("g2");

  await lab.begin();
  expect(await lab.heddle("g1", "gateway", "drain")).toMatchObject({ code: 0 });
  await untilOnly(lab, "g2", moving);
  // Its own subnets stay: they did not come with the addresses that are gone.
  const routes = await lab.lab.exec("g1", ["ip", "-6", "route", "show", "fd00:20::/64"]);
  expect(routes.stdout).toMatch(/^fd00:20::\/64 dev ib0 proto kernel(?!.*expires)/);
  for (const host of lab.gateways) expect(await lab.heddle(host, "plan")).toMatchObject({ code: 0 });
});

test("IPv6 alone: adverts, connections and the uplink by IPv6", { timeout: 120_000 }, async () => {
  await using lab = await stand("gw-six", [6]);
  const moving = Object.values(MOVING6);
  await untilOnly(lab, "g1", moving);
  await lab.begin();
  await lab.lab.setLink("g1", "eth9", "carrier-lost", { wait: false });
  await untilOnly(lab, "g2", moving);
  await lab.lab.setLink("g1", "eth9", "carrier-back");
  await untilOnly(lab, "g1", moving);
  await lab.untilReady("g2");

  // The router answers, and what is behind it does not: only a question by HTTP sees that.
  await lab.begin();
  const cut = "table inet cut { chain out { type filter hook output priority 0; tcp dport 8080 drop; }; }";
  expect(await lab.lab.exec("g1", ["nft", cut])).toMatchObject({ code: 0 });
  await untilOnly(lab, "g2", moving);
  expect((await lab.heddle("g1", "gateway")).out).toContain(`uplink http://[${WORLD6}]:8080/: does not answer`);
  expect(await lab.lab.exec("g1", ["nft", "delete table inet cut"])).toMatchObject({ code: 0 });
  await untilOnly(lab, "g1", moving);

  // The doctor of who stands by hears the active one, and knows it.
  await lab.untilReady("g2");
  const { out } = await lab.heddle("g2", "--json", "doctor", "--listen", "2.5");
  const { findings } = JSON.parse(out) as { findings: { code: string }[] };
  expect(findings.filter(({ code }) => code.startsWith("vrrp"))).toEqual([]);
  // A file by which somebody else is its peer: the same adverts are a stranger's then.
  const file = readFileSync(lab.lab.configOf("g2"), "utf8").replace("2001:db8:181::51", "2001:db8:181::99");
  const strange = `${lab.lab.configOf("g2")}.strange`;
  writeFileSync(strange, file);
  const again = await lab.lab.exec("g2", [HEDDLE, "-f", strange, "--json", "doctor", "--listen", "2.5"]);
  expect(again.stdout).toContain("somebody else on eth9 has the virtual router number 51");
});
