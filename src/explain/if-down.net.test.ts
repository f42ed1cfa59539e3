// Owns the proof that what is said of a lost link comes true: the kernel loses the link, and has what was foretold.
import { expect, test } from "vitest";
import { World } from "../../test/explain-worlds.ts";
import type { HostPicture } from "../model/picture.ts";
import { withoutLink } from "./if-down.ts";
import type { LinkLoss } from "./if-down.ts";
import type { Routing } from "./routing.ts";
import { sayLast } from "./say.ts";
import { wayOf } from "./way.ts";
import { sayRoute } from "./words.ts";

/** The far ends are in the same namespace, and what hangs on them is nobody's business here. */
const FAR_END = / (dev|on) w\d/;

/** Routes and nexthops as text, in no order; without what the kernel marks, which a listing colours by sysctls. */
function objectsOf({ routes, nexthops, links }: Routing): string[] {
  const plain = routes.map((route) => ({
    ...route,
    hops: route.nexthop === undefined ? route.hops.map(({ dead: _d, linkdown: _l, ...hop }) => hop) : [],
  }));
  const addresses = links.flatMap((link) => link.addresses.map(({ address }) => `${address} on ${link.name}`));
  const all = [...plain.map(sayRoute), ...nexthops.map((one) => JSON.stringify(one)), ...addresses];
  return all.filter((line) => !FAR_END.test(line)).sort();
}

async function lose(world: World, link: string, loss: LinkLoss): Promise<HostPicture> {
  const far = `w${link.slice(1)}`;
  world.namespace.ip(`link set ${loss === "down" ? link : far} down`);
  let after = await world.picture();
  await expect
    .poll(
      async () => {
        after = await world.picture();
        const gone = after.links.find(({ name }) => name === link);
        const marked = after.routes.every(({ hops, type, nexthop }) =>
          hops.every((hop) => hop.link !== link || hop.linkdown || type === "local" || type === "anycast" || nexthop),
        );
        return gone?.carrier === false && marked && !after.nexthops.some((one) => one.link === link);
      },
      { timeout: 20_000 },
    )
    .toBe(true);
  return after;
}

const seeds = [72, Date.now() % 1_000_000];
const losses = ["down", "no-carrier"] as const;
const cases = seeds.flatMap((seed) =>
  losses.flatMap((loss) => ["v0", "v1"].map((link) => [seed, loss, link] as const)),
);

test.each(cases)("seed %s: the host after the loss (%s) of %s is as foretold", async (seed, loss, link) => {
  using world = new World(seed * 7 + link.charCodeAt(1), 0);
  await world.addRules();
  const before = await world.picture();
  const foretold = withoutLink(before, link, loss);
  const after = await lose(world, link, loss);
  expect(objectsOf(foretold)).toEqual(objectsOf(after));
  // Neighbours come and go by themselves meanwhile.
  const same = { ...foretold, ...(after.neighbours ? { neighbours: after.neighbours } : {}) };
  let changed = 0;
  for (let i = 0; i < 150; i++) {
    const packet = world.packet();
    const [said, found] = [sayLast(wayOf(same, packet)), sayLast(wayOf(after, packet))];
    expect(said, JSON.stringify(packet)).toBe(found);
    if (sayLast(wayOf(before, packet)) !== found) changed++;
  }
  if (loss === "down") expect(changed).toBeGreaterThan(0);
});
