// Owns the proof that what rests is left out of a plan together with what cannot be made without it, and nothing else.
import { expect, test } from "vitest";
import { parseConfig } from "../config/config.ts";
import { FakeHost } from "../host/fake/fake-host.ts";
import { emptyLedger } from "../model/plan.ts";
import type { Plan } from "../model/plan.ts";
import { describeObject, describeStep } from "../plan/kinds/index.ts";
import { emptyNumbers } from "../plan/numbers.ts";
import { noKnownOwners } from "../plan/recall-owners.ts";
import { ROLES } from "../roles/index.ts";
import { lookAndPlan } from "./look.ts";
import { keyOf, withhold, withholdUnprobed } from "./withhold.ts";

const FILE = `version: 1
links: { ib0: { addresses: ["fd00:16::1/64", 172.16.34.1/16] } }
static:
  s:
    nexthops: { a: { via: 172.16.0.8, link: ib0 }, b: { via: 172.16.0.9, link: ib0 }, g: { group: { a: 1, b: 2 } } }
    routes:
      - { to: 10.1.0.0/16, nexthop: a }
      - { to: 10.2.0.0/16, nexthop: b }
      - { to: "fd01::/32", link: ib0, source: "fd00:16::1" }
      - { to: 10.3.0.0/16, link: ib0, source: 172.16.34.1 }`;

/** The plan for a host that `change` has been at, after the numbers were drawn. */
async function plan(change: (host: FakeHost) => void = () => {}): Promise<Plan> {
  const host = new FakeHost();
  host.addLink("ib0", []);
  const { value } = parseConfig(FILE, "heddle.yaml", ROLES);
  if (!value) throw new Error("the file is wrong");
  const memory = { ledger: emptyLedger(), numbers: emptyNumbers(), known: noKnownOwners() };
  const { look: first } = await lookAndPlan(value, host, memory);
  change(host);
  const { look } = await lookAndPlan(value, host, { ...memory, numbers: first?.intent.numbers ?? memory.numbers });
  if (!look) throw new Error("there is no plan");
  return look.plan;
}

const left = ({ steps }: Plan): string[] => steps.map(describeStep);
const out = ({ blocked }: Plan): string[] => blocked.map(({ desired, why }) => `${describeObject(desired)}: ${why}`);

test("a nexthop that rests takes its route along, and no other", async () => {
  const whole = await plan();
  const rest = withhold(whole, (step) => keyOf(step) === "nexthop 7000");
  expect(out(rest)).toEqual([
    "nexthop id 7000 via 172.16.0.8 dev ib0: resting",
    "route 10.1.0.0/16 nhid 7000 table main: resting",
  ]);
  expect(left(rest)).toHaveLength(whole.steps.length - 2);
  expect(left(whole)).toContain("nexthop id 7002 group 7000/7001,2");
  expect(left(rest)).toContain("nexthop id 7002 group 7001,2");
  expect(left(rest)).toContain("route 10.2.0.0/16 nhid 7001 table main");
});

test("nothing rests: the plan is the same", async () => {
  const whole = await plan();
  expect(withhold(whole, () => false)).toBe(whole);
});

test("an address that must be probed is made, and what needs it is not; IPv4 waits for nothing", async () => {
  const rest = withholdUnprobed(await plan());
  expect(out(rest)).toEqual(["route fd01::/32 dev ib0 table main src fd00:16::1: resting"]);
  expect(left(rest)).toContain("address fd00:16::1/64 dev ib0");
  expect(left(rest)).toContain("route 10.3.0.0/16 dev ib0 table main src 172.16.34.1");
});

test("a group that has all the members that can be had is left as it is; without any it waits", async () => {
  const nexthop = { family: 4, link: "ib0", via: "172.16.0.9", protocol: 72 } as const;
  const there = await plan(({ state }) => {
    state.nexthops.push({ id: 7001, ...nexthop }, { id: 7002, members: [{ id: 7001, weight: 2 }], protocol: 72 });
  });
  expect(left(there)).toContain("nexthop id 7002 group 7000/7001,2");
  const rest = withhold(there, (step) => keyOf(step) === "nexthop 7000");
  expect(left(rest).filter((step) => step.startsWith("nexthop"))).toEqual([]);
  expect(out(rest)).not.toContainEqual(expect.stringContaining("7002"));
  const none = withhold(await plan(), (step) => ["nexthop 7000", "nexthop 7001"].includes(keyOf(step)));
  expect(out(none)).toContain("nexthop id 7002 group 7000/7001,2: resting");
});

test("what shall go and rests stays heddle's", async () => {
  const spec = { id: 7009, family: 4, link: "ib0", via: "172.16.0.9", protocol: 72 } as const;
  const whole = await plan(({ state }) => state.nexthops.push(spec));
  const rest = withhold(whole, (step) => keyOf(step) === "nexthop 7009");
  expect(rest.staying).toMatchObject([{ kind: "nexthop", spec }]);
  expect(rest.steps).toHaveLength(whole.steps.length - 1);
});
