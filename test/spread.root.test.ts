// Proves the role `spread` with real packets: they leave by all links, each flow by one, whatever sends them and however
// they come to their link. Everything is judged by frames at the switch.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Lab } from "../src/lab/lab.ts";
import {
  applySpread,
  countByLink,
  Flows,
  heddle,
  linksOfFlows,
  NODES,
  PORT,
  SENDER,
  upSpreadLab,
} from "./spread-lab.ts";

const flows = new Flows();
afterAll(() => flows[Symbol.dispose]());

const total = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, one) => sum + one, 0);

describe.each([2, 3, 8])("%i links", (count) => {
  const names = Array.from({ length: count }, (_, i) => `ib${i + 1}`);
  let lab: Lab;
  beforeAll(async () => {
    lab = await upSpreadLab(`spread-${count}`, count);
  }, 60_000);
  afterAll(() => lab.down());

  /** Flows to both destinations, by the links that they left by. */
  async function sendAll(from: string, family: 4 | 6, many = 128): Promise<Record<string, number>> {
    await using capture = await lab.capture(names.map((link) => ({ host: "router", link })));
    for (const node of Object.values(NODES)) await flows.send(lab, from, node[family], { flows: many });
    return countByLink(linksOfFlows(await capture.take()));
  }

  test.each([4, 6] as const)("IPv%i: without heddle, one link carries all", async (family) => {
    const counts = await sendAll("sender", family);
    expect(Object.keys(counts)).toHaveLength(1);
  });

  describe.each(["mark", "redirect", "fast"])("by %s", (mechanism) => {
    test.each([4, 6] as const)("IPv%i: forwarded flows use every link, each flow one", async (family) => {
      await applySpread(lab, `links: [${names.join(", ")}]`, "by: hash", `mechanism: ${mechanism}`);
      const counts = await sendAll("sender", family);
      expect(Object.keys(counts).sort()).toEqual(names);
      expect(total(counts)).toBe(256);
      expect(Math.max(...Object.values(counts))).toBeLessThan((2.5 * 256) / count);
    });

    test.each([4, 6] as const)(
      "IPv%i: what the router itself sends does too, unless told otherwise",
      async (family) => {
        const links = `links: [${names.join(", ")}]`;
        await applySpread(lab, links, "by: hash", `mechanism: ${mechanism}`);
        const counts = await sendAll("router", family);
        expect(Object.keys(counts).sort()).toEqual(names);
        expect(total(counts)).toBe(256);
        await applySpread(lab, links, "local: false", `mechanism: ${mechanism}`);
        expect(Object.keys(await sendAll("router", family))).toHaveLength(1);
      },
    );

    test.each([4, 6] as const)("IPv%i: explain tells the link that a flow takes", async (family) => {
      await applySpread(lab, `links: [${names.join(", ")}]`, "by: hash", `mechanism: ${mechanism}`);
      const to = NODES.node11[family];
      await using capture = await lab.capture(names.map((link) => ({ host: "router", link })));
      await flows.send(lab, "sender", to, { flows: 12, from: 22_000 });
      const taken = linksOfFlows(await capture.take());
      for (let port = 22_000; port < 22_012; port += 1 + (port % 3)) {
        const packet = ["--iif", "ib0", "--from", SENDER[family], "--to", to, "--proto", "udp"];
        const ports = ["--sport", String(port), "--dport", String(PORT)];
        const said = JSON.parse(await heddle(lab, ["--json", "explain", ...packet, ...ports])) as {
          answer: string;
          spread: { section: string; link: string };
        };
        const links = taken.get(`${SENDER[family]} ${port} ${to}`);
        expect({ port, links: [...(links ?? [])] }).toEqual({ port, links: [said.spread.link] });
        // By a mark, the routing that is explained ends at the same link.
        if (mechanism !== "redirect") expect(said.answer).toContain(said.spread.link);
      }
    });

    test("links with weights get flows by them", async () => {
      const weights = names.map((name, i) => `${name}: ${i === 0 ? 3 : 1}`).join(", ");
      await applySpread(lab, `links: { ${weights} }`, "by: hash", `mechanism: ${mechanism}`);
      const counts = await sendAll("sender", 4, 512);
      const share = (counts["ib1"] ?? 0) / 1024;
      const wanted = 3 / (count + 2);
      expect(Math.abs(share - wanted)).toBeLessThan(0.08);
    });

    test("nothing is left to do, and nothing is left behind", async () => {
      await applySpread(lab, `links: [${names.join(", ")}]`, `mechanism: ${mechanism}`);
      await heddle(lab, ["plan"]);
      await heddle(lab, ["remove"]);
      const { stdout } = await lab.exec("router", ["find", "/sys/fs/bpf", "-mindepth", "1", "-name", "heddle"]);
      expect(stdout).toBe("");
      expect(Object.keys(await sendAll("sender", 4))).toHaveLength(1);
    });
  });

  test.each([4, 6] as const)("IPv%i: by nexthop, without BPF, flows use every link too", async (family) => {
    await applySpread(lab, `links: [${names.join(", ")}]`, "mechanism: nexthop");
    const { stdout } = await lab.exec("router", ["find", "/sys/fs/bpf", "-mindepth", "1", "-name", "heddle"]);
    expect(stdout).toBe("");
    for (const from of ["sender", "router"]) {
      const counts = await sendAll(from, family);
      expect(Object.keys(counts).sort()).toEqual(names);
      expect(total(counts)).toBe(256);
    }
    await heddle(lab, ["plan"]);
  });
});
