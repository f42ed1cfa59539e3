// Owns the lab in which targets behind gateways are asked: a worker with two gateways, a world, and an office by which what
// slips out would get there too.
import { join } from "node:path";
import { spawn } from "node:child_process";
import { expect } from "vitest";
import { waitFor } from "../src/lab/child.ts";
import { upLab } from "../src/lab/lab.ts";
import type { Lab } from "../src/lab/lab.ts";
import { readTopology } from "../src/lab/topology.ts";
import { HEALTH_PORTS } from "./health-ports.ts";
import { Talker } from "./talker.ts";

export const HEDDLE = join(import.meta.dirname, "../bin/heddle");
const SERVER = join(import.meta.dirname, "health-server.ts");
/** What is asked for, and what traffic is for. */
const TARGET = "192.0.2.80";
export const WORLD = "192.0.2.81";
export const TCP = `tcp://${TARGET}:${HEALTH_PORTS.accepts}`;
export const HTTP = `http://${TARGET}:${HEALTH_PORTS.http}`;

const gatewayHost = (number: number): string => `  g${number}:
    links:
      ib0: { segment: ib, addresses: [10.20.3.${number}/16] }
      eth9: { segment: outside, addresses: [192.0.2.${number}/24] }
    config: |
      version: 1
      gateway: { a: { inside: ib0, outside: eth9, nat: masquerade } }
`;

const topology = (name: string, check: string, who: string | undefined): string => `version: 1
name: ${name}
segments: { ib: {}, outside: {}, office: {} }
groups: { physics: 6001 }
hosts:
  worker:
${who === undefined ? "" : "    users: { alice: { uid: 5001, group: physics } }"}
    links:
      ib0: { segment: ib, addresses: [10.20.1.1/16] }
      eth0: { segment: office, addresses: [10.1.1.1/24] }
    routes: [default via 10.1.1.254 dev eth0]
    config: |
      version: 1
      egress:
        world:
          ${who ?? "match: { to: [192.0.2.0/24] }"}
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

/** A lab with its file applied everywhere, and the servers of the world. `who`: chosen users, a line of the section. */
export async function stand(name: string, check: string, who?: string): Promise<{ lab: Lab; server: Talker }> {
  const { value, diagnostics } = readTopology(topology(name, check, who), `${name}.yaml`);
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

/** The gateways that new connections may take: "none" when there is no way by them. */
async function membersAt(lab: Lab): Promise<string> {
  const { stdout } = await lab.exec("worker", ["ip", "-j", "nexthop", "show"]);
  const objects = JSON.parse(stdout) as { id: number; gateway?: string; group?: { id: number }[] }[];
  const group = objects.find((object) => object.group)?.group;
  if (!group) return "none";
  return group.map(({ id }) => objects.find((object) => object.id === id)?.gateway).join(" ");
}

/** Waits until new connections may take these gateways. */
export async function until(lab: Lab, members: string): Promise<void> {
  await waitFor(`members ${members}`, async () => ((await membersAt(lab)) === members ? true : undefined));
}

/** All of them. */
export const BOTH = "10.20.3.1 10.20.3.2";
