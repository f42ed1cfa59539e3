// Proves IP between the two links of a bridge: hosts that are found by the agent, reached, moved, doubled, and given up.
import { beforeAll, describe, expect, test } from "vitest";
import { until } from "../../test/contract-steps.ts";
import { pings, RoutedSegments } from "../../test/routed-segments.ts";

const [ROCE, IB, OTHER] = ["192.0.2.10", "192.0.2.77", "192.0.2.78"];

let segments: RoutedSegments;
let lab: RoutedSegments["lab"];
let router: RoutedSegments["router"];
let roce: RoutedSegments["left"];
let ib: RoutedSegments["right"];

beforeAll(async () => {
  segments = await RoutedSegments.stand({
    router: ["192.0.2.1", "192.0.2.2"],
    hosts: [ROCE, IB],
    length: 24,
    says: "arp: true",
  });
  ({ lab, router, left: roce, right: ib } = segments);
  return () => segments[Symbol.asyncDispose]();
});

describe("hosts of both segments", () => {
  test("reach each other, by ping and TCP, each by an answer for it alone", async () => {
    await until(async () => pings(roce.namespace, IB));
    expect(segments.known()).toEqual([
      `${ROCE} dev eth2`,
      `${ROCE} dev ib0 proxy`,
      `${IB} dev eth2 proxy`,
      `${IB} dev ib0`,
    ]);
    await segments.expectEcho(IB);
    expect(pings(ib.namespace, ROCE)).toBe(true);
  });

  test("who is not there is not answered for", () => {
    expect(pings(roce.namespace, "192.0.2.200")).toBe(false);
    expect(roce.namespace.ip("neigh show 192.0.2.200")).not.toContain("lladdr");
    expect(segments.known()).toHaveLength(4);
  });

  test("one that moves is reached where it is", async () => {
    // Its own link was down meanwhile: it remembers nobody. Others do.
    ib.move("left");
    ib.namespace.ip("neigh flush dev eth0");
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
    const twin = lab.host("left", `${OTHER}/24`);
    await until(async () => pings(twin.namespace, IB));
    const other = lab.host("right", `${OTHER}/24`);
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
});
