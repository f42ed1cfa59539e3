// Owns the spreading of packets that come and leave by VLANs, inside a guest: Debian's kernels have them as a module.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { numberKey } from "../../src/host/bpf/spread-maps.ts";
import { readSpreads, spreadPackets } from "../../src/host/bpf/spread.ts";
import { assemble, DROP, RETURN } from "../../src/host/classic-bpf.ts";
import { FrameQueue, FrameSocket } from "../../src/host/frames.ts";
import type { Host } from "../../src/host/host.ts";
import { OWN_NAMESPACE } from "../../src/host/native.ts";
import { bucketOf, hashFlow } from "../../src/model/spread-hash.ts";
import type { Flow } from "../../src/model/spread-hash.ts";
import { frameOf, packetOf } from "../../src/host/bpf/testing/packets.ts";

const FLOWS = 60;
/** Where a bucket has the count of its packets (native/bpf/spread.h), and its size. */
const BUCKET = { packets: 16, bytes: 32 };
const MARK = { mask: 0x3000000, shift: 24 };

const ip = (words: string): string => execFileSync("ip", words.split(" "), { encoding: "utf8" });

/** What came of flows that came in by a VLAN of the first link and were spread over VLANs of two others. */
export interface VlanResult {
  /** Packets in the VLANs behind either member, and how many the model has for each. */
  came: number[];
  meant: number[];
  /** Packets that the buckets counted: each once, though a program is at the link below the VLAN as well. */
  counted: number;
}

/** Needs the links ib0, ib1 and ib2, with far ends far-…, and leaves VLANs on them. */
export async function spreadOverVlans(host: Host): Promise<VlanResult> {
  // What hosts send by themselves would be counted as well.
  writeFileSync("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
  for (const [link, vlan] of [
    ["ib0", 5],
    ["ib1", 7],
    ["ib2", 7],
  ] as const) {
    for (const below of [link, `far-${link}`]) {
      ip(`link add link ${below} name ${below}.${vlan} type vlan id ${vlan}`);
      ip(`link set ${below}.${vlan} up`);
    }
  }
  const flows = Array.from({ length: FLOWS }, (_, i): Flow => {
    return { source: "10.0.1.10", destination: "10.0.2.11", protocol: 17, ports: { source: 1000 + i, destination: 7 } };
  });
  for (const [i, link] of ["ib1.7", "ib2.7"].entries()) {
    ip(`route add 10.0.2.0/24 dev ${link} table ${101 + i}`);
    ip(`rule add fwmark 0x${(i + 1).toString(16)}000000/0x3000000 table ${101 + i}`);
    ip(`neigh add 10.0.2.11 lladdr ${hardwareAddress(`far-${link}`)} dev ${link}`);
  }
  ip("addr add 10.0.1.1/24 dev ib0.5");
  // At the far ends, which are of the same host, they end.
  writeFileSync("/proc/sys/net/ipv4/conf/ib0.5/forwarding", "1");
  const spreader = spreadPackets({ namespace: OWN_NAMESPACE });
  const links = await host.links();
  const members = ["ib1.7", "ib2.7"].map((link, i) => ({ number: i + 1, link, weight: 1 }));
  const way = { by: "hash", mechanism: "mark" } as const;
  const spec = { name: "vlans", to: ["10.0.2.0/24"], gapMs: 20, ...way, ...MARK };
  await spreader.write(
    { program: "spread", ingress: ["ib0", "ib0.5"], egress: [], spreads: [{ ...spec, members, local: true }] },
    links,
  );
  using opened = spreader.open();
  const [first] = readSpreads(opened?.maps ?? new Map(), () => undefined).values();
  const placement = opened?.maps.get("placements")?.lookup(numberKey(0));
  const membersOf = flows.map((flow) => placement?.[bucketOf(hashFlow(first?.key ?? new Uint8Array(16), flow))] ?? 0);

  const counts = (): number[] => ["far-ib1.7", "far-ib2.7"].map(received);
  const before = counts();
  const out = links.find(({ name }) => name === "far-ib0.5")?.index ?? 0;
  const socket = FrameSocket.onLink(out, assemble([[RETURN, 0, 0, DROP]]));
  const frames = flows.map((flow) => whole(frameOf(packetOf(flow)), hardwareAddress("ib0.5")));
  const bytes = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0));
  const queue = new FrameQueue();
  let at = 0;
  for (const frame of frames) {
    bytes.set(frame, at);
    queue.add(at, frame.length);
    at += frame.length;
  }
  socket.send(bytes, queue);
  const came = (): number[] => counts().map((count, i) => count - (before[i] ?? 0));
  for (let tries = 0; tries < 100 && came().reduce((a, b) => a + b) < FLOWS; tries++) await sleep(20);
  socket.close();
  let counted = 0;
  for (const { value } of opened?.maps.get("buckets")?.readAll() ?? []) {
    counted += Number(new DataView(value.buffer, value.byteOffset).getBigUint64(BUCKET.packets, true));
  }
  const result = { came: came(), meant: [1, 2].map((n) => membersOf.filter((one) => one === n).length), counted };
  await spreader.remove();
  return result;
}

function hardwareAddress(link: string): string {
  return (JSON.parse(ip(`-j link show ${link}`)) as { address: string }[])[0]?.address ?? "";
}

function received(link: string): number {
  const [found] = JSON.parse(ip(`-s -j link show ${link}`)) as { stats64: { rx: { packets: number } } }[];
  return found?.stats64.rx.packets ?? 0;
}

/** The frame with the address that it is for, and the sum of its IPv4 header, without which a router drops it. */
function whole(frame: Uint8Array, to: string): Uint8Array {
  frame.set(
    to.split(":").map((pair) => Number.parseInt(pair, 16)),
    0,
  );
  const header = new DataView(frame.buffer, frame.byteOffset + 14, 20);
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += header.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  header.setUint16(10, ~sum & 0xffff);
  return frame;
}
