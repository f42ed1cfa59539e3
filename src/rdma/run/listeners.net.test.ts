// Proves who is said to listen on either side: hosts whose kernels speak IGMP and MLD, and ports that the real OpenSM knows.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { until } from "../fabric/until.ts";
import type { InfinibandHost, RoceHost } from "../hosts/hosts.ts";
import type { Bridge } from "./bridge.ts";
import { statusOf } from "./status.ts";
import type { GroupStatus } from "./status.ts";
import { bridged, ip, Stand } from "./testing/stand.ts";

const GROUPS = [bridged(0, "239.41.0.1"), bridged(1, "239.41.0.2", { way: "to-ethernet" }), bridged(2, "ff05::41:1")];
const [FULL, SEND_ONLY] = [1, 4];

let stand: Stand;
let bridge: Bridge;
let ib: InfinibandHost;
let third: InfinibandHost;

beforeAll(async () => {
  stand = await Stand.build(8, 5);
  // Hosts speak no newer version than they are asked in.
  ip("link set sw8 type bridge mcast_igmp_version 3 mcast_mld_version 2");
  ib = await stand.infinibandHost("H3");
  third = await stand.infinibandHost("H4");
  bridge = await stand.bridge("lb1", "H2", GROUPS, { smKey: () => 1n });
  // As a switch has it whose operator wants to see hosts from here: reports go to routers' ports.
  execFileSync("bridge", ["link", "set", "dev", "sw-lb1", "mcast_router", "2"]);
  await until("the bridge is active", () => bridge.election.state === "active");
  return () => stand[Symbol.asyncDispose]();
});

function listenersOf(index: number): GroupStatus["listeners"] {
  return (statusOf(bridge).groups[index] as GroupStatus).listeners;
}

/** Who listens on Ethernet, under which protocol. */
function onEthernet(index: number): [string, string][] {
  return listenersOf(index).ethernet.map(({ address, protocol }) => [address, protocol]);
}

describe("on Ethernet", () => {
  /** A host whose kernel speaks one version only. */
  async function host(link: string, igmp: number, mld: number): Promise<RoceHost> {
    const made = await stand.roceHost(link);
    writeFileSync(`/proc/sys/net/ipv4/conf/${link}/force_igmp_version`, String(igmp));
    writeFileSync(`/proc/sys/net/ipv6/conf/${link}/force_mld_version`, String(mld));
    // MLD is spoken from a link-local address, and MLDv1 twice at most until somebody asks.
    await until("its link-local address is its own", () => {
      const words = ["-6", "addr", "show", "dev", link, "scope", "link", "-tentative"];
      return execFileSync("ip", words, { encoding: "utf8" }).includes("inet6 fe80:");
    });
    return made;
  }

  test.each([
    ["le3", 3, 2],
    ["le2", 2, 1],
  ] as const)("%s listens by IGMPv%i and MLDv%i, and no more when it leaves", async (link, igmp, mld) => {
    const one = await host(link, igmp, mld);
    for (const { group } of GROUPS) one.join(group.ethernet.address);
    await until("it is heard", () =>
      [0, 1, 2].every((index) => onEthernet(index).some(([, protocol]) => isOf(protocol, igmp, mld))),
    );
    const address = one.link.ipv4?.join(".");
    expect(onEthernet(0)).toEqual([[address, `IGMPv${igmp}`]]);
    expect(onEthernet(1)).toEqual([[address, `IGMPv${igmp}`]]);
    expect(onEthernet(2)).toEqual([[expect.stringMatching(/^fe80::/), `MLDv${mld}`]]);
    one[Symbol.dispose]();
    await until("it is gone", () => [0, 1, 2].every((index) => onEthernet(index).length === 0));
  });

  test("a querier is heard", async () => {
    await until("by both protocols", () => {
      const { querierSeconds, mldQuerierSeconds } = statusOf(bridge).ethernet;
      return querierSeconds !== undefined && mldQuerierSeconds !== undefined;
    });
  });

  test("the card lets through what is for routers", () => {
    const groups = execFileSync("ip", ["maddr", "show", "dev", "lb1"], { encoding: "utf8" });
    for (const group of ["224.0.0.2", "224.0.0.22", "ff02::2", "ff02::16"]) expect(groups).toContain(` ${group}\n`);
  });
});

function isOf(protocol: string, igmp: number, mld: number): boolean {
  return protocol === `IGMPv${igmp}` || protocol === `MLDv${mld}`;
}

describe("on InfiniBand", () => {
  test("ports are told with their states; those that are gone are not", async () => {
    const { mgid } = (GROUPS[0] as (typeof GROUPS)[0]).group;
    await ib.join(mgid, FULL);
    await third.join(mgid, SEND_ONLY, {});
    const ports = (): string[] =>
      (listenersOf(0).infiniband?.ports ?? [])
        .map(({ gid, states, self }) => `${gid} ${states.join()}${self === true ? " self" : ""}`)
        .toSorted();
    const all = ["fe80::20:102 full self", "fe80::20:202 full", "fe80::20:302 send-only"];
    await until("all three are told", () => ports().join() === all.join());
    expect(statusOf(bridge).infiniband.members).toBe("told");
    await ib.leave(mgid);
    await until("one is gone", () => ports().length === 2);
    expect(ports()).toEqual([all[0], all[2]]);
    await third.sa.leave(mgid, SEND_ONLY);
  });

  test("the port's rate, and the group's, are told", () => {
    const { infiniband, groups } = statusOf(bridge);
    expect(infiniband.rate).toBeGreaterThanOrEqual(10);
    expect(groups[0]?.rate).toBe(10);
  });
});
