// Proves IPv6 between the two links of a bridge: hosts that are found, reached, moved and doubled, and addresses that are
// claimed on either side.
import { beforeAll, expect, test } from "vitest";
import { until } from "../../test/contract-steps.ts";
import type { TestNamespace } from "../../test/namespace.ts";
import { pings, RoutedSegments } from "../../test/routed-segments.ts";

const [ROCE, IB, OTHER, FREE] = ["2001:db8::10", "2001:db8::77", "2001:db8::78", "2001:db8::79"];

let segments: RoutedSegments;
let lab: RoutedSegments["lab"];
let router: RoutedSegments["router"];
let roce: RoutedSegments["left"];
let ib: RoutedSegments["right"];

beforeAll(async () => {
  segments = await RoutedSegments.stand({
    router: ["2001:db8::1", "2001:db8::2"],
    hosts: [ROCE, IB],
    length: 64,
    says: "nd: true",
  });
  ({ lab, router, left: roce, right: ib } = segments);
  return () => segments[Symbol.asyncDispose]();
});

/** Has a host take an address as hosts do, claiming it first. Gives whether nobody objected. */
async function takes(host: TestNamespace, address: string): Promise<boolean> {
  // In namespaces of tests addresses are usable at once otherwise.
  host.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=1");
  host.ip(`addr add ${address}/64 dev eth0`);
  const state = (): string => host.ip(`-6 addr show dev eth0 to ${address}/128`);
  expect(state()).toContain("tentative");
  await until(() => Promise.resolve(!/ tentative/.test(state()) || state().includes("dadfailed")));
  const failed = state().includes("dadfailed");
  if (failed) host.ip(`addr del ${address}/64 dev eth0`);
  return !failed;
}

test("hosts of both segments reach each other, by ping and TCP, each by an answer for it alone", async () => {
  await until(async () => pings(roce.namespace, IB));
  expect(segments.known()).toEqual([
    `${ROCE} dev eth2`,
    `${ROCE} dev ib0 proxy`,
    `${IB} dev eth2 proxy`,
    `${IB} dev ib0`,
  ]);
  expect(pings(ib.namespace, ROCE)).toBe(true);
  await segments.expectEcho(IB);
});

test("who is not there is not answered for, nor is what means nothing beyond its link", () => {
  expect(pings(roce.namespace, "2001:db8::200")).toBe(false);
  expect(roce.namespace.ip("neigh show 2001:db8::200")).not.toContain("lladdr");
  const local = /fe80\S+(?=\/)/.exec(ib.namespace.ip("-6 addr show dev eth0 scope link"))?.[0] ?? "";
  expect(pings(roce.namespace, `${local}%eth0`)).toBe(false);
  expect(segments.known()).toHaveLength(4);
});

test("a neighbour that asks the hardware address it knows is answered", async () => {
  await until(async () => pings(roce.namespace, IB));
  // The kernel asks once more before it takes an entry for gone (NUD_PROBE): of the router, who must not pass it on.
  const [link] = JSON.parse(router.namespace.run("ip", "-j", "link", "show", "eth2")) as { address: string }[];
  const lladdr = link?.address ?? "";
  roce.namespace.ip(`neigh replace ${IB} lladdr ${lladdr} dev eth0 nud probe`);
  await until(() => Promise.resolve(/REACHABLE/.test(roce.namespace.ip(`neigh show ${IB}`))));
});

test("an address of the other segment cannot be taken, a free one can", async () => {
  await until(async () => pings(roce.namespace, IB));
  const second = lab.host("left", "2001:db8::50/64");
  expect(await takes(second.namespace, IB)).toBe(false);
  expect(await takes(second.namespace, FREE)).toBe(true);
  // One that nobody has asked for yet is there all the same.
  lab.host("right", "2001:db8::51/64");
  expect(await takes(second.namespace, "2001:db8::51")).toBe(false);
  // As is one of the router's own.
  expect(await takes(second.namespace, "2001:db8::1")).toBe(false);
  await until(async () => pings(second.namespace, IB));
});

test("one that moves takes its own address along, and is reached where it is", async () => {
  await until(async () => pings(roce.namespace, IB) && segments.known().includes(`${IB} dev eth2 proxy`));
  // Its own link was down meanwhile: it remembers nobody, and has its address no longer. Others remember it.
  ib.namespace.ip(`addr del ${IB}/64 dev eth0`);
  ib.move("left");
  ib.namespace.ip("neigh flush dev eth0");
  // The router still answers for it there, but not to itself.
  expect(segments.known()).toContain(`${IB} dev eth2 proxy`);
  expect(await takes(ib.namespace, IB)).toBe(true);
  await until(async () => pings(ib.namespace, ROCE) && segments.known().includes(`${IB} dev eth2`));
  expect(segments.known()).not.toContain(`${IB} dev ib0`);
  ib.move("right");
  ib.namespace.ip("neigh flush dev eth0");
  await until(async () => pings(ib.namespace, ROCE) && segments.known().includes(`${IB} dev ib0`));
  await until(async () => pings(roce.namespace, IB));
});

test("what the agent knows outlives it", async () => {
  const before = segments.known();
  await router.end("SIGKILL");
  await router.start();
  expect(segments.known()).toEqual(before);
});

test("an address of two hosts is left alone, and told", async () => {
  // Neither of them claims it.
  const twin = lab.host("left", `${OTHER}/64`);
  await until(async () => pings(twin.namespace, IB));
  const other = lab.host("right", `${OTHER}/64`);
  await until(async () => {
    pings(other.namespace, ROCE);
    pings(twin.namespace, IB);
    return router.told("host-doubled").length > 0;
  });
  await until(async () => !segments.known().some((line) => line.startsWith(OTHER)));
  expect(router.told("host-doubled")[0]).toMatchObject({ host: OTHER });
});

test("nothing is left when the file is taken back", () => {
  expect(router.heddle("remove")).toMatchObject({ code: 0 });
  expect(segments.known()).toEqual([]);
  roce.namespace.ip("neigh flush dev eth0");
  expect(pings(roce.namespace, IB)).toBe(false);
});
