// Owns the proof that a scoped look asks the kernel for what was heard of, and gives what a whole look would give.
import { expect, test } from "vitest";
import { FakeHost } from "../host/fake/fake-host.ts";
import type { Scope } from "../host/host.ts";
import { HEDDLE_PROTOCOL, KINDS } from "../model/kinds.ts";
import type { Kind, RouteSpec } from "../model/kinds.ts";
import type { Desired, Observed } from "../model/objects.ts";
import { rulesOf } from "../plan/kinds/index.ts";
import { create } from "../../test/contract-steps.ts";
import { RememberedHost } from "./remembered-host.ts";

/** A host that writes down what it is asked for. */
function watched(): { fake: FakeHost; host: RememberedHost; asked: string[] } {
  const fake = new FakeHost();
  fake.addLink("ib0", ["172.16.34.1/16"]);
  const asked: string[] = [];
  for (const kind of KINDS) {
    const driver = fake.drivers[kind];
    const list = driver.list.bind(driver);
    Object.assign(driver, {
      list: async (links: Parameters<typeof list>[0], scope: Scope): Promise<Observed[]> => {
        asked.push(scope.tables ? `${kind} ${scope.tables.join(",")}` : kind);
        return list(links, scope);
      },
    });
  }
  return { fake, host: new RememberedHost(fake), asked };
}

async function lookAt(host: RememberedHost): Promise<Record<Kind, Observed[]>> {
  const links = await host.links();
  const lists = await Promise.all(KINDS.map((kind) => host.drivers[kind].list(links, { sysctls: [] })));
  return Object.fromEntries(KINDS.map((kind, i) => [kind, lists[i]])) as Record<Kind, Observed[]>;
}

const route = (to: string, table: number, protocol = 4): RouteSpec => ({
  family: 4,
  table,
  to,
  type: "unicast",
  hops: [{ link: "ib0" }],
  protocol,
});

test("what was not heard of is not asked for again, but for what changes without a word", async () => {
  const { host, asked } = watched();
  await lookAt(host);
  expect(asked.splice(0)).toEqual([...KINDS]);
  await lookAt(host);
  expect(asked.splice(0)).toEqual(["sysctl", "address", "cgroupProgram", "tcProgram"]);
  host.forget(["rule"]);
  await lookAt(host);
  expect(asked.splice(0)).toEqual(["sysctl", "address", "rule", "cgroupProgram", "tcProgram"]);
  host.forget(["link"]);
  await lookAt(host);
  expect(asked.splice(0)).toEqual([...KINDS]);
});

test("what is done through it is listed anew", async () => {
  const { host, asked } = watched();
  await lookAt(host);
  asked.splice(0);
  await host.drivers.route.perform([create("route", route("10.1.0.0/16", 77, HEDDLE_PROTOCOL))], await host.links());
  const { route: routes } = await lookAt(host);
  expect(asked).toEqual(["sysctl", "address", "route", "cgroupProgram", "tcProgram"]);
  expect(routes.map(({ key }) => key)).toContain("route ipv4 table 77 10.1.0.0/16 metric 0");
});

test("of very many routes of others those are let go of that no plan depends on", async () => {
  const { fake, host, asked } = watched();
  for (let i = 0; i < 3000; i++) fake.state.routes.push(route(`10.${i >> 8}.${i & 255}.0/24`, 900));
  fake.state.routes.push(route("10.1.0.0/16", 77), { ...route("10.7.0.0/16", 901), nexthop: 5, hops: [] });
  fake.state.routes.push(route("10.2.0.0/16", 78, HEDDLE_PROTOCOL));
  await lookAt(host);
  const spec = rulesOf("route").normalize(route("10.1.0.0/16", 77, HEDDLE_PROTOCOL));
  const wanted = { kind: "route", spec, key: rulesOf("route").identify(spec) } as Desired;
  host.condense({ objects: [wanted] });
  asked.splice(0);
  const said = async (): Promise<string[]> =>
    (await lookAt(host)).route.flatMap(({ kind, spec: one }) => (kind === "route" ? `${one.to} ${one.table}` : []));
  const kept = await said();
  expect(kept.toSorted()).toEqual([
    "10.0.0.0/24 900",
    "10.1.0.0/16 77",
    "10.2.0.0/16 78",
    "10.7.0.0/16 901",
    "172.16.0.0/16 254",
  ]);
  expect(asked.splice(0)).toEqual(["sysctl", "address", "cgroupProgram", "tcProgram"]);

  // A route was heard of: the tables that matter are listed anew, again and again.
  for (const to of ["10.3.0.0/16", "10.4.0.0/16"]) {
    host.forget(["route"]);
    fake.state.routes.push(route(to, 78, HEDDLE_PROTOCOL));
    expect(await said()).toContain(`${to} 78`);
    expect(asked.splice(0)).toEqual(["sysctl", "address", "route 77,78", "cgroupProgram", "tcProgram"]);
    host.condense({ objects: [wanted] });
  }
  host.forget(["link"]);
  expect(await said()).toHaveLength(3006);
  expect(asked.splice(0)).toContain("route");
});
