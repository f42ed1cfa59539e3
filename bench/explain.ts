// Owns the great comparison of `explain` with the kernel: 10,000 random packets over random rules, tables and nexthops of both
// families, every condition of rules deciding at least 100 of them. Run with `make bench`; it fails on any difference.
import { compare, CONDITIONS, newTally } from "../test/explain-compare.ts";
import { World } from "../test/explain-worlds.ts";
import { wayOf } from "../src/explain/way.ts";

const quick = process.argv.includes("--quick");
const PACKETS = quick ? 1000 : 10_000;
const LEAST = quick ? 1 : 100;
/** Packets a world before its rules are added, and after. */
const EACH = { before: 10, after: 90 };

const seed = Number(process.argv.find((word) => /^\d+$/.test(word)) ?? Date.now() % 1_000_000);
const tally = newTally();
let [asked, spent] = [0, 0];
const everyOneDecides = (): boolean => CONDITIONS.every((name) => (tally.decidedBy[name] ?? 0) >= LEAST);

for (let i = 0; tally.packets < PACKETS || !everyOneDecides(); i++) {
  if (i > PACKETS) throw new Error(`some conditions never decide: ${JSON.stringify(tally.decidedBy)}; seed ${seed}`);
  using world = new World(seed * 10_000 + i, 0);
  await compare(world, await world.picture(), EACH.before, tally);
  await world.addRules();
  const picture = await world.picture();
  await compare(world, picture, EACH.after, tally);
  const packets = Array.from({ length: 200 }, () => world.packet());
  const start = performance.now();
  for (const packet of packets) wayOf(picture, packet);
  spent += performance.now() - start;
  asked += packets.length;
}

const { packets, decidedBy, multipath, refused, differences } = tally;
const counts = Object.entries(decidedBy)
  .sort(([, a], [, b]) => b - a)
  .map(([name, count]) => `${name} ${count}`)
  .join(", ");
process.stdout.write(
  `explain and the kernel: ${packets} packets, ${differences.length} differences (seed ${seed})\n` +
    `  several ways ${multipath}, refused ${refused}; decided by: ${counts}\n` +
    `  ${((spent * 1000) / asked).toFixed(0)} µs a packet in worlds of about 30 rules and 100 routes\n`,
);
for (const difference of differences.slice(0, 5)) process.stdout.write(`${difference}\n`);
if (differences.length > 0) process.exitCode = 1;
