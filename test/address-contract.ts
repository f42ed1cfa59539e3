// Owns what every host must do with addresses of links, the model and the real kernel alike.
import { describe, expect, test } from "vitest";
import type { Host } from "../src/host/host.ts";
import { HEDDLE_PROTOCOL } from "../src/model/kinds.ts";
import type { AddressSpec, RouteSpec } from "../src/model/kinds.ts";
import type { Step } from "../src/model/plan.ts";
import { create, listed, perform, remove, replace, withStage } from "./contract-steps.ts";
import type { Stage } from "./contract-steps.ts";

/** An address of heddle's, on ib1 unless said otherwise. */
export function ownAddress(address: string, spec: Partial<AddressSpec> = {}): AddressSpec {
  const family = address.includes(":") ? 6 : 4;
  return { family, link: "ib1", address, scope: "global", protocol: HEDDLE_PROTOCOL, ...spec };
}

/** Texts of the usable addresses of a link, in the kernel's order; "*" before one that is not the first of its subnet. */
async function addressesOf(host: Host, link = "ib1"): Promise<string[]> {
  const all = await listed(host, "address");
  return all
    .filter((spec) => spec.link === link && spec.scope === "global" && !spec.tentative)
    .map(({ address, secondary }) => `${secondary ? "*" : ""}${address}`);
}

async function connected(host: Host, link = "ib1"): Promise<string[]> {
  const routes = await listed(host, "route");
  const own = routes.filter(
    (spec) => spec.table === 254 && spec.protocol === 2 && spec.hops.some((hop) => hop.link === link),
  );
  return own.filter(({ to }) => !to.startsWith("fe80")).map(({ to, source }) => `${to}${source ? ` ${source}` : ""}`);
}

/** Runs this part of the contract against hosts that `open` makes. */
export function testAddressContract(open: () => Promise<Stage>): void {
  const put = async (host: Host, ...addresses: string[]): Promise<(string | undefined)[]> =>
    perform(host, "address", ...addresses.map((address) => create("address", ownAddress(address))));
  const take = async (host: Host, ...addresses: string[]): Promise<(string | undefined)[]> =>
    perform(host, "address", ...addresses.map((address) => remove("address", ownAddress(address))));

  describe("addresses", () => {
    test.each([
      ["10.9.0.1/24", "10.9.0.0/24 10.9.0.1"],
      ["10.9.0.1/32", undefined],
      ["10.9.0.0/31", "10.9.0.0/31 10.9.0.0"],
      ["fd09::1/64", "fd09::/64"],
      ["fd09::1/128", "fd09::1/128"],
    ])("%s: made with its connected route, listed as ours, taken away", (address, route) =>
      withStage(open, async ({ host }) => {
        const before = await connected(host);
        expect(await put(host, address)).toEqual([undefined]);
        const own = (await listed(host, "address")).filter(({ protocol }) => protocol === HEDDLE_PROTOCOL);
        expect(own).toEqual([ownAddress(address)]);
        const now = await connected(host);
        expect(now.filter((one) => !before.includes(one))).toEqual(route === undefined ? [] : [route]);
        expect(await take(host, address)).toEqual([undefined]);
        expect(await addressesOf(host)).toEqual(["172.16.34.2/16"]);
        expect(await connected(host)).toEqual(before);
        expect(await take(host, address)).toEqual([undefined]);
      }),
    );

    test("stand in the kernel's order: IPv4 as they come, later ones of a subnet last; IPv6 the latest first", () =>
      withStage(open, async ({ host }) => {
        const given = ["172.16.34.7/16", "10.9.0.1/24", "fd09::1/64", "10.9.0.2/24", "172.16.34.8/24", "fd09::2/64"];
        await put(host, ...given);
        expect(await addressesOf(host)).toEqual([
          "172.16.34.2/16",
          "10.9.0.1/24",
          "172.16.34.8/24",
          "*172.16.34.7/16",
          "*10.9.0.2/24",
          "fd09::2/64",
          "fd09::1/64",
        ]);
      }));

    test("what is there is refused, for IPv6 whatever its length; another link may have it too", () =>
      withStage(open, async ({ host, addAddress }) => {
        addAddress("ib1", "fd09::1/64");
        expect(await put(host, "172.16.34.2/16", "fd09::1/64", "fd09::1/128", "172.16.34.2/24")).toEqual([
          "EEXIST",
          "EEXIST",
          "EEXIST",
          undefined,
        ]);
        const elsewhere = [ownAddress("172.16.34.2/16", { link: "ib0" }), ownAddress("10.9.0.1/24", { link: "ib7" })];
        const steps = elsewhere.map((spec) => create("address", spec));
        expect(await perform(host, "address", ...steps)).toEqual([undefined, "ENODEV"]);
      }));

    test("the first of a subnet goes alone: the others stay, one of them leads, and the switch is as it was", () =>
      withStage(open, async ({ host, addAddress }) => {
        await put(host, "10.9.0.1/24");
        addAddress("ib1", "10.9.0.2/24");
        addAddress("ib1", "10.8.0.1/24");
        addAddress("ib1", "10.9.0.3/24");
        expect(await take(host, "10.9.0.1/24")).toEqual([undefined]);
        expect(await addressesOf(host)).toEqual(["172.16.34.2/16", "10.8.0.1/24", "10.9.0.2/24", "*10.9.0.3/24"]);
        expect(await connected(host)).toContain("10.9.0.0/24 10.9.0.2");
        const scope = { sysctls: ["net/ipv4/conf/ib1/promote_secondaries"] };
        const switches = await host.drivers.sysctl.list(await host.links(), scope);
        expect(switches.map(({ spec }) => spec.value)).not.toContain("1");
      }));

    test("an IPv6 address of another length takes the place of ours", () =>
      withStage(open, async ({ host }) => {
        await put(host, "fd09::1/128");
        const step = replace("address", ownAddress("fd09::1/128"), ownAddress("fd09::1/64"));
        expect(await perform(host, "address", step)).toEqual([undefined]);
        expect(await addressesOf(host)).toEqual(["172.16.34.2/16", "fd09::1/64"]);
      }));

    test("one that goes takes main's IPv4 routes with it as their source along; other tables keep theirs, IPv6 routes lose it", () =>
      withStage(open, async ({ host }) => {
        await put(host, "10.9.0.1/24", "fd09::1/64");
        const way = (spec: Pick<RouteSpec, "family" | "table" | "to" | "source">): Step =>
          create("route", { type: "unicast", hops: [{ link: "ib1" }], protocol: HEDDLE_PROTOCOL, ...spec });
        const steps = [
          way({ family: 4, table: 254, to: "10.1.0.0/16", source: "10.9.0.1" }),
          way({ family: 4, table: 7000, to: "10.2.0.0/16", source: "10.9.0.1" }),
          way({ family: 6, table: 7000, to: "fd01::/64", source: "fd09::1" }),
        ];
        expect(await perform(host, "route", ...steps)).toEqual([undefined, undefined, undefined]);
        await take(host, "fd09::1/64", "10.9.0.1/24");
        const left = (await listed(host, "route")).filter(({ protocol }) => protocol === HEDDLE_PROTOCOL);
        expect(left.map(({ to, source }) => [to, source])).toEqual([
          ["10.2.0.0/16", "10.9.0.1"],
          ["fd01::/64", undefined],
        ]);
        // Ours is taken away all the same, as it was asked for.
        const six = { family: 6, table: 7000, to: "fd01::/64", source: "fd09::1", type: "unicast" } as const;
        const gone = { ...six, hops: [{ link: "ib1" }], protocol: HEDDLE_PROTOCOL };
        await perform(host, "route", remove("route", gone));
        expect((await listed(host, "route")).filter(({ to }) => to === "fd01::/64")).toEqual([]);
      }));

    test("the last IPv4 address takes the IPv4 routes of its link along", () =>
      withStage(open, async ({ host }) => {
        const way = { family: 4, table: 7000, to: "10.1.0.0/16", type: "unicast", protocol: HEDDLE_PROTOCOL } as const;
        await perform(host, "route", create("route", { ...way, hops: [{ link: "ib1" }] }));
        await perform(host, "address", remove("address", ownAddress("172.16.34.2/16")));
        expect((await listed(host, "route")).filter(({ protocol }) => protocol === HEDDLE_PROTOCOL)).toEqual([]);
      }));

    test("a link that goes down loses its IPv6 addresses for good; one that is down takes new ones", () =>
      withStage(open, async ({ host, setUp }) => {
        setUp("ib0", false);
        setUp("ib0", true);
        expect(await addressesOf(host, "ib0")).toEqual(["172.16.34.1/16"]);
        setUp("ib1", false);
        expect(await put(host, "10.9.0.1/24", "fd09::1/64")).toEqual([undefined, undefined]);
        expect(await connected(host)).toEqual([]);
        setUp("ib1", true);
        expect((await connected(host)).toSorted()).toEqual([
          "10.9.0.0/24 10.9.0.1",
          "172.16.0.0/16 172.16.34.2",
          "fd09::/64",
        ]);
        const all = await listed(host, "address");
        expect(all.map(({ address }) => address)).toContain("fd09::1/64");
      }));
  });
}
