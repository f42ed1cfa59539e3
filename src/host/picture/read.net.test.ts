// Owns the proof that a picture holds what the kernel of a namespace has, with the kernel's marks.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { TestNamespace } from "../../../test/namespace.ts";
import { WISHES } from "../../doctor/paths.ts";
import type { HostPicture } from "../../model/picture.ts";
import { takePicture } from "./read.ts";

async function pictureOf(namespace: TestNamespace): Promise<HostPicture> {
  const root = mkdtempSync(join(tmpdir(), "heddle-root-"));
  try {
    return await takePicture({ root, wishes: WISHES, namespace: namespace.fd });
  } finally {
    rmSync(root, { recursive: true });
  }
}

test("links, routes, rules and switches, as data that survives JSON", async () => {
  using namespace = new TestNamespace();
  namespace.addLink("a.1", ["10.1.0.1/24"]);
  namespace.addLink("b0", ["10.2.0.1/24"]);
  namespace.ip("link set b0 arp off");
  namespace.run("sysctl", "-qw", "net/ipv4/conf/a.1/rp_filter=2");
  namespace.ip("nexthop add id 7 via 10.1.0.254 dev a.1");
  namespace.ip("route add 10.8.0.0/16 nhid 7");
  namespace.ip("route add 10.9.0.0/16 nexthop via 10.2.0.9 dev b0 weight 3 nexthop via 10.1.0.9 dev a.1");
  namespace.ip("-6 route add unreachable fd09::/64");
  namespace.ip("rule add priority 9 iif gone0 goto 50000");
  namespace.ip("rule add priority 10 from 10.1.0.1 lookup 77");
  const picture = await pictureOf(namespace);

  expect(JSON.parse(JSON.stringify(picture))).toEqual(picture);
  expect(picture.links.find(({ name }) => name === "b0")).toMatchObject({ noArp: true, up: true });
  expect(picture.links.find(({ name }) => name === "a.1")).not.toHaveProperty("noArp");
  expect(picture.sysctls["net/ipv4/conf/a.1/rp_filter"]).toBe("2");
  expect(picture.sysctls["net/ipv4/conf/all/arp_ignore"]).toBe("0");
  expect(picture.sysctls["net/ipv4/ip_forward"]).toBe("0");
  const hops = (to: string): unknown => picture.routes.find((route) => route.to === to)?.hops;
  expect(hops("10.8.0.0/16")).toEqual([{ link: "a.1", via: "10.1.0.254" }]);
  expect(hops("10.9.0.0/16")).toEqual([
    { link: "b0", via: "10.2.0.9", weight: 3 },
    { link: "a.1", via: "10.1.0.9" },
  ]);
  expect(hops("fd09::/64")).toEqual([]);
  const rules = picture.rules.filter(({ priority }) => priority > 0 && priority < 100);
  expect(rules).toMatchObject([{ iif: "gone0", iifDetached: true, unresolved: true, goto: 50000 }, { table: 77 }]);
  expect(rules[1]).not.toHaveProperty("partial");
  expect(picture.features).toMatchObject({ "policy-routing-ipv4": true, "policy-routing-ipv6": true });
  // nft speaks of the namespace that the process is in, so another one is not asked.
  expect(picture.unseen.map(({ what }) => what)).toEqual(["the packet filter rules of nftables"]);
});

test("a carrier that is lost and a link that is down mark the hops", async () => {
  using namespace = new TestNamespace();
  for (const [i, link] of ["a0", "b0", "c0"].entries()) namespace.addLink(link, [`10.${i + 1}.0.1/24`]);
  const legs = ["a0", "b0", "c0"].map((link, i) => `nexthop via 10.${i + 1}.0.9 dev ${link}`).join(" ");
  namespace.ip(`route add 10.9.0.0/16 ${legs}`);
  namespace.ip("link set far-b0 down");
  namespace.ip("link set c0 down");
  await expect
    .poll(async () => (await pictureOf(namespace)).routes.find(({ to }) => to === "10.9.0.0/16")?.hops, {
      timeout: 20_000,
    })
    .toEqual([
      { link: "a0", via: "10.1.0.9" },
      { link: "b0", via: "10.2.0.9", linkdown: true },
      { link: "c0", via: "10.3.0.9", dead: true, linkdown: true },
    ]);
});
