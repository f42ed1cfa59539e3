// Owns the proof that it is known which links an object hangs on, through however many others.
import { expect, test } from "vitest";
import { parseConfig } from "../config/config.ts";
import { FakeHost } from "../host/fake/fake-host.ts";
import { emptyLedger } from "../model/plan.ts";
import { describeObject } from "../plan/kinds/index.ts";
import { emptyNumbers } from "../plan/numbers.ts";
import { noKnownOwners } from "../plan/recall-owners.ts";
import { ROLES } from "../roles/index.ts";
import { Hangings } from "./hangings.ts";
import { lookAndPlan } from "./look.ts";

const FILE = `version: 1
links: { ib0: { addresses: [172.16.34.1/16] } }
multihome: { ib: { links: [ib0] } }
static:
  s:
    nexthops: { a: { via: 172.16.0.8, link: ib0 }, b: { via: 172.16.0.9, link: ib1 }, g: { group: { a: 1, b: 2 } } }
    routes:
      - { to: 10.1.0.0/16, nexthop: g }
      - { to: 10.2.0.0/16, nexthop: b }
      - { to: 10.3.0.0/16, link: ib1, source: 172.16.34.1 }
      - { to: 10.4.0.0/16, type: unreachable }
    rules: [{ from: 10.9.0.0/16, table: 77, priority: 5 }]`;

test("links of objects, of their members, and of the addresses that they leave from", async () => {
  const host = new FakeHost();
  host.addLink("ib0", []);
  host.addLink("ib1", ["172.16.34.2/16"]);
  const { value } = parseConfig(FILE, "heddle.yaml", ROLES);
  const { look } = value
    ? await lookAndPlan(value, host, { ledger: emptyLedger(), numbers: emptyNumbers(), known: noKnownOwners() })
    : {};
  if (!look) throw new Error("there is no plan");
  const hangings = new Hangings(look.want);
  const found = Object.fromEntries(
    look.want.objects.map((object) => [describeObject(object), [...hangings.linksOf(object)].toSorted().join(" ")]),
  );
  expect(found).toMatchObject({
    "address 172.16.34.1/16 dev ib0": "ib0",
    "sysctl net.ipv4.conf.ib0.arp_ignore = 1": "ib0",
    "nexthop id 7000 via 172.16.0.8 dev ib0": "ib0",
    "nexthop id 7002 group 7000/7001,2": "ib0 ib1",
    "route 10.1.0.0/16 nhid 7002 table main": "ib0 ib1",
    "route 10.2.0.0/16 nhid 7001 table main": "ib1",
    "route 10.3.0.0/16 dev ib1 table main src 172.16.34.1": "ib0 ib1",
    "route unreachable 10.4.0.0/16 table main": "",
    "rule 5: from 10.9.0.0/16 lookup 77": "",
  });
});
