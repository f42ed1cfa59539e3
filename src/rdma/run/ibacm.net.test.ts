// Proves that the real ibacm finds hosts on Ethernet by the file that the bridge writes for it, with paths that OpenSM confirms.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { IbsimPort } from "../sa/ibsim-port.ts";
import { SaClient } from "../sa/sa-client.ts";
import { formatAddress } from "../../model/ip.ts";
import type { BridgeProcess } from "./testing/bridge-process.ts";
import { bytesOf, Stand } from "./testing/stand.ts";

const run = promisify(execFile);
const UNPACKED = join(import.meta.dirname, "../../../build/ibacm");
const root = join(UNPACKED, "root");
const [ROCE, ROCE6, ABSENT] = ["192.0.2.140", "fd00:2::c40", "192.0.2.141"];
/** ibacm's own host, as its file says. */
const [OWN, OWN6] = ["192.0.2.190", "fd00:2::c90"];
/** The host of the model that ibacm is on; its port's GUID is the node's and one. */
const NODE = { name: "H3", gid: "fe80::20:202", guid: "200202" };

let stand: Stand;
let bridge: BridgeProcess;
let folder: string;

beforeAll(async () => {
  if (!existsSync(join(UNPACKED, "complete"))) throw new Error("run tools/ibacm.sh first");
  folder = mkdtempSync(join(tmpdir(), "heddle-ibacm-"));
  const source = join(import.meta.dirname, "testing/verbs.c");
  const words = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", `-I${root}/usr/include`];
  execFileSync("cc", [...words, "-o", join(folder, "verbs.so"), source]);
  stand = await Stand.build(10, 4);
  bridge = stand.bridgeProcess("ac1", "H2", `messages: { register: [${ROCE}, "${ROCE6}"] }`);
  bridge.start();
  await bridge.active();
});

afterAll(async () => {
  await stand[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

test("the way to a host on Ethernet is that to the bridge, by either IP version; others it does not know", async () => {
  const [program, ...words] = bridge.words("bridge", "ibacm") as [string, ...string[]];
  const { stdout: hosts } = await run(program, words);
  writeFileSync(join(folder, "hosts"), hosts);
  writeFileSync(join(folder, "addresses"), `${OWN} ibsim0 1 default\n${OWN6} ibsim0 1 default\n`);
  const options = {
    log_file: "stdout",
    lock_file: join(folder, "lock"),
    server_mode: "unix",
    provider_lib_path: globSync(`${root}/usr/lib/*/ibacm`)[0],
    support_ips_in_addr_cfg: 1,
    route_prot: "sa",
    addr_preload: "acm_hosts",
    addr_timeout: -1,
    addr_data_file: join(folder, "hosts"),
  };
  const lines = Object.entries(options).map(([name, value]) => `${name} ${value}\n`);
  writeFileSync(join(folder, "options"), lines.join(""));

  await using port = await openPort();
  const { dlid: lid } = await port.sa.path(bytesOf(NODE.gid));
  const { smLid } = await port.port.place();
  const [simulator] = globSync("/usr/lib/*/umad2sim/libumad2sim.so");
  const env = {
    ...process.env,
    PRELOADED: `${simulator}:${join(folder, "verbs.so")}`,
    HEDDLE_PORT: `${NODE.guid} ${lid} ${smLid}`,
    SIM_HOST: NODE.name,
    IBSIM_SERVER_NAME: "127.0.0.1",
    IBSIM_SERVER_PORT: String(stand.fabric.port),
  };
  const script = join(import.meta.dirname, "testing/ask-ibacm.sh");
  const asked = [OWN, ROCE, OWN6, ROCE6, "-c", OWN, ABSENT];
  // The simulator's library keeps its files where it is started, and leaves them when it is killed.
  const { stdout } = await run("unshare", ["-m", "sh", script, root, folder, ...asked], { env, cwd: folder });

  const { infiniband } = (await bridge.status()) ?? {};
  const told = [...stdout.matchAll(/Destination: (\S+)[\s\S]*?return status (\S+)/g)];
  expect(told.map(([, to, status]) => [to, Number(status) === 0])).toEqual([
    [ROCE, true],
    [ROCE6, true],
    [ABSENT, false],
  ]);
  for (const [text] of told.slice(0, 2)) {
    expect(text).toContain(`dgid: ${infiniband?.gid}\n`);
    expect(text).toContain(`dlid: ${infiniband?.lid}\n`);
    expect(text).toContain(`sgid: ${formatAddress(bytesOf(NODE.gid))}\n`);
    expect(text).toContain("SA verification: success");
  }
});

async function openPort() {
  const port = await IbsimPort.open({ node: "H4", port: stand.fabric.port });
  return { port, sa: new SaClient(port), [Symbol.asyncDispose]: () => port.close() };
}
