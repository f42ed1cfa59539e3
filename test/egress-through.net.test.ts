// Owns the proof that targets behind gateways are asked by way of each gateway, and that what is learned is heeded: a
// gateway that answers while its uplink is dead is left, two lacks of three change nothing, and nobody slips out.
import { join } from "node:path";
import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { waitFor } from "../src/lab/child.ts";
import { upLab } from "../src/lab/lab.ts";
import type { Lab } from "../src/lab/lab.ts";
import { readTopology } from "../src/lab/topology.ts";
import { HEALTH_PORTS } from "./health-ports.ts";
import { Talker } from "./talker.ts";

const HEDDLE = join(import.meta.dirname, "../bin/heddle");
const SERVER = join(import.meta.dirname, "health-server.ts");
/** What is asked for, and what traffic is for. */
const TARGET = "192.0.2.80";
const WORLD = "192.0.2.81";
const TCP = `tcp://${TARGET}:${HEALTH_PORTS.accepts}`;
const HTTP = `http://${TARGET}:${HEALTH_PORTS.http}`;

const gatewayHost = (number: number): string => `  g${number}:
    links:
      ib0: { segment: ib, addresses: [10.20.3.${number}/16] }
      eth9: { segment: outside, addresses: [192.0.2.${number}/24] }
    config: |
      version: 1
      gateway: { a: { inside: ib0, outside: eth9, nat: masquerade } }
`;

const topology = (name: string, check: string): string => `version: 1
name: ${name}
segments: { ib: {}, outside: {}, office: {} }
hosts:
  worker:
    links:
      ib0: { segment: ib, addresses: [10.20.1.1/16] }
      eth0: { segment: office, addresses: [10.1.1.1/24] }
    routes: [default via 10.1.1.254 dev eth0]
    config: |
      version: 1
      egress:
        world:
          match: { to: [192.0.2.0/24] }
          link: ib0
          gateways: [10.20.3.1, 10.20.3.2]
          check: ${check}
${gatewayHost(1)}${gatewayHost(2)}  world:
    links: { eth0: { segment: outside, addresses: [${TARGET}/24, ${WORLD}/24] } }
  # It would take what slips out by the ordinary way, and lead it to the world.
  office:
    links:
      eth0: { segment: office, addresses: [10.1.1.254/24] }
      eth9: { segment: outside, addresses: [192.0.2.9/24] }
    config: |
      version: 1
      gateway: { a: { inside: eth0, outside: eth9, nat: masquerade } }
`;

/** A lab with its file applied everywhere, and the servers of the world. */
async function stand(name: string, check: string): Promise<{ lab: Lab; server: Talker }> {
  const { value, diagnostics } = readTopology(topology(name, check), `${name}.yaml`);
  if (!value) throw new Error(JSON.stringify(diagnostics));
  const lab = await upLab(value, { transient: true, name });
  for (const host of ["g1", "g2", "office", "worker"]) {
    expect(await lab.exec(host, [HEDDLE, "-f", lab.configOf(host), "apply"])).toMatchObject({ code: 0 });
  }
  const words = [`--net=${lab.netns("world")}`, "--", process.execPath, SERVER, "::"];
  const child = spawn("setpriv", ["--pdeathsig=SIGKILL", "--", "nsenter", ...words], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const server = new Talker(child);
  expect(await server.ask("status 200")).toBe("serving");
  expect(await server.ask("asked /")).toBe("status 200");
  return { lab, server };
}

/** The gateways that new connections may take: "none" when the worker refuses them. */
async function membersAt(lab: Lab): Promise<string> {
  const { stdout } = await lab.exec("worker", ["ip", "-j", "nexthop", "show"]);
  const objects = JSON.parse(stdout) as { id: number; gateway?: string; group?: { id: number }[] }[];
  const group = objects.find((object) => object.group)?.group ?? [];
  const { stderr } = await lab.exec("worker", ["ip", "route", "get", WORLD]);
  if (/No route to host/.test(stderr)) return "none";
  return group.map(({ id }) => objects.find((object) => object.id === id)?.gateway).join(" ");
}

const until = async (lab: Lab, members: string): Promise<void> => {
  await waitFor(`members ${members}`, async () => ((await membersAt(lab)) === members ? true : undefined));
};
const BOTH = "10.20.3.1 10.20.3.2";

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
