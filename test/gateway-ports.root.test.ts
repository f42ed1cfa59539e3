// Owns the proof that whoever stands by knows a connection by the port that the world knows it by, and that no gateway
// makes up another one in the middle of a connection.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitFor } from "../src/lab/child.ts";
import type { Served } from "../src/lab/served.ts";
import { GatewayLab, WORLD } from "./gateway-lab.ts";

const SERVER = join(import.meta.dirname, "gateway-traffic.ts");
/** Own ports of the connections: as many as make each order in which a gateway may hear of them likely. */
const OWN = { first: 47_400, count: 12 } as const;
const PORTS = Array.from({ length: OWN.count }, (_, i) => OWN.first + i);
/** Opens a connection from each port given to one of the world's, and says something now and then. */
const CLIENT = `
  const [host, port, ...own] = process.argv.slice(1);
  let left = own.length;
  for (const localPort of own.map(Number)) {
    const socket = require("node:net").connect({ host, port: Number(port), localPort });
    socket.on("error", (error) => { throw error; }).resume();
    socket.once("connect", () => { setInterval(() => socket.write("x"), 200); if (--left === 0) console.log("open"); });
  }`;

let lab: GatewayLab;
const clients: Served[] = [];
beforeAll(async () => {
  lab = await GatewayLab.up({ name: "gw-ports", workers: 2, gateways: 2, interval: "1s", return: "1s" });
  for (const host of lab.gateways) await lab.start(host);
  await lab.untilActive("g1");
  await lab.untilReady("g2");
  await lab.lab.spawn("world", [process.execPath, SERVER, "server"], { says: /serving/ });
}, 90_000);
afterAll(() => lab[Symbol.asyncDispose]());

async function connect(worker: string, port: number): Promise<void> {
  const words = [process.execPath, "-e", CLIENT, WORLD, String(port), ...PORTS.map(String)];
  clients.push(await lab.lab.spawn(worker, words, { says: /open/ }));
}

/** The port that the world knows each connection to 7001 and 7002 by, for "worker:port of the worker>port of the world". */
async function portsAt(host: string): Promise<Record<string, string>> {
  const { stdout } = await lab.lab.exec(host, ["conntrack", "-L", "-p", "tcp"]);
  const pattern = /src=(\S+) dst=\S+ sport=(\d+) dport=(700[12]) .*? dport=(\d+) /g;
  const all = [...stdout.matchAll(pattern)].map(([, from, own, to, known]) => [
    `${from}:${own}>${to}`,
    known as string,
  ]);
  return Object.fromEntries(all) as Record<string, string>;
}

test("what is made anew elsewhere has the same port", { timeout: 60_000 }, async () => {
  // Two hosts use the same ports, so that the second one cannot have all of them in the world; and from each of its ports
  // it has a connection that could.
  await connect("w2", 7001);
  await connect("w1", 7002);
  await connect("w2", 7002);
  const known = await portsAt("g1");
  expect(Object.keys(known)).toHaveLength(3 * OWN.count);

  const run = join(lab.lab.folder, "hosts", "g2", "run");
  const folder = readdirSync(run).find((name) => name.startsWith("gateway-")) ?? "";
  await lab.lab.exec("g2", ["conntrack", "-F"]);
  await lab.lab.exec("g2", ["conntrackd", "-C", join(run, folder, "conntrackd.conf"), "-n"]);
  await waitFor("all connections to be there again", async () =>
    Object.keys(await portsAt("g2")).length === 3 * OWN.count ? true : undefined,
  );
  expect(await portsAt("g2")).toEqual(known);
});

test(
  "a connection that is not known any more gets no other port, by which the world would end it",
  { timeout: 60_000 },
  async () => {
    const count = `iifname "ib0" tcp dport { 7001, 7002 } counter`;
    const rules = `table inet seen { chain passing { type filter hook forward priority -10; ${count}; }; }`;
    expect(await lab.lab.exec("g1", ["nft", rules])).toMatchObject({ code: 0 });
    await lab.lab.exec("g1", ["conntrack", "-F"]);
    await waitFor("all hosts to go on speaking", async () => {
      const { stdout } = await lab.lab.exec("g1", ["nft", "list", "table", "inet", "seen"]);
      return Number(/packets (\d+)/.exec(stdout)?.[1]) >= 6 * OWN.count ? true : undefined;
    });
    expect(await portsAt("g1")).toEqual({});
    expect(clients.map(({ ended }) => ended)).toEqual([false, false, false]);
  },
);
