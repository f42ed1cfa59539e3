// Proves who is taken for a listener on Ethernet, by all versions of IGMP and MLD, for how long, and within which bounds.
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { holds } from "../../host/netlink/testing/seeds.ts";
import { mayTellOfGroups } from "../codec/locate-membership.ts";
import { IGMP, MLD } from "../codec/membership.ts";
import { bridged } from "../run/testing/stand.ts";
import { Listeners, MOST_LISTENERS } from "./listeners.ts";
import { old, query, report } from "./testing/group-messages.ts";

const GROUPS = ["239.37.0.1", "239.37.0.2", "ff05::37:1"].map((group, i) => bridged(i, group).group);
const ONE = { address: "192.0.2.1" };
const TWO = { address: "192.0.2.2" };
const SIX = { address: "fe80::1" };
const GROUP = "239.37.0.1";
const GROUP6 = "ff05::37:1";

let listeners: Listeners;
beforeEach(() => (listeners = new Listeners(GROUPS)));

function hear(frame: Uint8Array, nowMs = 0): void {
  listeners.hear(frame, 0, frame.length, nowMs);
}

/** Addresses of those that listen to a group, by its index. */
function of(index: number, nowMs = 0): string[] {
  return listeners.of(GROUPS[index] as (typeof GROUPS)[0], nowMs).map(({ address }) => address);
}

describe("a host listens", () => {
  test.each([
    ["IGMPv1", old(ONE, IGMP.report1, GROUP)],
    ["IGMPv2", old(ONE, IGMP.report2, GROUP)],
    ["IGMPv3", report(ONE, ["toExclude", GROUP])],
    ["IGMPv3", report(ONE, ["isExclude", GROUP])],
  ])("by %s", (protocol, frame) => {
    hear(frame, 5);
    expect(listeners.of(GROUPS[0] as (typeof GROUPS)[0], 5)).toEqual([
      { address: "192.0.2.1", protocol, heardMs: 5, untilMs: 260_005, bridge: false },
    ]);
    expect([of(1), listeners.count]).toEqual([[], 1]);
  });

  test.each([
    ["MLDv1", old(SIX, MLD.report1, GROUP6)],
    ["MLDv2", report(SIX, ["toExclude", GROUP6])],
  ])("by %s", (protocol, frame) => {
    hear(frame);
    expect(listeners.of(GROUPS[2] as (typeof GROUPS)[0], 0)).toMatchObject([{ address: "fe80::1", protocol }]);
  });

  test("to several groups by one report, and to those that are not bridged without a trace", () => {
    hear(report(ONE, ["toExclude", "239.1.1.1"], ["toExclude", GROUP, "198.51.100.1"], ["toExclude", "239.37.0.2"]));
    expect([of(0), of(1), listeners.count]).toEqual([["192.0.2.1"], ["192.0.2.1"], 2]);
  });

  test("under its hardware address while it has no other", () => {
    hear(report({ address: "0.0.0.0", mac: [2, 0, 0, 0, 0, 0xab] }, ["toExclude", GROUP]));
    expect(of(0)).toEqual(["02:00:00:00:00:ab"]);
  });

  test("as a bridge, when it is known for one", () => {
    listeners = new Listeners(GROUPS, (mac) => mac[5] === 7);
    hear(report({ address: "192.0.2.7", mac: [2, 0, 0, 0, 0, 7] }, ["toExclude", GROUP]));
    hear(report(ONE, ["toExclude", GROUP]));
    expect(listeners.of(GROUPS[0] as (typeof GROUPS)[0], 0).map(({ bridge }) => bridge)).toEqual([true, false]);
  });
});

describe("a host listens no more", () => {
  beforeEach(() => {
    hear(report(ONE, ["toExclude", GROUP]));
    hear(report(TWO, ["toExclude", GROUP]));
    hear(report(SIX, ["toExclude", GROUP6]));
  });

  test("when it leaves, and the others do", () => {
    hear(old(ONE, IGMP.leave, GROUP));
    expect(of(0)).toEqual(["192.0.2.2"]);
    hear(report(TWO, ["toInclude", GROUP]));
    hear(old(SIX, MLD.done, GROUP6));
    expect([of(0), of(2), listeners.count]).toEqual([[], [], 0]);
  });

  test("when nothing was heard of it for 260 s", () => {
    hear(report(TWO, ["isExclude", GROUP]), 10_000);
    expect(of(0, 259_999)).toEqual(["192.0.2.1", "192.0.2.2"]);
    expect(of(0, 260_000)).toEqual(["192.0.2.2"]);
    expect(of(0, 270_000)).toEqual([]);
  });

  test("after the time that the querier states, to all and not about a group", () => {
    // Twice ten seconds, and one of waiting.
    hear(query({ address: "192.0.2.254" }, { responseCode: 10, robustness: 2, intervalCode: 10 }));
    hear(query({ address: "192.0.2.254" }, { responseCode: 1, robustness: 1, intervalCode: 1 }, GROUP));
    hear(report(ONE, ["isExclude", GROUP]), 1000);
    expect([of(0, 21_999), of(0, 22_000)]).toEqual([["192.0.2.1", "192.0.2.2"], ["192.0.2.2"]]);
    hear(query({ address: "fe80::2" }, { responseCode: 500, robustness: 3, intervalCode: 1 }));
    hear(report(SIX, ["isExclude", GROUP6]), 1000);
    expect([of(2, 4499), of(2, 4500)]).toEqual([["fe80::1"], []]);
    expect(listeners.queriedMs).toEqual({ 4: 0, 6: 0 });
  });
});

describe("sources", () => {
  const [a, b, c] = ["198.51.100.1", "198.51.100.2", "198.51.100.3"] as const;
  const sources = (): string[] | undefined => {
    const [one] = listeners.of(GROUPS[0] as (typeof GROUPS)[0], 0);
    return one === undefined ? undefined : [...(one.sources ?? ["all"])];
  };

  test("are allowed and blocked one by one; without any it listens no more", () => {
    hear(report(ONE, ["allowSources", GROUP, a, b]));
    hear(report(ONE, ["isInclude", GROUP, c]));
    expect(sources()).toEqual([a, b, c]);
    hear(report(ONE, ["toInclude", GROUP, b, c]));
    hear(report(ONE, ["blockSources", GROUP, b]));
    expect(sources()).toEqual([c]);
    hear(report(ONE, ["blockSources", GROUP, c, a]));
    expect([sources(), listeners.count]).toEqual([undefined, 0]);
  });

  test("matter not to one that listens to all", () => {
    hear(report(ONE, ["toExclude", GROUP]));
    hear(report(ONE, ["blockSources", GROUP, a]));
    hear(report(ONE, ["allowSources", GROUP, a]));
    expect(sources()).toEqual(["all"]);
    hear(report(ONE, ["isInclude", "239.37.0.2"], ["blockSources", "239.37.0.2", a]));
    expect(of(1)).toEqual([]);
  });

  test("are bounded", () => {
    const many = Array.from({ length: 40 }, (_, i) => `198.51.100.${i}`);
    hear(report(ONE, ["allowSources", GROUP, ...many]));
    hear(report(ONE, ["allowSources", GROUP, ...many.slice(20)]));
    expect(sources()).toEqual(many.slice(0, MOST_LISTENERS.sources));
  });
});

describe("nothing is believed", () => {
  test.each([
    ["of MLD that was forwarded", report({ ...SIX, hopLimit: 2 }, ["toExclude", GROUP6])],
    ["of MLD from no link-local address", report({ address: "2001:db8::1" }, ["toExclude", GROUP6])],
    ["of MLD from no address", report({ address: "::" }, ["toExclude", GROUP6])],
    ["of a broken message", report(ONE, ["toExclude", GROUP]).fill(0xff, 40, 42)],
    ["of half a message", report(ONE, ["toExclude", GROUP]).subarray(0, 44)],
    ["of a group of the other protocol", old(ONE, IGMP.report2, "0.0.0.0")],
  ])("%s", (_, frame) => {
    hear(frame);
    expect(listeners.count).toBe(0);
  });

  test("nor that anybody asked", () => {
    hear(query({ address: "2001:db8::1" }, { responseCode: 1, robustness: 1, intervalCode: 1 }));
    expect(listeners.queriedMs).toEqual({});
  });
});

test("hosts of a group are bounded, and whose time is over makes room", () => {
  const host = (i: number) => ({ address: `10.0.${i >> 8}.${i & 255}` });
  for (let i = 0; i < MOST_LISTENERS.group + 5; i++) hear(report(host(i), ["toExclude", GROUP]), i);
  expect([listeners.count, listeners.refused]).toEqual([MOST_LISTENERS.group, 5]);
  // One that is known is heard though there is no room.
  hear(report(host(0), ["toExclude", GROUP]), 200_000);
  hear(report(TWO, ["toExclude", GROUP]), 260_010);
  expect(of(0, 260_010)).toContain("192.0.2.2");
  expect(of(0, 260_010)).toContain("10.0.0.0");
  expect(listeners.refused).toBe(5);
});

test("whatever comes, it reads no further than the frame, and stays within its bounds", () => {
  const frames = [
    report(ONE, ["toExclude", GROUP, "198.51.100.1"], ["allowSources", "239.37.0.2", "198.51.100.1", "198.51.100.2"]),
    report(SIX, ["isInclude", GROUP6, "fd00::1"]),
    old(ONE, IGMP.report2, GROUP),
    old(SIX, MLD.done, GROUP6),
    query(SIX, { responseCode: 0xffff, robustness: 0, intervalCode: 255 }),
  ];
  const change = fc.record({ at: fc.nat(120), value: fc.nat(255) });
  const tampered = fc.record({
    frame: fc.constantFrom(...frames),
    changes: fc.array(change, { maxLength: 4 }),
    cut: fc.nat(40),
  });
  holds(
    fc.property(fc.array(tampered, { maxLength: 40 }), (all) => {
      const [whole, alone] = [new Listeners(GROUPS), new Listeners(GROUPS)];
      for (const [nowMs, { frame, changes, cut }] of all.entries()) {
        const bytes = frame.slice();
        for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value;
        const end = Math.max(bytes.length - cut, 0);
        if (mayTellOfGroups(bytes, 0, end)) whole.hear(bytes, 0, end, nowMs);
        // What lies behind the frame makes no difference.
        if (mayTellOfGroups(bytes, 0, end)) alone.hear(bytes.slice(0, end), 0, end, nowMs);
      }
      for (const group of GROUPS) expect(whole.of(group, 0)).toEqual(alone.of(group, 0));
      expect(whole.count).toBeLessThanOrEqual(3 * MOST_LISTENERS.group);
    }),
    200,
  );
});
