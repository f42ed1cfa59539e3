import fc from "fast-check";
import { expect, test } from "vitest";
import { linkBatch, namespacesOf, placeLinks, routingBatch, switchBatch, sysctlArgument } from "./batches.ts";
import {
  hardwareAddress,
  HOST_NAME,
  hostNamespace,
  LAB_NAME,
  LINK_NAME,
  MOST_HOSTS,
  MOST_LINKS,
  portName,
  stateRoot,
} from "./names.ts";
import { mustRead, smallText } from "./testing/small-lab.ts";

const small = mustRead(smallText("small"));
const lines = (batch: readonly { line: string }[]): string[] => batch.map(({ line }) => line);

test("the switch has a bridge for each segment and a port for each link", () => {
  expect(lines(switchBatch(small, "x")).slice(0, 4)).toEqual([
    "link add name ib mtu 2044 type bridge stp_state 0 mcast_snooping 0",
    "link set dev ib up",
    "link add name h0-0 mtu 2044 type veth peer name ib0.8001 address 02:68:64:00:01:01 mtu 2044 netns heddle-x.a",
    'link set dev h0-0 master ib alias "a ib0.8001" up',
  ]);
  expect(namespacesOf(small, "x")).toEqual(["heddle-x", "heddle-x.a", "heddle-x.b"]);
  expect(placeLinks(small).map(({ host, name, port }) => `${host} ${name} ${port}`)).toContain("b ib1 h1-1");
});

test("a host's links come up with their addresses, IPv6 without a wait", () => {
  expect(lines(linkBatch(small, "a")).slice(0, 4)).toEqual([
    "link set dev lo up",
    "link set dev ib0.8001 up",
    "address add 10.9.0.1/24 dev ib0.8001",
    "address add fd00:9::1:1/64 dev ib0.8001 nodad",
  ]);
  const down = mustRead(smallText("small").replace("ib1: { segment: ib,", "ib1: { segment: ib, up: false,"));
  expect(lines(linkBatch(down, "a"))).not.toContain("link set dev ib1 up");
});

test("routes and rules go to the family that their words imply", () => {
  expect(lines(routingBatch(small, "b", 4))).toEqual([
    "route add 10.77.0.0/16 via 10.9.0.1 table 77",
    "rule add from 10.9.0.11 table 77 priority 700",
  ]);
  expect(lines(routingBatch(small, "b", 6))).toEqual(["rule add from fd00:9::2:1 table 77 priority 700"]);
  const forced = mustRead(smallText("small").replace("10.77.0.0/16 via 10.9.0.1 table 77", "-6  default dev ib0"));
  expect(lines(routingBatch(forced, "b", 6))[0]).toBe("route add default dev ib0");
});

test("sysctls are written with slashes, so that dots in link names stay", () => {
  expect(sysctlArgument("net.ipv4.conf.all.rp_filter", 1)).toBe("net/ipv4/conf/all/rp_filter=1");
  expect(sysctlArgument("net/ipv4/conf/ib0.8001/rp_filter", "2")).toBe("net/ipv4/conf/ib0.8001/rp_filter=2");
});

test("no two hosts of any two labs share a namespace", () => {
  const lab = fc.stringMatching(LAB_NAME);
  const host = fc.stringMatching(HOST_NAME);
  fc.assert(
    fc.property(lab, host, lab, host, (labA, hostA, labB, hostB) => {
      fc.pre(labA !== labB || hostA !== hostB);
      expect(hostNamespace(labA, hostA)).not.toBe(hostNamespace(labB, hostB));
    }),
  );
});

test("every name fits into what the kernel takes", () => {
  expect(portName(MOST_HOSTS - 1, MOST_LINKS - 1).length).toBeLessThanOrEqual(15);
  expect(hardwareAddress(MOST_HOSTS - 1, MOST_LINKS - 1)).toBe("02:68:64:00:c8:c8");
  for (const bad of ["", "a/b", "a b", "-a", "..", ".", "lo", "x".repeat(16), "a:b"])
    expect(LINK_NAME.test(bad)).toBe(false);
  for (const good of ["ib0.8001", "enp49s0f1", "x".repeat(15)]) expect(LINK_NAME.test(good)).toBe(true);
  for (const bad of ["", "-a", "a-", "A", "a.b", "../x", "x".repeat(32)]) expect(LAB_NAME.test(bad)).toBe(false);
  expect(stateRoot(0, {})).toBe("/run/heddle-lab");
  expect(stateRoot(1000, { XDG_RUNTIME_DIR: "/run/user/1000" })).toBe("/run/user/1000/heddle-lab");
});
