// Owns the tests of what is told of gateways on a packet's way.
import { describe, expect, test } from "vitest";
import { pictureFrom } from "../../test/pictures.ts";
import type { PassingGateway } from "../model/passing.ts";
import type { Signal } from "../model/signals.ts";
import { healthOf, passGateway } from "./gateways.ts";
import type { Packet } from "./packet.ts";
import { wayOf } from "./way.ts";
import type { Way } from "./verdict.ts";

const PICTURE = pictureFrom({
  links: { ib0: { addresses: ["10.20.3.1/16"] }, eth9: { addresses: ["140.181.2.51/24"] } },
  routes: [{ to: "default", link: "eth9", via: "140.181.2.1" }],
  switches: { all: { forwarding: 1 }, ib0: { forwarding: 1 }, eth9: { forwarding: 1 } },
  sysctls: { "net/ipv4/ip_forward": "1" },
});
const GATEWAY: PassingGateway = {
  name: "alinat",
  inside: "ib0",
  outside: "eth9",
  shares: [
    { to: "140.181.2.40, 2001:db8::40", from: ["10.20.0.0/17"] },
    { to: "140.181.2.38-140.181.2.39", from: ["10.20.128.0/17"] },
  ],
  failover: true,
};
const way = (from: string, more: Partial<Packet> = {}): Way =>
  wayOf(PICTURE, { to: "192.0.2.80", from, iif: "ib0", ...more });
const part = (state: "active" | "standby" | "fault" | "unknown") => ({
  name: "a",
  state,
  since: 100,
  why: "because",
  holds: true,
  priority: 250,
  addresses: ["10.20.3.227", "140.181.2.40"],
});
const signals = (first: "active" | "standby" | "fault" | "unknown"): Signal[] => [
  {
    kind: "gateway",
    section: "alinat",
    at: 400,
    drained: false,
    shares: [part(first), part("standby")],
    connections: { state: "current" },
  },
];

describe("a gateway of this host", () => {
  test.each([
    ["active", /passes it on from 140\.181\.2\.40\. This host is active for it for 5 min: because\.$/],
    ["standby", /stands by for 5 min: because\. Hosts inside send to another one, which has 10\.20\.3\.227/],
    ["fault", /out of service/],
    ["unknown", /not known/],
  ] as const)("that is %s", (state, said) => {
    const passing = passGateway([GATEWAY], signals(state), way("10.20.1.1"), 400);
    expect(passing).toMatchObject({ section: "gateway/alinat", translatedTo: "140.181.2.40", state });
    expect(passing?.said).toMatch(said);
  });

  test("each share has a state and addresses of its own", () => {
    const passing = passGateway([GATEWAY], signals("active"), way("10.20.130.1"), 400);
    expect(passing).toMatchObject({ state: "standby" });
    expect(passing?.said).toMatch(/from one of 140\.181\.2\.38-140\.181\.2\.39, always the same for one host/);
  });

  test("who may not pass, who runs no process, who is alone, who is none", () => {
    expect(passGateway([GATEWAY], [], way("10.9.1.1"), 400)?.said).toMatch(/refuses it: 10\.9\.1\.1/);
    expect(passGateway([GATEWAY], [], way("10.20.1.1"), 400)?.said).toMatch(/no gateway process runs here/);
    const alone = { ...GATEWAY, failover: false, shares: [{}] };
    expect(passGateway([alone], [], way("10.20.1.1"), 400)).toEqual({
      section: "gateway/alinat",
      said: "gateway/alinat passes it on with its own source.",
    });
    expect(passGateway([GATEWAY], [], wayOf(PICTURE, { to: "192.0.2.80" }), 400)).toBeUndefined();
    expect(passGateway([GATEWAY], [], way("140.181.2.1", { iif: "eth9", to: "10.20.1.1" }), 400)).toBeUndefined();
  });
});

test("what is known of a gateway that a packet is sent to, and of targets behind it", () => {
  const row = (name: string, more: object): Signal => ({ kind: "probe", name, at: 0, ...more });
  const told = healthOf(
    [
      row("egress/a 140.181.2.1", { well: true, rttMs: 0.2 }),
      row("egress/a 140.181.2.1 tcp://192.0.2.1:443", { well: false }),
      row("egress/b 140.181.2.1", {}),
      row("egress/a 140.181.2.2", { well: false }),
    ],
    wayOf(PICTURE, { to: "192.0.2.80" }),
  );
  expect(told.map(({ said }) => said)).toEqual([
    "140.181.2.1 answered after 0.2 ms when it was asked last (egress/a).",
    "tcp://192.0.2.1:443 by way of 140.181.2.1 did not answer when it was asked last (egress/a).",
    "Whether 140.181.2.1 answers is not known yet (egress/b).",
  ]);
});
