// Owns the proof that packets go where explain says through random rules of nftables: what they are once they leave or are
// delivered, with the link, the addresses, the port, the mark and the DSCP that they have then, or that they were dropped.
import { expect, test } from "vitest";
import { FilterWorld } from "../../../test/filter-worlds.ts";
import type { SeenPacket } from "../../../test/filter-worlds.ts";
import type { HostPicture } from "../../model/picture.ts";
import type { Packet } from "../packet.ts";
import { lastWay } from "../verdict.ts";
import { passOf } from "./passage.ts";
import type { Passage } from "./passage.ts";
import { sayFiltered, sayPassage } from "./say.ts";

const SEED = Number(process.env["HEDDLE_SEED"] ?? Date.now() % 1_000_000);
const WORLDS = 12;
const PACKETS = 50;

/** What explain expects to be seen; undefined where it cannot tell. */
function expected({ way, filtered }: Passage): Partial<SeenPacket> | "dropped" | undefined {
  if (filtered?.fate.is === "unknown") return undefined;
  const { verdict, packet } = lastWay(way);
  if (verdict.is === "refused") return "dropped";
  const { from, to, mark, tos, destinationPort } = filtered?.packet ?? { ...packet, mark: 0, tos: 0 };
  const common = {
    ...(from === undefined ? {} : { from }),
    to,
    mark,
    dscp: tos >> 2,
    ...(destinationPort === undefined ? {} : { port: destinationPort }),
  };
  if (verdict.is === "delivered") return { at: "in", link: packet.iif ?? "lo", ...common };
  const link = verdict.is === "sent" ? verdict.ways[0]?.hop.link : verdict.link;
  return { at: "out", link: link ?? "", ...common };
}

/** The rules that did something, for whoever reads of a difference. */
function rulesOf({ ruleset = [] }: HostPicture, { filtered }: Passage): unknown[] {
  return (filtered?.acts ?? []).map(({ by }) =>
    ruleset.find(
      ({ rule }) => rule?.["handle"] === by.handle && rule?.["table"] === by.table && rule?.["family"] === by.family,
    ),
  );
}

test(`packets go where explain says (seed ${SEED})`, { timeout: 180_000 }, async () => {
  const tally = { packets: 0, unknown: 0, dropped: 0, rerouted: 0, translated: 0, incoming: 0 };
  for (let i = 0; i < WORLDS; i++) {
    using world = new FilterWorld(SEED * 1000 + i);
    const picture = await world.picture();
    const packets = Array.from({ length: PACKETS }, (): Packet => world.packet());
    const seen = await world.send(packets);
    for (const [k, packet] of packets.entries()) {
      const passage = passOf(picture, packet);
      const wanted = expected(passage);
      tally.packets++;
      if (wanted === undefined) {
        tally.unknown++;
        continue;
      }
      const told = JSON.stringify({
        world: i,
        packet,
        answer: sayPassage(passage),
        nftables: passage.filtered && sayFiltered(passage.filtered),
        rules: rulesOf(picture, passage),
        seen: seen[k] ?? "dropped",
      });
      if (wanted === "dropped") {
        expect(seen[k], told).toBeUndefined();
        tally.dropped++;
        continue;
      }
      expect(seen[k], told).toMatchObject(wanted);
      if (passage.filtered?.before) tally.rerouted++;
      if (passage.filtered?.acts.some(({ does }) => does.startsWith("changes"))) tally.translated++;
      if (packet.iif !== undefined) tally.incoming++;
    }
  }
  const { unknown, ...known } = tally;
  const said = JSON.stringify(tally);
  for (const count of Object.values(known)) expect(count, said).toBeGreaterThan(10);
  expect(unknown, said).toBeLessThan(tally.packets / 3);
});
