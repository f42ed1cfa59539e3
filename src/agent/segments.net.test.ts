// Proves IP between the two links of a bridge: hosts that are found by the agent, reached, moved, doubled, and given up.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { beforeAll, describe, expect, test } from "vitest";
import { AgentHost } from "../../test/agent.ts";
import { until } from "../../test/contract-steps.ts";
import type { TestNamespace } from "../../test/namespace.ts";
import { SegmentLab } from "../../test/segment-lab.ts";

const [ROCE, IB, OTHER] = ["192.0.2.10", "192.0.2.77", "192.0.2.78"];

let lab: SegmentLab;
let router: AgentHost;
let roce: ReturnType<SegmentLab["host"]>;
let ib: ReturnType<SegmentLab["host"]>;

beforeAll(async () => {
  lab = new SegmentLab();
  router = new AgentHost();
  lab.connect(router.namespace, "eth2", "left", "192.0.2.1/24");
  lab.connect(router.namespace, "ib0", "right", "192.0.2.2/24");
  roce = lab.host("left", `${ROCE}/24`);
  ib = lab.host("right", `${IB}/24`);
  router.write(`
bridge:
  fabrics: { infiniband: { link: ib0 }, ethernet: { link: eth2 }, arp: true }`);
  expect(router.heddle("apply")).toMatchObject({ code: 0 });
  await router.start();
  return async () => {
    await router[Symbol.asyncDispose]();
    lab[Symbol.dispose]();
  };
});

function pings(from: TestNamespace, to: string): boolean {
  try {
    from.run("ping", "-c", "1", "-W", "1", to);
    return true;
  } catch {
    return false;
  }
}

/** The host routes and answers of heddle's at the router. */
function hosts(): string[] {
  const { namespace } = router;
  const routes = namespace.ip("route show proto 72").trim().split("\n");
  const answers = namespace.ip("neigh show proxy").trim().split("\n");
  return [...routes, ...answers]
    .map((line) => line.replaceAll(/ +proto \S+| scope link|  +/g, "").trim())
    .filter(Boolean)
    .toSorted();
}

describe("hosts of both segments", () => {
  test("reach each other, by ping and TCP, each by an answer for it alone", async () => {
    await until(async () => pings(roce.namespace, IB));
    expect(hosts()).toEqual([`${ROCE} dev eth2`, `${ROCE} dev ib0 proxy`, `${IB} dev eth2 proxy`, `${IB} dev ib0`]);
    const path = (namespace: TestNamespace): string[] => [
      "nsenter",
      `--net=/proc/${process.pid}/fd/${namespace.fd}`,
      "--",
    ];
    const [enter, ...words] = path(ib.namespace) as [string, ...string[]];
    const server = spawn(enter, [...words, "socat", "TCP-LISTEN:5000,reuseaddr", "EXEC:cat"], { stdio: "ignore" });
    const text = "a line that comes back\n".repeat(10_000);
    let back = "";
    await until(async () => {
      const [command, ...more] = path(roce.namespace) as [string, ...string[]];
      const client = spawn(command, [...more, "socat", "-t", "5", "-", `TCP:${IB}:5000`], {
        stdio: ["pipe", "pipe", "ignore"],
      });
      back = "";
      client.stdout.setEncoding("utf8").on("data", (piece: string) => (back += piece));
      client.stdin.on("error", () => {});
      client.stdin.end(text);
      await once(client, "exit");
      return back.length > 0;
    });
    expect(back).toBe(text);
    server.kill();
    expect(pings(ib.namespace, ROCE)).toBe(true);
  });

  test("who is not there is not answered for", () => {
    expect(pings(roce.namespace, "192.0.2.200")).toBe(false);
    expect(roce.namespace.ip("neigh show 192.0.2.200")).not.toContain("lladdr");
    expect(hosts()).toHaveLength(4);
  });

  test("one that moves is reached where it is", async () => {
    // Its own link was down meanwhile: it remembers nobody. Others do.
    ib.move("left");
    ib.namespace.ip("neigh flush dev eth0");
    await until(async () => pings(ib.namespace, ROCE) && hosts().includes(`${IB} dev eth2`));
    expect(hosts()).not.toContain(`${IB} dev ib0`);
    ib.move("right");
    ib.namespace.ip("neigh flush dev eth0");
    await until(async () => pings(ib.namespace, ROCE) && hosts().includes(`${IB} dev ib0`));
    await until(async () => pings(roce.namespace, IB));
  });

  test("what the agent knows outlives it", async () => {
    const before = hosts();
    await router.end("SIGKILL");
    await router.start();
    expect(hosts()).toEqual(before);
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
    await until(async () => !hosts().some((line) => line.startsWith(OTHER)));
    expect(router.told("host-doubled")[0]).toMatchObject({ host: OTHER });
  });

  test("nothing is left when the file is taken back", () => {
    expect(router.heddle("remove")).toMatchObject({ code: 0 });
    expect(hosts()).toEqual([]);
    roce.namespace.ip("neigh flush dev eth0");
    expect(pings(roce.namespace, IB)).toBe(false);
  });
});
