// Owns the proof that targets behind gateways are asked by way of each gateway, and that what is learned is heeded: a
// gateway that answers while its uplink is dead is left, two lacks of three change nothing, and nobody slips out.
import { expect, test } from "vitest";
import { waitFor } from "../src/lab/child.ts";
import { HEALTH_PORTS } from "./health-ports.ts";
import { BOTH, HEDDLE, HTTP, stand, TCP, until, WORLD } from "./through-lab.ts";

test.each([
  ["TCP", TCP, "watch"],
  ["HTTP", `${HTTP}/health`, "agent"],
])("%s sees a dead uplink behind a gateway that answers", { timeout: 120_000 }, async (by, target, keeper) => {
  const check = `{ by: arp, interval: 50ms, timeout: 250ms, through: ["${target}"] }`;
  const { lab, server: world } = await stand(`through-${by.toLowerCase()}`, check);
  await using _lab = lab;
  using server = world;
  const worker = await lab.spawn("worker", [HEDDLE, "-f", lab.configOf("worker"), keeper], {
    says: /watching|"msg":"started"/,
  });
  await until(lab, BOTH);

  // The gateway lives, its neighbours hear it, and nothing comes through.
  await lab.setLink("g1", "eth9", "carrier-lost", { wait: false });
  await until(lab, "10.20.3.2");
  expect(worker.output).not.toMatch(/10\.20\.3\.\d(: does not answer|","msg":"does-not-answer")/);
  const say = async (...words: string[]): Promise<string> =>
    (await lab.exec("worker", [HEDDLE, "-f", lab.configOf("worker"), ...words])).stdout;
  expect(await say("status")).toContain(`3 of 4 probes answered\n  does not answer: 10.20.3.1 ${target}`);
  expect(await say("explain", "--to", WORLD)).toMatch(`health    ${target} by way of 10.20.3.2 answered after `);
  await lab.setLink("g1", "eth9", "carrier-back");
  await until(lab, BOTH);

  // None is left: refused, though the office would lead there, which is shown at the end.
  for (const host of ["g1", "g2"]) await lab.setLink(host, "eth9", "carrier-lost", { wait: false });
  await until(lab, "none");
  const reach = ["socat", "-u", `TCP4:${WORLD}:${HEALTH_PORTS.other},connect-timeout=2`, "-"];
  expect((await lab.exec("worker", reach)).code).not.toBe(0);
  for (const host of ["g1", "g2"]) await lab.setLink(host, "eth9", "carrier-back");
  await until(lab, BOTH);
  expect(await lab.exec("worker", reach)).toMatchObject({ code: 0, stdout: "220 mail ready\r\n" });

  if (by === "HTTP") {
    await server.ask("status 503");
    await until(lab, "none");
    await server.ask("status 204");
    await until(lab, BOTH);
  }
  expect(worker.output).toMatch(/does.not.answer/);
  await worker[Symbol.asyncDispose]();
  expect(await lab.exec("worker", [HEDDLE, "-f", lab.configOf("worker"), "remove"])).toMatchObject({ code: 0 });
  expect(await lab.exec("worker", reach)).toMatchObject({ code: 0 });
  const { stdout } = await lab.exec("worker", ["ip", "rule"]);
  expect(stdout).not.toMatch(/fwmark/);
});

test.each([
  [2, "two lacks of three change nothing", BOTH],
  [4, "four of five do", "none"],
])("flapping: %d, %s", { timeout: 120_000 }, async (flaps, _about, members) => {
  const check = `{ interval: 50ms, timeout: 250ms, through: ["${HTTP}/flap${flaps}"] }`;
  const { lab, server: world } = await stand(`through-flap${flaps}`, check);
  await using _lab = lab;
  using server = world;
  const worker = await lab.spawn("worker", [HEDDLE, "-f", lab.configOf("worker"), "watch"], { says: /watching/ });
  for (const gateway of ["192.0.2.1", "192.0.2.2"]) {
    await waitFor("many questions", async () => {
      const answer = await server.ask(`asked /flap${flaps} ${gateway}`);
      return Number(answer.split(" ")[1]) > 30 ? true : undefined;
    });
  }
  await until(lab, members);
  expect(/does not answer/.test(worker.output)).toBe(members === "none");
});
