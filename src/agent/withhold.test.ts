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
    nexthops: { a: { via: 172.16.0.8, link: ib0 }, b: { via: 172.16.0.9, link: ib0 } }
    routes:
      - { to: 10.1.0.0/16, nexthop: a }
      - { to: 10.2.0.0/16, nexthop: b }
      - { to: "fd01::/32", link: ib0, source: "fd00:16::1" }
      - { to: 10.3.0.0/16, link: ib0, source: 172.16.34.1 }`;

async function plan(): Promise<Plan> {
  const host = new FakeHost();
  host.addLink("ib0", []);
  const { value } = parseConfig(FILE, "heddle.yaml", ROLES);
  const { look } = value
    ? await lookAndPlan(value, host, { ledger: emptyLedger(), numbers: emptyNumbers(), known: noKnownOwners() })
    : {};
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
