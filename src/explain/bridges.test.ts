// Owns the tests of what is told of packets that a bridge takes.
import { expect, test } from "vitest";
import { crossBridge } from "./bridges.ts";
import type { Packet } from "./packet.ts";

const BRIDGES = [
  {
    name: "fabrics",
    link: "eth2",
    groups: [
      { group: "239.37.0.1", mgid: "ff12:4001:ffff::f25:1", toInfiniband: true },
      { group: "239.37.0.2", mgid: "ff12:4001:ffff::f25:2", toInfiniband: false },
    ],
  },
];
const MESSAGE: Packet = { to: "239.37.0.1", from: "10.0.0.5", iif: "eth2", ipProtocol: 17, destinationPort: 4791 };

test("a message to a group is passed on to the group on InfiniBand, or left where its way is the other one", () => {
  expect(crossBridge(BRIDGES, MESSAGE)).toEqual({
    section: "bridge/fabrics",
    mgid: "ff12:4001:ffff::f25:1",
    said: "bridge/fabrics passes it on to InfiniBand, to the group ff12:4001:ffff::f25:1",
  });
  const left = crossBridge(BRIDGES, { ...MESSAGE, to: "239.37.0.2" });
  expect(left).toMatchObject({ section: "bridge/fabrics" });
  expect(left).not.toHaveProperty("mgid");
});

test.each([
  ["of another link", { iif: "eth3" }],
  ["of another protocol", { ipProtocol: 6 }],
  ["to another port", { destinationPort: 4792 }],
  ["to another group", { to: "239.37.0.3" }],
])("a packet %s is none", (_what, change) => {
  expect(crossBridge(BRIDGES, { ...MESSAGE, ...change })).toBeUndefined();
});

test("what this host sends is not heard by its own bridge", () => {
  const { iif: _none, ...sent } = MESSAGE;
  expect(crossBridge(BRIDGES, sent)).toBeUndefined();
});
