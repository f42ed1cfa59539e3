// Owns what every host must do, the model and the real kernel alike: the driver contract of src/host/host.ts.
import { describe, expect, test } from "vitest";
import type { Host } from "../src/host/host.ts";
import { HEDDLE_PROTOCOL, TABLE } from "../src/model/kinds.ts";
import type { Kind, RouteSpec, RuleSpec } from "../src/model/kinds.ts";
import type { Step } from "../src/model/plan.ts";
import { rulesOf } from "../src/plan/kinds/index.ts";
import { testAddressContract } from "./address-contract.ts";
import { adopt, create, OTHERS, remove, replace } from "./contract-steps.ts";
import type { Stage } from "./contract-steps.ts";
import { testNeighbourContract } from "./neighbour-contract.ts";
import { testNexthopContract } from "./nexthop-contract.ts";
import { testNftTables } from "./nft-contract.ts";

/** An IPv4 route of heddle's through ib0, unless said otherwise. */
export function route(spec: Partial<RouteSpec> = {}): RouteSpec {
  return {
    family: 4,
    table: 7000,
    to: "10.1.0.0/16",
    type: "unicast",
    hops: [{ link: "ib0" }],
    protocol: HEDDLE_PROTOCOL,
    ...spec,
  };
}

/** An IPv4 rule of heddle's, unless said otherwise. */
export function rule(spec: Partial<RuleSpec> = {}): RuleSpec {
  return {
    family: 4,
    priority: 7000,
    from: "172.16.34.1/32",
    action: "table",
    table: 7000,
    protocol: HEDDLE_PROTOCOL,
    ...spec,
  };
}

/** Runs the contract against hosts that `open` makes. */
export function testHostContract(open: () => Promise<Stage>): void {
  testNexthopContract(open);
  testNeighbourContract(open);
  testAddressContract(open);
  async function withStage(run: (stage: Stage) => Promise<void>): Promise<void> {
    await using stage = await open();
    stage.addLink("ib0", ["172.16.34.1/16", "fd00:16::1/64"]);
    stage.addLink("ib1", ["172.16.34.2/16"]);
    await run(stage);
  }
  const perform = async (host: Host, kind: Kind, ...steps: Step[]): Promise<(string | undefined)[]> => {
    const results = await host.drivers[kind].perform(steps, await host.links());
    return results.map((result) => result.error?.code);
  };
  const listed = async (host: Host, kind: "route" | "rule", protocol: number): Promise<unknown[]> => {
    const all = await host.drivers[kind].list(await host.links(), { sysctls: [] });
    return all.filter((one) => one.spec.protocol === protocol).map((one) => one.spec);
  };

  describe("links", () => {
    test("have their addresses in the order in which they were given", () =>
      withStage(async ({ host }) => {
        const links = await host.links();
        const ib0 = links.find((link) => link.name === "ib0");
        expect(ib0).toMatchObject({ up: true, carrier: true, type: "ether" });
        const usable = ib0?.addresses.filter((own) => own.scope === "global").map((own) => own.address);
        expect(usable).toEqual(["172.16.34.1/16", "fd00:16::1/64"]);
      }));
  });

  describe("routes", () => {
    const cases: Record<string, RouteSpec> = {
      plain: route(),
      "with a gateway": route({ to: "0.0.0.0/0", hops: [{ link: "ib0", via: "172.16.0.1" }] }),
      "with a source": route({ source: "172.16.34.1" }),
      multipath: route({
        hops: [
          { link: "ib1", via: "172.16.0.2" },
          { link: "ib0", via: "172.16.0.1", weight: 3 },
        ],
      }),
      "in a table above 255": route({ table: 4_000_000_000 }),
      unreachable: route({ type: "unreachable", hops: [] }),
      "with metrics": route({ metric: 7, metrics: { mtu: 1400, lock: ["mtu"], advmss: 1300 } }),
      onlink: route({ hops: [{ link: "ib0", via: "192.0.2.1", onlink: true }] }),
      "of IPv6": route({ family: 6, to: "fd01::/64" }),
      "of IPv6 with a gateway": route({ family: 6, to: "::/0", hops: [{ link: "ib0", via: "fd00:16::fe" }] }),
      "of IPv6, unreachable": route({ family: 6, to: "::/0", type: "unreachable", hops: [] }),
    };
    for (const [name, spec] of Object.entries(cases)) {
      test(`${name}: made, listed as it was asked for, taken away`, () =>
        withStage(async ({ host }) => {
          expect(await perform(host, "route", create("route", spec))).toEqual([undefined]);
          expect(await listed(host, "route", HEDDLE_PROTOCOL)).toEqual([rulesOf("route").normalize(spec)]);
          expect(await perform(host, "route", remove("route", spec))).toEqual([undefined]);
          expect(await listed(host, "route", HEDDLE_PROTOCOL)).toEqual([]);
        }));
    }

    for (const family of [4, 6] as const) {
      const shape = family === 4 ? {} : ({ family, to: "fd01::/64" } as const);
      test(`IPv${family}: one that stands where another's stands is refused, and the other's is whole`, () =>
        withStage(async ({ host }) => {
          const theirs = route({ ...shape, protocol: OTHERS });
          const ours = route({ ...shape, type: "blackhole", hops: [] });
          expect(await perform(host, "route", create("route", theirs))).toEqual([undefined]);
          expect(await perform(host, "route", create("route", ours))).toEqual(["EEXIST"]);
          // Deleting ours must not hit theirs either.
          expect(await perform(host, "route", remove("route", { ...theirs, protocol: HEDDLE_PROTOCOL }))).toEqual([
            undefined,
          ]);
          expect(await listed(host, "route", OTHERS)).toEqual([rulesOf("route").normalize(theirs)]);
        }));

      test(`IPv${family}: replaced in place, and only when it is there`, () =>
        withStage(async ({ host }) => {
          const before = route(shape);
          const after = route({ ...shape, type: "prohibit", hops: [] });
          expect(await perform(host, "route", replace("route", before, after))).toEqual(["ENOENT"]);
          await perform(host, "route", create("route", before));
          expect(await perform(host, "route", replace("route", before, after))).toEqual([undefined]);
          expect(await listed(host, "route", HEDDLE_PROTOCOL)).toEqual([rulesOf("route").normalize(after)]);
        }));

      test(`IPv${family}: not replaced where another's has taken its place since it was looked at`, () =>
        withStage(async ({ host }) => {
          const theirs = route({ ...shape, protocol: OTHERS });
          await perform(host, "route", create("route", theirs));
          const change = replace("route", route(shape), route({ ...shape, type: "prohibit", hops: [] }));
          const beside = create("route", route({ ...shape, metric: 5 }));
          expect(await perform(host, "route", change, beside)).toEqual(["EEXIST", undefined]);
          expect(await listed(host, "route", OTHERS)).toEqual([rulesOf("route").normalize(theirs)]);
        }));

      test(`IPv${family}: taking away one without a metric leaves the one with a metric`, () =>
        withStage(async ({ host }) => {
          const other = route({ ...shape, metric: 5 });
          await perform(host, "route", create("route", route(shape)), create("route", other));
          expect(await perform(host, "route", remove("route", route(shape)))).toEqual([undefined]);
          expect(await listed(host, "route", HEDDLE_PROTOCOL)).toEqual([rulesOf("route").normalize(other)]);
        }));

      test(`IPv${family}: refused through a link that is down, and through one that is not there`, () =>
        withStage(async ({ host, setUp }) => {
          setUp("ib1", false);
          const down = route({ ...shape, hops: [{ link: "ib1" }] });
          const gone = route({ ...shape, hops: [{ link: "ib7" }] });
          expect(await perform(host, "route", create("route", down), create("route", gone))).toEqual([
            "ENETDOWN",
            "ENODEV",
          ]);
        }));
    }

    for (const [name, spec] of Object.entries(cases)) {
      test(`${name}: taken over, and given back`, () =>
        withStage(async ({ host }) => {
          const theirs = { ...spec, protocol: OTHERS };
          await perform(host, "route", create("route", theirs));
          const all = async (): Promise<RouteSpec[]> => {
            const observed = await host.drivers.route.list(await host.links(), { sysctls: [] });
            // The kernel makes its link-local and multicast routes some time after a link goes up.
            return observed.map((one) => one.spec).filter((one) => !/^(fe80|ff00):/.test(one.to));
          };
          const before = await all();
          expect(await perform(host, "route", adopt("route", theirs, spec))).toEqual([undefined]);
          const taken = before.map((one) => (one.protocol === OTHERS ? { ...one, protocol: HEDDLE_PROTOCOL } : one));
          expect(await all()).toEqual(taken);
          expect(await perform(host, "route", adopt("route", spec, theirs))).toEqual([undefined]);
          expect(await all()).toEqual(before);
        }));
    }

    test("one that is gone, or has changed, or is another's by now is not taken over", () =>
      withStage(async ({ host }) => {
        const theirs = route({ protocol: OTHERS });
        const step = adopt("route", theirs, route());
        expect(await perform(host, "route", step)).toEqual(["ENOENT"]);
        const changed = { ...theirs, source: "172.16.34.1" };
        await perform(host, "route", create("route", changed));
        expect(await perform(host, "route", step)).toEqual(["EEXIST"]);
        expect(await listed(host, "route", OTHERS)).toEqual([rulesOf("route").normalize(changed)]);
        const another = { ...theirs, protocol: 3 };
        await perform(host, "route", remove("route", changed), create("route", another));
        expect(await perform(host, "route", step)).toEqual(["EEXIST"]);
        expect(await listed(host, "route", 3)).toEqual([rulesOf("route").normalize(another)]);
      }));

    test("a refused one does not stop those behind it", () =>
      withStage(async ({ host }) => {
        const steps = [route(), route(), route({ to: "10.2.0.0/16" })].map((spec) => create("route", spec));
        expect(await perform(host, "route", ...steps)).toEqual([undefined, "EEXIST", undefined]);
        expect(await listed(host, "route", HEDDLE_PROTOCOL)).toHaveLength(2);
      }));

    test("a gateway that nothing reaches and a source that nobody has are refused", () =>
      withStage(async ({ host }) => {
        const far = route({ hops: [{ link: "ib0", via: "192.0.2.1" }] });
        const strange = route({ source: "192.0.2.9" });
        expect(await perform(host, "route", create("route", far), create("route", strange))).toEqual([
          "ENETUNREACH",
          "EINVAL",
        ]);
      }));

    test("are listed of some tables only where that is asked for", () =>
      withStage(async ({ host }) => {
        const wanted = [
          route({ to: "10.1.0.0/16", table: 7000 }),
          route({ to: "10.2.0.0/16", table: 7001 }),
          route({ to: "10.3.0.0/16", table: 7002 }),
          route({ family: 6, to: "fd01::/64", table: 7001 }),
        ];
        await perform(host, "route", ...wanted.map((spec) => create("route", spec)));
        const list = async (tables: number[]): Promise<string[]> => {
          const all = await host.drivers.route.list(await host.links(), { sysctls: [], tables });
          return all.map(({ spec }) => spec.to).toSorted();
        };
        expect(await list([7001, 7002])).toEqual(["10.2.0.0/16", "10.3.0.0/16", "fd01::/64"]);
        expect(await list([7003])).toEqual([]);
      }));

    test("taking away what is not there is no error", () =>
      withStage(async ({ host }) => {
        expect(await perform(host, "route", remove("route", route()))).toEqual([undefined]);
      }));

    test("a link that goes down takes its IPv4 routes along; up brings the connected one back", () =>
      withStage(async ({ host, setUp }) => {
        await perform(host, "route", create("route", route()));
        setUp("ib0", false);
        setUp("ib0", true);
        expect(await listed(host, "route", HEDDLE_PROTOCOL)).toEqual([]);
        const all = await host.drivers.route.list(await host.links(), { sysctls: [] });
        const connected = all.filter(({ spec }) => spec.to === "172.16.0.0/16" && spec.table === TABLE.main);
        // The order is the trouble of hosts with two links in one subnet: the one that was down comes last.
        expect(connected.map(({ spec }) => spec.hops[0]?.link)).toEqual(["ib1", "ib0"]);
      }));
  });

  describe("rules", () => {
    const { from: _from, ...plain } = rule({ mark: 0x1000000, mask: 0x1000000 });
    test.each<[string, Partial<RuleSpec>]>([
      ["a destination", { to: "192.0.2.0/24" }],
      ["a source", { from: "192.0.2.0/24" }],
      ["a type of service", { tos: 8 }],
    ])("one that asks for less than another, which also states %s, stands beside it", async (_what, more) => {
      await withStage(async ({ host }) => {
        const specs = [{ ...plain, ...more }, plain];
        for (const spec of specs) expect(await perform(host, "rule", create("rule", spec))).toEqual([undefined]);
        expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual(
          specs.map((spec) => rulesOf("rule").normalize(spec)),
        );
        // What is really there is refused all the same.
        expect(await perform(host, "rule", create("rule", plain))).toEqual(["EEXIST"]);
      });
    });

    test.each([
      ["leads elsewhere", { action: "goto", goto: 9000 }, { action: "goto", goto: 9001 }],
      ["is turned round", {}, { not: true }],
    ] as const)("a rule that %s takes the place of the one it was", async (_what, before, after) => {
      await using stage = await open();
      const { host } = stage;
      const full = (fields: Partial<RuleSpec>): RuleSpec => {
        const { table: _table, ...rest } = rule(fields);
        return rest.action === "goto" ? rest : { ...rest, table: 7000 };
      };
      await perform(host, "rule", create("rule", full(before)));
      expect(await perform(host, "rule", replace("rule", full(before), full(after)))).toEqual([undefined]);
      expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([rulesOf("rule").normalize(full(after))]);
    });

    test.each([
      ["a mark of 0 under a mask", { mark: 0, mask: 0xff }, { mark: 5, mask: 0xff }],
      ["a whole mark", { mark: 5 }, { mark: 5, mask: 0xff }],
      ["a mark under a mask", { mark: 5, mask: 0xff }, { mark: 5 }],
      ["no suppression", {}, { suppressPrefixLength: 0 }],
      ["no way back", { mark: 5, mask: 0xff }, { mark: 5, mask: 0xff, iif: "lo" }],
    ] as const)("a rule with %s goes by itself, wherever it stands", async (_what, going, staying) => {
      await using stage = await open();
      const { host } = stage;
      const full = (fields: Partial<RuleSpec>): RuleSpec => {
        const { table: _table, from: _from, ...rest } = rule(fields);
        return { ...rest, ...(rest.action === "goto" ? {} : { table: 7000 }), ...("from" in fields ? fields : {}) };
      };
      const kept = rulesOf("rule").normalize(full(staying));
      for (const order of [
        [full(going), full(staying)],
        [full(staying), full(going)],
      ]) {
        expect(await perform(host, "rule", ...order.map((spec) => create("rule", spec)))).toEqual([
          undefined,
          undefined,
        ]);
        expect(await perform(host, "rule", remove("rule", full(going)))).toEqual([undefined]);
        expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([kept]);
        expect(await perform(host, "rule", remove("rule", full(staying)))).toEqual([undefined]);
        expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([]);
      }
    });

    test("a general rule that goes leaves the specific ones before it, and others' too", async () => {
      await using stage = await open();
      const { host } = stage;
      const general = rule({ from: "0.0.0.0/0" });
      const specific = [rule(), rule({ from: "172.16.34.2/32", mark: 7 }), rule({ oif: "ib0", from: "0.0.0.0/0" })];
      const theirs = rule({ protocol: OTHERS });
      const last = rule({ from: "172.16.34.9/32" });
      const all = [specific[0], theirs, specific[1], specific[2], general, last] as RuleSpec[];
      const made = await perform(host, "rule", ...all.map((spec) => create("rule", spec)));
      expect(made, "a general one is made behind specific ones, too").toEqual(all.map(() => undefined));
      expect(await perform(host, "rule", create("rule", general)), "once").toEqual(["EEXIST"]);
      expect((await listed(host, "rule", HEDDLE_PROTOCOL)).length).toBe(5);
      expect(await perform(host, "rule", remove("rule", general))).toEqual([undefined]);
      const texts = (specs: unknown[]): string[] =>
        specs.map((spec) => rulesOf("rule").compare(rulesOf("rule").normalize(spec as RuleSpec))).toSorted();
      expect(texts(await listed(host, "rule", HEDDLE_PROTOCOL))).toEqual(texts([...specific, last]));
      expect(await listed(host, "rule", OTHERS)).toEqual([rulesOf("rule").normalize(theirs)]);
      // What is gone already is not looked for among the others.
      expect(await perform(host, "rule", remove("rule", general))).toEqual([undefined]);
      expect((await listed(host, "rule", HEDDLE_PROTOCOL)).length).toBe(4);
      expect(await perform(host, "rule", ...[...specific, last].map((spec) => remove("rule", spec)))).toEqual(
        Array.from({ length: 4 }, () => undefined),
      );
      expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([]);
    });

    const cases: Record<string, RuleSpec> = {
      "by source": rule(),
      "of IPv6": rule({ family: 6, from: "fd00:16::1/128" }),
      "by mark and mask": rule({ mark: 0x10, mask: 0xf0 }),
      "with everything": rule({
        not: true,
        to: "10.0.0.0/8",
        iif: "lo",
        oif: "ib0",
        tos: 0x10,
        // The only user that a user namespace of one's own has: the kernel refuses others.
        uids: { first: 0, last: 0 },
        ipProtocol: 6,
        sourcePorts: { first: 80, last: 80 },
        destinationPorts: { first: 8000, last: 8100 },
        suppressPrefixLength: 16,
        suppressGroup: 3,
      }),
      goto: { family: 4, priority: 7000, action: "goto", goto: 32766, protocol: HEDDLE_PROTOCOL },
      prohibit: { family: 4, priority: 7000, to: "10.0.0.0/8", action: "prohibit", protocol: HEDDLE_PROTOCOL },
    };
    for (const [name, spec] of Object.entries(cases)) {
      test(`${name}: made, listed as it was asked for, taken away`, () =>
        withStage(async ({ host }) => {
          expect(await perform(host, "rule", create("rule", spec))).toEqual([undefined]);
          expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([rulesOf("rule").normalize(spec)]);
          expect(await perform(host, "rule", remove("rule", spec))).toEqual([undefined]);
          expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([]);
        }));
    }

    test("an equal one of ours is refused, and one of another's stands beside it, to stay when ours goes", () =>
      withStage(async ({ host }) => {
        const theirs = rule({ protocol: OTHERS });
        const steps = [theirs, rule(), rule()].map((spec) => create("rule", spec));
        expect(await perform(host, "rule", ...steps)).toEqual([undefined, undefined, "EEXIST"]);
        expect(await perform(host, "rule", remove("rule", rule()))).toEqual([undefined]);
        expect(await listed(host, "rule", OTHERS)).toEqual([rulesOf("rule").normalize(theirs)]);
      }));

    for (const [name, spec] of Object.entries(cases)) {
      test(`${name}: taken over, and given back`, () =>
        withStage(async ({ host }) => {
          const theirs = { ...spec, protocol: OTHERS };
          await perform(host, "rule", create("rule", theirs));
          expect(await perform(host, "rule", adopt("rule", theirs, spec))).toEqual([undefined]);
          expect(await listed(host, "rule", OTHERS)).toEqual([]);
          expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([rulesOf("rule").normalize(spec)]);
          expect(await perform(host, "rule", adopt("rule", spec, theirs))).toEqual([undefined]);
          expect(await listed(host, "rule", OTHERS)).toEqual([rulesOf("rule").normalize(theirs)]);
          expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([]);
        }));
    }

    test("several of one priority keep their order while they change hands", () =>
      withStage(async ({ host }) => {
        const all = ["172.16.34.2/32", "172.16.34.1/32", "172.16.34.3/32"].map((from) => rule({ from }));
        const theirs = all.map((spec) => ({ ...spec, protocol: OTHERS }));
        await perform(host, "rule", ...theirs.map((spec) => create("rule", spec)));
        const steps = all.map((spec, i) => adopt("rule", theirs[i] as RuleSpec, spec));
        expect(await perform(host, "rule", ...steps)).toEqual([undefined, undefined, undefined]);
        expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual(all.map((spec) => rulesOf("rule").normalize(spec)));
      }));

    test("one that stands beside ours only goes, whose protocol is unspec too", () =>
      withStage(async ({ host }) => {
        const theirs = rule({ protocol: 0 });
        await perform(host, "rule", create("rule", theirs), create("rule", rule()));
        const step = { ...adopt("rule", theirs, rule()), beside: true } as Step;
        expect(await perform(host, "rule", step)).toEqual([undefined]);
        expect(await listed(host, "rule", 0)).toEqual([]);
        expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([rulesOf("rule").normalize(rule())]);
      }));

    test("a general one and a specific one of the same priority are both taken away, in whatever order", () =>
      withStage(async ({ host }) => {
        const specific = rule({ iif: "lo" });
        for (const order of [
          [rule(), specific],
          [specific, rule()],
        ]) {
          await perform(host, "rule", create("rule", specific), create("rule", rule()));
          await perform(host, "rule", ...order.map((spec) => remove("rule", spec)));
          expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([]);
        }
      }));

    test("taking one away leaves its neighbours of the same priority", () =>
      withStage(async ({ host }) => {
        const other = rule({ from: "172.16.34.2/32" });
        await perform(host, "rule", create("rule", rule()), create("rule", other));
        await perform(host, "rule", remove("rule", rule()));
        expect(await listed(host, "rule", HEDDLE_PROTOCOL)).toEqual([rulesOf("rule").normalize(other)]);
      }));
  });

  describe("sysctls", () => {
    const path = "net/ipv4/conf/ib0/arp_ignore";
    test("are read where they exist, and set", () =>
      withStage(async ({ host }) => {
        const scope = { sysctls: [path, "net/ipv4/conf/ib7/arp_ignore"] };
        const before = await host.drivers.sysctl.list(await host.links(), scope);
        expect(before.map((one) => one.spec)).toEqual([{ path, value: "0" }]);
        const change = replace("sysctl", { path, value: "0" }, { path, value: "1" });
        const gone = create("sysctl", { path: "net/ipv4/conf/ib7/arp_ignore", value: "1" });
        expect(await perform(host, "sysctl", gone, change)).toEqual(["ENOENT", undefined]);
        const after = await host.drivers.sysctl.list(await host.links(), scope);
        expect(after.map((one) => one.spec)).toEqual([{ path, value: "1" }]);
      }));
  });

  describe("nft tables", () => testNftTables(withStage));
}
