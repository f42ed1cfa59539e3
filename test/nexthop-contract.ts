// Owns what every host must do with nexthop objects, the model and the real kernel alike.
import { describe, expect, test } from "vitest";
import type { Host } from "../src/host/host.ts";
import { HEDDLE_PROTOCOL } from "../src/model/kinds.ts";
import type { NexthopSpec, RouteSpec } from "../src/model/kinds.ts";
import { rulesOf } from "../src/plan/kinds/index.ts";
import { create, listed, OTHERS, perform, remove, replace, until, withStage } from "./contract-steps.ts";
import type { Stage } from "./contract-steps.ts";

/** An IPv4 nexthop of heddle's through ib0, unless said otherwise. */
export function single(id: number, spec: Partial<NexthopSpec> = {}): NexthopSpec {
  return { id, family: 4, link: "ib0", via: "172.16.0.1", protocol: HEDDLE_PROTOCOL, ...spec };
}

/** A group of heddle's. */
export function group(id: number, members: NexthopSpec["members"], spec: Partial<NexthopSpec> = {}): NexthopSpec {
  return { id, ...(members ? { members } : {}), protocol: HEDDLE_PROTOCOL, ...spec };
}

const route = (spec: Partial<RouteSpec> & { nexthop: number }): RouteSpec => ({
  family: 4,
  table: 7000,
  to: "10.1.0.0/16",
  type: "unicast",
  hops: [],
  protocol: HEDDLE_PROTOCOL,
  ...spec,
});

const nexthops = async (host: Host): Promise<NexthopSpec[]> => listed(host, "nexthop");
const routes = async (host: Host): Promise<string[]> =>
  (await listed(host, "route")).filter(({ protocol }) => protocol === HEDDLE_PROTOCOL).map(({ to }) => to);
const make = async (host: Host, ...specs: NexthopSpec[]): Promise<(string | undefined)[]> =>
  perform(host, "nexthop", ...specs.map((spec) => create("nexthop", spec)));

/** Runs this part of the contract against hosts that `open` makes. */
export function testNexthopContract(open: () => Promise<Stage>): void {
  const other = single(21, { link: "ib1", via: "172.16.0.2" });
  const cases: Record<string, NexthopSpec[]> = {
    "with a gateway": [single(7000)],
    "by a link alone": [{ id: 7000, family: 4, link: "ib0", protocol: HEDDLE_PROTOCOL }],
    onlink: [single(7000, { via: "192.0.2.1", onlink: true })],
    "of IPv6": [single(7000, { family: 6, via: "fd00:16::fe" })],
    "by a link-local gateway": [single(7000, { family: 6, via: "fe80::1" })],
    "of IPv6, by a link alone": [{ id: 4_294_967_295, family: 6, link: "ib0", protocol: HEDDLE_PROTOCOL }],
    "that drops": [{ id: 7000, family: 4, blackhole: true, protocol: HEDDLE_PROTOCOL }],
    "that drops IPv6": [{ id: 7000, family: 6, blackhole: true, protocol: HEDDLE_PROTOCOL }],
    "in a weighted group": [single(20), other, group(7000, [{ id: 21, weight: 256 }, { id: 20 }])],
    "in a resilient group": [
      single(20),
      other,
      group(7000, [{ id: 20, weight: 2 }, { id: 21 }], { resilient: { buckets: 32, idle: 0.5, unbalanced: 300 } }),
    ],
    "of both families in a group": [
      single(20),
      single(21, { family: 6, via: "fe80::1" }),
      group(22, [{ id: 20 }, { id: 21 }]),
    ],
  };

  describe("nexthops", () => {
    for (const [name, specs] of Object.entries(cases)) {
      test(`${name}: made, listed as asked for, taken away`, () =>
        withStage(open, async ({ host }) => {
          expect(await make(host, ...specs)).toEqual(specs.map(() => undefined));
          expect(await nexthops(host)).toEqual(specs.map((spec) => rulesOf("nexthop").normalize(spec)));
          const steps = specs.toReversed().map((spec) => remove("nexthop", spec));
          expect(await perform(host, "nexthop", ...steps)).toEqual(specs.map(() => undefined));
          expect(await nexthops(host)).toEqual([]);
        }));
    }

    test("one under another's number is refused, replaces nothing, and takes nothing along", () =>
      withStage(open, async ({ host }) => {
        const theirs = single(7000, { protocol: OTHERS });
        const ours = single(7000, { via: "172.16.0.9" });
        expect(await make(host, theirs, ours)).toEqual([undefined, "EEXIST"]);
        expect(await perform(host, "nexthop", replace("nexthop", ours, ours))).toEqual(["ENOENT"]);
        expect(await perform(host, "nexthop", remove("nexthop", ours))).toEqual([undefined]);
        expect(await nexthops(host)).toEqual([theirs]);
      }));

    test("taking away what is not there is no error, replacing it is", () =>
      withStage(open, async ({ host }) => {
        expect(await perform(host, "nexthop", remove("nexthop", single(7000)))).toEqual([undefined]);
        expect(await perform(host, "nexthop", replace("nexthop", single(7000), single(7000)))).toEqual(["ENOENT"]);
      }));

    test("replaced in place: its routes and groups stay", () =>
      withStage(open, async ({ host }) => {
        const resilient = { buckets: 8, idle: 60, unbalanced: 0 };
        await make(host, single(20), other, group(22, [{ id: 20 }]), group(23, [{ id: 20 }], { resilient }));
        const ways = [route({ nexthop: 22 }), route({ to: "10.2.0.0/16", nexthop: 20 })];
        await perform(host, "route", ...ways.map((spec) => create("route", spec)));
        const after = [
          single(20, { link: "ib1", via: "172.16.0.9" }),
          group(22, [{ id: 20 }, { id: 21, weight: 7 }]),
          group(23, [{ id: 21 }], { resilient: { buckets: 8, idle: 30, unbalanced: 5 } }),
        ];
        const before = [single(20), group(22, [{ id: 20 }]), group(23, [{ id: 20 }], { resilient })];
        const steps = after.map((spec, i) => replace("nexthop", before[i] as NexthopSpec, spec));
        expect(await perform(host, "nexthop", ...steps)).toEqual([undefined, undefined, undefined]);
        expect(await nexthops(host)).toEqual([after[0], other, after[1], after[2]]);
        expect(await routes(host)).toEqual(["10.1.0.0/16", "10.2.0.0/16"]);
      }));

    test("a group and a single one, and groups of other types or buckets, do not take each other's place", () =>
      withStage(open, async ({ host }) => {
        const members = [{ id: 20 }];
        const eight = { resilient: { buckets: 8, idle: 60, unbalanced: 0 } };
        const nine = { resilient: { buckets: 9, idle: 60, unbalanced: 0 } };
        const [plain, kept] = [group(22, members), group(23, members, eight)];
        await make(host, single(20), other, plain, kept);
        const steps = [
          replace("nexthop", other, group(21, members)),
          replace("nexthop", plain, single(22)),
          replace("nexthop", plain, group(22, members, eight)),
          replace("nexthop", kept, group(23, members, nine)),
        ];
        expect(await perform(host, "nexthop", ...steps)).toEqual(["EINVAL", "EINVAL", "EINVAL", "EINVAL"]);
      }));

    test("one that goes takes its routes along and shrinks its groups, and the last of a group takes that along", () =>
      withStage(open, async ({ host }) => {
        const both = group(22, [{ id: 20 }, { id: 21 }]);
        await make(host, single(20), other, both, group(23, [{ id: 20 }]));
        const ways = [20, 22, 23].map((nexthop) => route({ to: `10.${nexthop}.0.0/16`, nexthop }));
        await perform(host, "route", ...ways.map((spec) => create("route", spec)));
        await perform(host, "nexthop", remove("nexthop", single(20)));
        expect(await nexthops(host)).toEqual([other, group(22, [{ id: 21 }])]);
        expect(await routes(host)).toEqual(["10.22.0.0/16"]);
      }));

    for (const family of [4, 6] as const) {
      test(`a route by one that drops is listed as asked for, and taken away, for IPv${family}`, () =>
        withStage(open, async ({ host }) => {
          await make(host, { id: 20, family, blackhole: true, protocol: HEDDLE_PROTOCOL });
          const way = route({ family, to: family === 4 ? "10.1.0.0/16" : "fd01::/64", nexthop: 20 });
          expect(await perform(host, "route", create("route", way))).toEqual([undefined]);
          const own = (await listed(host, "route")).filter(({ protocol }) => protocol === HEDDLE_PROTOCOL);
          expect(own).toEqual([way]);
          await perform(host, "route", remove("route", way));
          expect(await routes(host)).toEqual([]);
        }));
    }

    test("a member that is not there, a gateway that nothing reaches, a link that is not there are refused", () =>
      withStage(open, async ({ host }) => {
        const refused = [
          group(22, [{ id: 20 }]),
          single(23, { via: "192.0.2.1" }),
          single(24, { family: 6, via: "fd99::1" }),
          single(25, { link: "ib7" }),
        ];
        expect(await make(host, ...refused)).toEqual(["EINVAL", "ENETUNREACH", "EHOSTUNREACH", "ENODEV"]);
        await make(host, single(20), group(26, [{ id: 20 }]));
        expect(await make(host, group(27, [{ id: 26 }]))).toEqual(["EINVAL"]);
      }));

    test("a route by one that is not there, or of another IP version, is refused", () =>
      withStage(open, async ({ host }) => {
        await make(host, single(20));
        const wrong = [route({ nexthop: 99 }), route({ family: 6, to: "fd01::/64", nexthop: 20 })];
        const steps = wrong.map((spec) => create("route", spec));
        expect(await perform(host, "route", ...steps)).toEqual(["EINVAL", "EINVAL"]);
      }));

    test("refused through a link that is down or has no carrier", () =>
      withStage(open, async ({ host, setUp, setCarrier }) => {
        setUp("ib1", false);
        expect(await make(host, other)).toEqual(["ENETDOWN"]);
        setUp("ib1", true);
        setCarrier("ib1", false);
        expect((await host.links()).find(({ name }) => name === "ib1")).toMatchObject({ up: true, carrier: false });
        expect(await make(host, other)).toEqual(["ENETDOWN"]);
      }));

    for (const loss of ["admin down", "carrier loss"] as const) {
      test(`${loss} takes them away for good, with their routes, and shrinks their groups`, () =>
        withStage(open, async ({ host, setUp, setCarrier }) => {
          await make(host, single(20), other, group(22, [{ id: 20 }, { id: 21 }]));
          const ways = [21, 22].map((nexthop) => route({ to: `10.${nexthop}.0.0/16`, nexthop }));
          await perform(host, "route", ...ways.map((spec) => create("route", spec)));
          const set = loss === "admin down" ? setUp : setCarrier;
          set("ib1", false);
          await until(async () => (await nexthops(host)).length === 2);
          set("ib1", true);
          expect(await nexthops(host)).toEqual([single(20), group(22, [{ id: 20 }])]);
          expect(await routes(host)).toEqual(["10.22.0.0/16"]);
        }));
    }
  });
}
