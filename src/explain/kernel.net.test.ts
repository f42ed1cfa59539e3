// Owns the proof that explain is equal to the kernel: random rules, tables and packets, and RTM_GETROUTE's answers. The
// same in great numbers is `make bench`.
import { expect, test } from "vitest";
import { compare, newTally } from "../../test/explain-compare.ts";
import { World } from "../../test/explain-worlds.ts";
import type { PictureHop, PictureRoute } from "../model/picture.ts";
import { canonicalText } from "../plan/kinds/canonical.ts";
import { sayLast } from "./say.ts";
import { routingOf, snapshotOf } from "./snapshot.ts";
import { wayOf } from "./way.ts";

const WORLDS = 8;
/** Packets a world, before its rules are added and after. */
const PACKETS = { before: 20, after: 120 };

/** One that is always the same, and one that never is. */
const SEEDS = [72, Date.now() % 1_000_000];

test.each(SEEDS)("explain says what the kernel does (seed %s)", async (seed) => {
  const tally = newTally();
  for (let i = 0; i < WORLDS; i++) {
    using world = new World(seed * 1000 + i, 0);
    await compare(world, await world.picture(), PACKETS.before, tally);
    await world.addRules();
    await compare(world, await world.picture(), PACKETS.after, tally);
  }
  expect(tally.differences.slice(0, 1), `${tally.differences.length} of ${tally.packets}; seed ${seed}`).toEqual([]);
  // How many there are is chance, where the seed is.
  const few = seed === SEEDS[0] ? 20 : 0;
  expect(tally.multipath).toBeGreaterThan(few);
  expect(tally.refused).toBeGreaterThan(few);
});

/** Specs have the hops of a route sorted, and none of its nexthop object. */
function inOrderOfSpecs(route: PictureRoute): PictureRoute {
  if (route.nexthop !== undefined) return { ...route, hops: [] };
  const text = ({ dead: _d, linkdown: _l, ...hop }: PictureHop): string => canonicalText(hop);
  return { ...route, hops: route.hops.toSorted((a, b) => (text(a) < text(b) ? -1 : text(a) > text(b) ? 1 : 0)) };
}

test("a snapshot of a host gives the ways that its picture gives", async () => {
  using world = new World(4711, 0);
  await world.addRules();
  const picture = await world.picture();
  const routing = routingOf(
    snapshotOf(picture, { neighbours: [], nftTables: [], programs: [], spreads: [] }),
    picture.tableNames,
  );
  // What the kernel learned of neighbours is in no snapshot, nor where buckets lead.
  const { neighbours: _learned, buckets: _buckets, ...seen } = picture;
  const rest = { ...seen, routes: picture.routes.map(inOrderOfSpecs) };
  for (let i = 0; i < 500; i++) {
    const packet = world.packet();
    expect(sayLast(wayOf(routing, packet)), JSON.stringify(packet)).toBe(sayLast(wayOf(rest, packet)));
  }
});
