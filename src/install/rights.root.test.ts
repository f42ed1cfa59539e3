// Owns the proof that an agent with the rights that its unit leaves it, and no others, makes and keeps everything.
import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { World } from "../../test/chaos/world.ts";
import { until } from "../../test/contract-steps.ts";
import { agentUnit } from "./units.ts";

/** Words before a command that leave it these rights alone. */
function only(rights: readonly string[]): string[] {
  const set = ["-all", ...rights.map((right) => `+${right.replace("CAP_", "").toLowerCase()}`)].join(",");
  return ["setpriv", `--bounding-set=${set}`, "--inh-caps=-all", "--"];
}

function rightsOf(unit: string): string[] {
  return /^CapabilityBoundingSet=(.+)$/m.exec(unit)?.[1]?.split(" ") ?? [];
}

const RIGHTS = rightsOf(agentUnit({ program: "/usr/bin/heddle" }));

test(
  "with the unit's rights everything is made, kept, and read again after a start",
  { timeout: 120_000 },
  async () => {
    await using world = await World.up("rights", only(RIGHTS));
    expect(world.whole.ours.join("\n")).toContain("pin ingress");
    expect(await world.marks()).toBe("true false true");
    await world.inside("nft", "flush", "ruleset");
    for (const pin of world.agent.pins()) rmSync(pin);
    for (const words of ["link set ib0 down", "link set ib0 up", "rule del from 172.16.34.1"]) await world.ip(4, words);
    await world.inside("sysctl", "-qw", "net.ipv4.conf.ib1.arp_ignore=0");
    let now: string[] = [];
    await until(
      async () => JSON.stringify((now = (await world.look()).ours)) === JSON.stringify(world.whole.ours),
    ).catch(() => expect(now).toEqual(world.whole.ours));
    // The far end is asked, and a new agent reads what the one before it made.
    await until(async () => world.agent.told("answers").length > 0);
    await world.agent.end();
    await world.agent.start();
    const status = await world.status();
    expect(status).toMatchObject({ repairs: { count: 0 }, standing: [], troubles: [] });
  },
);

const without = (right: string): string[] => only(RIGHTS.filter((one) => one !== right));

test("without CAP_NET_ADMIN nothing works, and without CAP_SYS_ADMIN no program", { timeout: 60_000 }, async () => {
  await expect(World.up("fewer-rights", without("CAP_NET_ADMIN"))).rejects.toThrow(/EPERM/);
  await expect(World.up("fewer-rights", without("CAP_SYS_ADMIN"))).rejects.toThrow("cannot run BPF programs");
  // To load them other rights would do; to read back what is loaded they do not.
  const toLoad = [...RIGHTS.filter((one) => one !== "CAP_SYS_ADMIN"), "CAP_BPF", "CAP_PERFMON"];
  await expect(World.up("fewer-rights", only(toLoad))).rejects.toThrow(/BPF program \d+: EPERM/);
});

test("without CAP_NET_RAW no far end is asked", { timeout: 60_000 }, async () => {
  await using world = await World.up("no-probes", without("CAP_NET_RAW"));
  await until(async () => world.agent.told("does-not-answer").length > 0);
  expect((await world.status())?.troubles).toEqual([]);
});
