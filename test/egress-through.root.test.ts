// Owns the proof that probes go by the gateway in question though whoever asks is a chosen user as well: root, whose packets
// the section marks and leads to its group of gateways.
import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { HEALTH_PORTS } from "./health-ports.ts";
import { BOTH, HEDDLE, HTTP, stand, TCP, until, WORLD } from "./through-lab.ts";

test.each(["bpf", "nftables"])("root is chosen, by %s", { timeout: 120_000 }, async (by) => {
  const check = `{ interval: 50ms, timeout: 250ms, through: ["${TCP}", "${HTTP}/health"] }`;
  const who = `match: { users: [root, alice], protocols: [tcp] }\n          by: ${by}`;
  const { lab, server: world } = await stand(`through-${by}`, check, who);
  await using _lab = lab;
  using server = world;
  await using _agent = await lab.spawn("worker", [HEDDLE, "-f", lab.configOf("worker"), "agent"], {
    says: /"msg":"started"/,
  });
  await until(lab, BOTH);
  // Each gateway has been asked by way of itself: the world has seen both.
  for (const gateway of ["192.0.2.1", "192.0.2.2"]) {
    await expect
      .poll(async () => Number((await server.ask(`asked /health ${gateway}`)).split(" ")[1]), { timeout: 10_000 })
      .toBeGreaterThan(2);
  }
  const reach = ["socat", "-u", `TCP4:${WORLD}:${HEALTH_PORTS.other},connect-timeout=2`, "-"];
  for (const [dead, left] of [
    ["g1", "10.20.3.2"],
    ["g2", "10.20.3.1"],
  ] as const) {
    await lab.setLink(dead, "eth9", "carrier-lost", { wait: false });
    await until(lab, left);
    for (const who of [{ as: "alice" }, {}]) {
      expect(await lab.exec("worker", reach, who)).toMatchObject({ code: 0, stdout: "220 mail ready\r\n" });
    }
    await lab.setLink(dead, "eth9", "carrier-back");
    await until(lab, BOTH);
  }
  for (const host of ["g1", "g2"]) await lab.setLink(host, "eth9", "carrier-lost", { wait: false });
  await until(lab, "none");
  expect((await lab.exec("worker", reach, { as: "alice" })).code).not.toBe(0);
  for (const host of ["g1", "g2"]) await lab.setLink(host, "eth9", "carrier-back");
  await until(lab, BOTH);
});

test(
  "a host without a default route needs its answers unfiltered, and the doctor says so",
  { timeout: 120_000 },
  async () => {
    const who = "match: { users: [alice] }\n          rp_filter: loose";
    const { lab, server: world } = await stand("through-lone", `{ interval: 50ms, through: ["${TCP}"] }`, who);
    await using _lab = lab;
    using _server = world;
    const reach = ["socat", "-u", `TCP4:${WORLD}:${HEALTH_PORTS.other},connect-timeout=2`, "-"];
    const heddle = (...words: string[]): ReturnType<typeof lab.exec> =>
      lab.exec("worker", [HEDDLE, "-f", lab.configOf("worker"), ...words]);
    expect(await lab.exec("worker", reach, { as: "alice" })).toMatchObject({ code: 0 });
    expect(await lab.exec("worker", ["ip", "route", "del", "default"])).toMatchObject({ code: 0 });
    expect((await lab.exec("worker", reach, { as: "alice" })).code).not.toBe(0);
    expect((await heddle("doctor")).stdout).toContain("rp_filter on ib0 drops the answers to what a rule sends there");
    const file = readFileSync(lab.configOf("worker"), "utf8");
    writeFileSync(lab.configOf("worker"), file.replace("rp_filter: loose", "rp_filter: off"));
    expect(await heddle("apply")).toMatchObject({ code: 0 });
    expect(await lab.exec("worker", reach, { as: "alice" })).toMatchObject({ code: 0, stdout: "220 mail ready\r\n" });
    expect((await heddle("doctor")).stdout).not.toContain("strict-rp-filter");
  },
);
