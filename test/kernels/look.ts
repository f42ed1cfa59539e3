// Owns what is done inside a guest: every BPF program of heddle's is loaded by the kernel that runs there, those that
// judge packets are put at links, judge some, and tell that these have come. It says one line of JSON.
import { execFileSync } from "node:child_process";
import { release } from "node:os";
import { join } from "node:path";
import type { Descriptor } from "../../src/host/bpf/call.ts";
import { markSockets } from "../../src/host/bpf/mark-sockets.ts";
import { runOnFrame } from "../../src/host/bpf/load.ts";
import { openProgram } from "../../src/host/bpf/program.ts";
import { readSpreads, spreadPackets } from "../../src/host/bpf/spread.ts";
import { SpreadEar } from "../../src/host/bpf/spread-ear.ts";
import { openPlaces } from "../../src/host/bpf/spread-places.ts";
import type { LinkHook } from "../../src/host/bpf/spread-pins.ts";
import { numberKey } from "../../src/host/bpf/spread-maps.ts";
import { openHost } from "../../src/host/kernel.ts";
import { namespaceCookie, OWN_NAMESPACE } from "../../src/host/native.ts";
import { bucketOf, hashFlow } from "../../src/model/spread-hash.ts";
import type { Flow } from "../../src/model/spread-hash.ts";
import type { SpreadMechanism } from "../../src/model/spread-program.ts";
import { frameOf, packetOf } from "../../src/host/bpf/testing/packets.ts";
import { spreadOverVlans } from "./vlans.ts";

const ip = (words: string): void => void execFileSync("ip", words.split(" "), { stdio: "inherit" });
const said: Record<string, unknown> = { kernel: release() };

/** What came of a part; a failure is told, and the next part goes on. */
async function part(name: string, work: () => Promise<unknown>): Promise<void> {
  try {
    said[name] = await work();
  } catch (error) {
    said[name] = error instanceof Error ? error.message : String(error);
  }
}

for (const link of ["ib0", "ib1", "ib2"]) {
  ip(`link add ${link} type veth peer name far-${link}`);
  ip(`link set ${link} up`);
  ip(`link set far-${link} up`);
}
const host = openHost();
const flows = Array.from({ length: 200 }, (_, i): Flow => {
  const ports = { source: 1000 + i, destination: 7777 };
  return i % 2 === 0
    ? { source: "10.0.1.10", destination: "10.0.2.11", protocol: i % 4 ? 6 : 17, ports }
    : { source: "fd00:1::10", destination: "fd00:2::11", protocol: i % 3 ? 6 : 17, ports };
});

const INGRESS: [string, LinkHook] = ["ib0", "tcx/ingress"];
const EGRESS: [string, LinkHook] = ["ib1", "tcx/egress"];

/** How many of the flows get the mark that the model gives them, and how they spread. */
async function spreads(mechanism: SpreadMechanism): Promise<unknown> {
  const spreader = spreadPackets({ namespace: OWN_NAMESPACE });
  const links = await host.links();
  const members = ["ib1", "ib2"].map((link, i) => ({ number: i + 1, link, weight: 1 }));
  const spec = {
    name: "opa",
    by: "load" as const,
    to: ["10.0.2.0/24", "fd00:2::/64"],
    mask: 0x3000000,
    shift: 24,
    gapMs: 20,
  };
  // Where the kernel tells that frames can be had, the program for them is put there as well.
  const frames = mechanism === "fast" && (await host.frameLinks())?.receive.includes("ib0") ? { frames: ["ib0"] } : {};
  const at = mechanism === "redirect" ? { ingress: [], egress: ["ib1"] } : { ingress: ["ib0"], egress: [], ...frames };
  await spreader.write({ program: "spread", ...at, spreads: [{ ...spec, mechanism, members, local: true }] }, links);
  const read = await spreader.read(links);
  using opened = spreader.open();
  const [first] = readSpreads(opened?.maps ?? new Map(), () => undefined).values();
  const placement = opened?.maps.get("placements")?.lookup(numberKey(0));
  using program = await programAt(...(mechanism === "redirect" ? EGRESS : INGRESS));
  const { promise, resolve } = Promise.withResolvers<boolean>();
  using ear = new SpreadEar(() => resolve(true));
  if (opened) ear.listen(opened, 1);
  const marks = flows.map((flow) => runOnFrame(program, frameOf(packetOf(flow)), 0x55).mark);
  const right = flows.filter((flow, i) => {
    const member = placement?.[bucketOf(hashFlow(first?.key ?? new Uint8Array(16), flow))] ?? 0;
    return marks[i] === ((member << 24) | 0x55);
  });
  const late = setTimeout(() => resolve(false), 20_000);
  const heard = await promise;
  clearTimeout(late);
  await spreader.remove();
  const left = await spreader.read(links);
  return {
    whole: read?.broken === undefined,
    frames: read?.frames,
    right: right.length,
    heard,
    ways: new Set(marks).size,
    left: left !== undefined,
  };
}

/** The program that runs at a hook of a link, whichever way it came there. */
async function programAt(name: string, hook: LinkHook): Promise<Descriptor> {
  const index = (await host.links()).find((link) => link.name === name)?.index ?? 0;
  const folder = join("/sys/fs/bpf/heddle", namespaceCookie(OWN_NAMESPACE), "spread");
  using places = openPlaces(folder, OWN_NAMESPACE, undefined);
  const found = (await places.list([index])).find((one) => one.hook === hook && one.index === index);
  const program = found && openProgram(found.program);
  if (!program) throw new Error(`no program is at ${hook} of ${name}`);
  return program;
}

for (const mechanism of ["mark", "redirect", "fast"] as const) await part(mechanism, () => spreads(mechanism));
await part("sockets", async () => {
  const marker = markSockets();
  await marker.write(0xff, { users: [{ first: 0, last: 0, bits: 1 }], groups: [], members: [], cgroups: [] });
  const read = await marker.read();
  await marker.remove();
  return { attached: read?.attached, ids: read?.ids };
});
await part("vlans", () => spreadOverVlans(host));
host.close();
process.stdout.write(`${JSON.stringify(said)}\n`);
