// Owns what the RDMA codec costs: CPU time and garbage for each packet, in shuffled rounds, the medians of which are
// shown with their 95 % intervals.
// Usage: node bench/rdma-codec.ts [ROUNDS]
import { summarize } from "./statistics.ts";
import { writeBth, Bth, readBth } from "../src/rdma/codec/bth.ts";
import { copyBytes, u32le } from "../src/rdma/codec/bytes.ts";
import { Grh, GRH_BYTES, GRH_NEXT_BTH, writeGrh } from "../src/rdma/codec/grh.ts";
import { icrcHead, icrcIsRight, icrcOfChange, setIcrc } from "../src/rdma/codec/icrc.ts";
import { locateEthernet, locateInfiniband } from "../src/rdma/codec/locate.ts";
import { LNH, Lrh, LRH_BYTES, writeLrh } from "../src/rdma/codec/lrh.ts";
import { PacketParts } from "../src/rdma/codec/packet-parts.ts";
import { buildPacket } from "../src/rdma/codec/build-packet.ts";
import { readPacket } from "../src/rdma/codec/read-packet.ts";
import { vector } from "../src/rdma/codec/testing/vectors.ts";
import { computeVcrc, setVcrc } from "../src/rdma/codec/vcrc.ts";

const ROUNDS = Number(process.argv[2] ?? 30);
/** CPU time of a row in one round, about: the kernel counts it in steps that are not small against a packet. */
const ROW_MS = 60;
const WARM_UP = 100_000;
const SIZES = [64, 256, 1024, 4096];
/** Room before a packet, for headers that are longer on the other side. */
const HEADROOM = 64;

interface Row {
  name: string;
  run: (count: number) => number;
}

/** RoCEv2 packets with a payload of so many bytes, in an arena with room around. */
function packetOf(payloadBytes: number): { arena: Uint8Array; to: number } {
  const { bytes } = vector("roce4_ud_send");
  const parts = new PacketParts();
  locateEthernet(parts, bytes, 0, bytes.length);
  const packet = buildPacket({ ...readPacket(parts, bytes), payload: new Uint8Array(payloadBytes).fill(7) });
  const arena = new Uint8Array(HEADROOM + packet.length + HEADROOM);
  arena.set(packet, HEADROOM);
  return { arena, to: HEADROOM + packet.length };
}

const [parts, after, bth, lrh, grh] = [new PacketParts(), new PacketParts(), new Bth(), new Lrh(), new Grh()];
lrh.next = LNH.grh;

/** What a bridge does: the native packet of a RoCEv2 one, its ICRC by difference, or by difference without a VCRC. */
function translate(arena: Uint8Array, to: number, withVcrc: boolean): number {
  const fault = locateEthernet(parts, arena, HEADROOM, to);
  if (fault !== 0) return fault;
  const before = icrcHead(parts, arena, parts.payload);
  const icrc = u32le(arena, parts.icrc);
  const tail = parts.icrc - parts.payload;
  const start = parts.bth - GRH_BYTES - LRH_BYTES;
  // The RoCE headers are kept aside, so that the next round finds them again.
  copyBytes(saved, 0, arena, start, GRH_BYTES + LRH_BYTES);
  lrh.words = (parts.end - start) >> 2;
  grh.payloadLength = parts.end - parts.bth;
  grh.nextHeader = GRH_NEXT_BTH;
  writeLrh(arena, start, lrh);
  writeGrh(arena, start + LRH_BYTES, grh);
  locateInfiniband(after, arena, start, parts.end);
  const changed = icrcOfChange(icrc, before, icrcHead(after, arena, after.payload), tail);
  setIcrc(arena, after.icrc, changed);
  if (withVcrc) setVcrc(arena, after.end, computeVcrc(arena, start, after.end));
  copyBytes(arena, start, saved, 0, GRH_BYTES + LRH_BYTES);
  setIcrc(arena, parts.icrc, icrc);
  return changed & 1;
}
const saved = new Uint8Array(GRH_BYTES + LRH_BYTES);

const repeat = (work: () => number) => (count: number) => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += work();
  return sum;
};

const rows: Row[] = SIZES.flatMap((size) => {
  const { arena, to } = packetOf(size);
  const check = (): number => {
    locateEthernet(parts, arena, HEADROOM, to);
    return Number(icrcIsRight(parts, arena));
  };
  return [
    { name: `locate, ${size} B`, run: repeat(() => locateEthernet(parts, arena, HEADROOM, to)) },
    { name: `locate and check the ICRC, ${size} B`, run: repeat(check) },
    { name: `RoCEv2 to InfiniBand, ICRC by difference, ${size} B`, run: repeat(() => translate(arena, to, false)) },
    { name: `the same with a VCRC, ${size} B`, run: repeat(() => translate(arena, to, true)) },
  ];
});
const { arena: small } = packetOf(64);
rows.push({
  name: "read and write a BTH",
  run: repeat(() => {
    readBth(small, HEADROOM + 42, bth);
    writeBth(small, HEADROOM + 42, bth);
    return bth.destQp;
  }),
});

const times = new Map<string, number[]>();
const garbage = new Map<string, number[]>();
const counts = new Map<string, number>();
for (const { name, run } of rows) {
  run(WARM_UP);
  const start = performance.now();
  run(WARM_UP);
  counts.set(name, Math.ceil((WARM_UP * ROW_MS) / (performance.now() - start)));
}
for (let round = 0; round < ROUNDS; round++) {
  for (const { name, run } of rows.toSorted(() => Math.random() - 0.5)) {
    const count = counts.get(name) ?? WARM_UP;
    const heap = process.memoryUsage().heapUsed;
    const start = process.threadCpuUsage();
    run(count);
    const { user, system } = process.threadCpuUsage(start);
    const ns = ((user + system) * 1000) / count;
    const bytes = (process.memoryUsage().heapUsed - heap) / count;
    times.set(name, [...(times.get(name) ?? []), ns]);
    garbage.set(name, [...(garbage.get(name) ?? []), bytes]);
  }
}

for (const { name } of rows) {
  const { median, low, high } = summarize(times.get(name) ?? []);
  const bytes = summarize(garbage.get(name) ?? []).median;
  const ns = `${median.toFixed(0)} (${low.toFixed(0)}–${high.toFixed(0)}) ns`;
  process.stdout.write(`${name.padEnd(54)} ${ns.padStart(24)} ${bytes.toFixed(1).padStart(5)} B of garbage\n`);
}
