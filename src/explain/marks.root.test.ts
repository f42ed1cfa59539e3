// Owns the proof that an explanation gives a sender's socket the mark that the program really gives it.
import { statSync } from "node:fs";
import { expect, test } from "vitest";
import type { SocketMarker } from "../host/bpf/mark-sockets.ts";
import { Stand } from "../host/bpf/testing/stand.ts";
import type { CgroupProgramSpec, MarkRange } from "../model/socket-marks.ts";
import { Random } from "../../test/random.ts";
import { markSocket } from "./marks.ts";

const MASK = 0xff00_0000;
/** One that is always the same, and one that never is. */
const SEEDS = [7, Number(process.env["HEDDLE_SEED"] ?? Math.floor(Math.random() * 2 ** 32))];
const PROGRAMS = 12;
const SENDERS = 20;
/** Few, so that rows and senders meet. */
const IDS = 12;

test.each(SEEDS)("the program and its explanation agree (seed %i)", { timeout: 120_000 }, async (seed) => {
  const random = new Random(seed);
  using stand = await Stand.make();
  const marker: SocketMarker = stand.marker();
  await using _removed = { [Symbol.asyncDispose]: () => marker.remove() };
  const groups = ["a", "a/b", "a/b/c", "ab", "d"];
  const places = new Map(groups.map((name) => [name, stand.childCgroup(...name.split("/"))]));
  const idOf = (name: string): string => statSync(places.get(name) ?? "", { bigint: true }).ino.toString();
  const bit = (): number => (1 << (24 + random.below(8))) >>> 0;
  const ranges = (): MarkRange[] => {
    const cuts = [...new Set(Array.from({ length: 2 * random.below(3) }, () => random.below(IDS)))].sort(
      (a, b) => a - b,
    );
    const pairs = cuts.flatMap((first, i) => (i % 2 === 0 ? [[first, cuts[i + 1] ?? first] as const] : []));
    return pairs.map(([first, last]) => ({ first, last, bits: bit() }));
  };
  let marked = 0;
  for (let i = 0; i < PROGRAMS; i++) {
    const chosen = groups.filter(() => random.chance(0.4));
    const program: CgroupProgramSpec = {
      program: "mark-sockets",
      mask: MASK,
      users: ranges(),
      groups: ranges(),
      members: ranges(),
      cgroups: chosen.map((name) => ({ cgroup: `/${name}`, id: idOf(name), bits: bit() })),
    };
    await marker.write(MASK, {
      ...program,
      cgroups: program.cgroups.map(({ id, bits }) => ({ id, bits })),
    });
    for (let j = 0; j < SENDERS; j++) {
      const [user, group] = [random.below(IDS), random.below(IDS)];
      const others = Array.from({ length: random.below(3) }, () => random.below(IDS));
      const name = random.pick(groups);
      const sender = { uid: user, gid: group, groups: others, cgroup: `/${name}` };
      const cgroup = places.get(name) ?? "";
      const seen = stand.marks({ user, group, groups: others, cgroup }, "udp4", "tcp6");
      const { mark } = markSocket(program, sender, { to: "127.0.0.1" });
      expect(seen, JSON.stringify({ program, sender })).toEqual({ udp4: mark, tcp6: mark });
      if (mark !== 0) marked++;
    }
  }
  // Neither all nor nothing: the senders were told apart. How many they are is chance, where the seed is.
  const few = seed === SEEDS[0] ? 20 : 0;
  expect(marked).toBeGreaterThan(few);
  expect(marked).toBeLessThan(PROGRAMS * SENDERS - few);
});
