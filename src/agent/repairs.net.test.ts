// Owns the proof that a running agent mends whatever the kernel or others take away, each way in which that happens.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { AgentHost } from "../../test/agent.ts";
import { until } from "../../test/contract-steps.ts";

let host: AgentHost;

const FILE = `
links:
  ib0: { addresses: [172.16.34.1/16, "fd00:16::1/64"] }
  ib1: { addresses: [172.16.34.2/16] }
multihome:
  ib: { links: [ib0, ib1] }
static:
  s:
    nexthops:
      a: { via: 172.16.0.8, link: ib0 }
      b: { via: 172.16.0.9, link: ib1 }
      g: { group: { a: 1, b: 2 } }
    neighbours: [{ address: 172.16.0.8, link: ib0, lladdr: "02:00:00:00:00:08" }]
    rules: [{ from: 10.9.0.0/16, table: 77, priority: 500 }]
    routes:
      - { to: 10.1.0.0/16, nexthop: g, table: 77 }
      - { to: "fd01::/32", link: ib0, source: "fd00:16::1", table: 77 }
      - { to: 10.2.0.0/16, type: unreachable, table: 77 }`;

beforeEach(async () => {
  host = new AgentHost();
  // A link that is named nowhere, which nothing that happens below may touch.
  host.namespace.addLink("eth0", ["192.0.2.1/24"]);
  for (const name of ["ib0", "ib1"]) addLink(name);
  host.write(FILE);
  await host.start();
});
afterEach(async () => host[Symbol.asyncDispose]());

/** A link with the probe for duplicates as it is on every host, but quick. */
function addLink(name: string): void {
  host.namespace.addLink(name, []);
  host.namespace.run("sysctl", "-qw", `net.ipv6.conf.${name}.accept_dad=1`);
}

/** Objects of heddle's and their switches, in an order of their own: that among equals changes with a flap. */
function state(): string[] {
  const { namespace } = host;
  const sysctls = ["ib0", "ib1"].flatMap((link) =>
    ["arp_ignore", "arp_announce", "rp_filter"].map((key) => `net.ipv4.conf.${link}.${key}`),
  );
  const shown = [
    "rule",
    "-6 rule",
    "route show table all",
    "-6 route show table all",
    "-d nexthop",
    "neigh show nud permanent",
  ]
    .map((words) => namespace.ip(words))
    .join("\n");
  return `${shown}\n${namespace.run("sysctl", "-e", ...sysctls)}`
    .split("\n")
    .filter((line) => /proto (72|heddle)|PERMANENT|^net\./.test(line))
    .map((line) => line.replace(/ (linkdown|dead)\b| pref medium/g, "").trim())
    .toSorted();
}

/** What was there is there again, within the ceiling of a test. */
async function comesBack(whole: string[], damage: () => void): Promise<void> {
  damage();
  let now: string[] = [];
  await until(async () => {
    now = state();
    return JSON.stringify(now) === JSON.stringify(whole);
  }).catch(() => expect(now).toEqual(whole));
  expect(now).toEqual(whole);
}

describe("what the kernel takes along", () => {
  test("a link goes down and up, at once and slowly; carrier is lost and comes back", async () => {
    const whole = state();
    const { namespace } = host;
    expect(whole.join("\n")).toContain("group 7000/7001,2");
    await comesBack(whole, () => {
      namespace.ip("link set ib0 down");
      namespace.ip("link set ib0 up");
    });
    namespace.ip("link set ib1 down");
    await until(async () => host.status().waiting.some(({ waitsFor }) => waitsFor === "link ib1 to be up"));
    await comesBack(whole, () => namespace.ip("link set ib1 up"));
    namespace.setCarrier("ib0", false);
    await until(async () => !namespace.ip("nexthop").includes("via 172.16.0.8"));
    await until(async () => host.status().waiting.some(({ why }) => why === "no-carrier"));
    await comesBack(whole, () => namespace.setCarrier("ib0", true));
  });

  test("a link that comes up again at any moment of a look is seen", { timeout: 120_000 }, async () => {
    const whole = state();
    const script = "ip link set ib1 down; sleep $1; ip link set ib1 up";
    for (let i = 0; i < 60; i++) {
      // From the beginning of the look that the loss leads to, to its end.
      const delay = (i % 20) / 1000;
      await comesBack(whole, () => host.namespace.run("sh", "-c", script, "sh", String(delay)));
    }
  });

  test("a link that flaps again and again is mended each time, and nobody is taken for a rival", async () => {
    const whole = state();
    for (let i = 0; i < 5; i++) {
      await comesBack(whole, () => {
        host.namespace.ip("link set ib1 down");
        host.namespace.ip("link set ib1 up");
      });
    }
    expect(host.status().standing).toEqual([]);
    expect(host.told("fight")).toEqual([]);
  });

  test("an address goes, and what stands on it; it is put back", async () => {
    const whole = state();
    await comesBack(whole, () => host.namespace.ip("addr del 172.16.34.1/16 dev ib0"));
    await comesBack(whole, () => host.namespace.ip("-6 addr flush dev ib0 scope global"));
    expect(host.told("fight")).toEqual([]);
  });

  test("a link is deleted and made anew, with another index and the kernel's own switches", async () => {
    const whole = state();
    host.namespace.ip("link del ib1");
    await until(async () => host.status().waiting.some(({ why }) => why === "link-missing"));
    await comesBack(whole, () => addLink("ib1"));
  });

  test("a link is renamed, and renamed back", async () => {
    const whole = state();
    const { namespace } = host;
    namespace.ip("link set ib1 down");
    namespace.ip("link set ib1 name old1");
    namespace.ip("link set old1 up");
    await until(async () => host.status().waiting.some(({ why }) => why === "link-missing"));
    await comesBack(whole, () => {
      namespace.ip("link set old1 down");
      namespace.ip("link set old1 name ib1");
      namespace.ip("link set ib1 up");
    });
  });
});

describe("what others take away", () => {
  test.each([
    ["a rule", "rule del from 172.16.34.1"],
    ["all rules", "rule flush"],
    ["a route", "route del 172.16.0.0/16 dev ib1 table 7001"],
    ["a table", "route flush table 7000"],
    ["an IPv6 table", "-6 route flush table 7000"],
    ["a nexthop, and the route behind its group", "nexthop del id 7000"],
    ["all nexthops", "nexthop flush"],
    ["a neighbour", "neigh del 172.16.0.8 dev ib0"],
    [
      "a neighbour that the kernel learns instead",
      "neigh replace 172.16.0.8 lladdr 02:00:00:00:00:77 dev ib0 nud reachable",
    ],
  ])("%s", async (_, words) => {
    await comesBack(state(), () => host.namespace.ip(words));
    await until(async () => host.told("repaired").length > 0);
  });

  test("a rule that is changed, not only taken away", async () => {
    const whole = state();
    await comesBack(whole, () => {
      host.namespace.ip("rule del from 10.9.0.0/16 table 77 priority 500");
      host.namespace.ip("rule add from 10.9.0.0/16 table 78 priority 500 protocol 72");
    });
    expect(host.namespace.ip("rule")).not.toContain("lookup 78");
  });

  test("another's route in the way is named and left alone; ours comes when it goes", async () => {
    const whole = state();
    host.namespace.ip("route replace 10.1.0.0/16 dev ib1 table 77 proto static");
    await until(async () => host.status().waiting.some(({ why }) => why === "foreign"));
    const [blocked] = host.status().waiting;
    expect(blocked).toMatchObject({ waitsFor: "route 10.1.0.0/16 dev ib1 table 77" });
    expect(host.namespace.ip("route show table 77")).toContain("10.1.0.0/16 dev ib1 proto static");
    await comesBack(whole, () => host.namespace.ip("route del 10.1.0.0/16 dev ib1 table 77 proto static"));
  });

  test("what nobody asked heddle for is left alone, and wakes it in vain at most", async () => {
    const { namespace } = host;
    const before = host.status().looks.count;
    for (let i = 0; i < 50; i++) namespace.ip(`route add 10.200.${i}.0/24 dev eth0 table 900`);
    namespace.ip("rule add from 10.200.0.0/16 table 900 priority 900");
    namespace.ip("addr add 192.0.2.9/24 dev eth0");
    // The marker: an event that concerns heddle comes after all of these.
    await comesBack(state(), () => namespace.ip("rule del from 172.16.34.2"));
    const { looks } = host.status();
    // One for the address, one for the marker, one to prove each; none for the routes.
    expect(looks.count - before).toBeLessThanOrEqual(6);
    expect(namespace.ip("route show table 900").trim().split("\n")).toHaveLength(50);
  });
});

test("a switch that sends no event is found by the safety net", async () => {
  await host.end();
  await host.start("--look-every", "1");
  const whole = state();
  await comesBack(whole, () => host.namespace.run("sysctl", "-qw", "net.ipv4.conf.ib0.arp_ignore=0"));
});

test("forwarding that is switched for the whole host, which resets that of every link, is put back", async () => {
  host.write("gateway: { out: { inside: ib0, outside: eth0 } }");
  expect(host.heddle("apply").code).toBe(0);
  const forwarding = (link: string): string =>
    host.namespace.run("sysctl", "-n", `net.ipv4.conf.${link}.forwarding`).trim();
  expect([forwarding("ib0"), forwarding("eth0")]).toEqual(["1", "1"]);
  // No look that is still to come may find it by chance.
  await until(async () => Date.now() - Date.parse(host.status().looks.last ?? "") > 500);
  // Away from the value and back to it: the file of the link's own switch is never written.
  for (const value of ["1", "0"]) host.namespace.run("sysctl", "-qw", `net.ipv4.ip_forward=${value}`);
  await until(async () => forwarding("ib0") === "1" && forwarding("eth0") === "1");
  expect(forwarding("ib1")).toBe("0");
});
