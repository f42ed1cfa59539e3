// Owns the proof that chosen connections never go another way: not from their first packet to their last, not while the
// file changes, the link flaps or the address goes. A control shows every time that the observer would see it.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Capture, CapturedFrame } from "../src/lab/capture.ts";
import { waitFor } from "../src/lab/child.ts";
import type { Lab } from "../src/lab/lab.ts";
import type { Served } from "../src/lab/served.ts";
import { until } from "./contract-steps.ts";
import { applySection, CHOSEN, heddle, ORDINARY, toWorld, upEgressLab, WORLD, writeSection } from "./egress-lab.ts";
import { WorkerAgent } from "./worker-agent.ts";

/** Ports of the world by which senders are told apart: those of the chosen user and those of the control. */
const PORT = { chosen: 7100, control: 7200 } as const;

let lab: Lab;
beforeAll(async () => {
  lab = await upEgressLab("closed");
  for (const port of Object.values(PORT)) {
    for (const family of [4, 6] as const) {
      const bind = family === 4 ? WORLD[4] : `[${WORLD[6]}]`;
      const options = `bind=${bind},reuseaddr,fork`;
      await lab.spawn("world", ["socat", `TCP${family}-LISTEN:${port},${options},backlog=64`, "PIPE"], {
        listens: { address: WORLD[family], port },
      });
      await lab.spawn("world", ["socat", `UDP${family}-RECVFROM:${port},${options}`, "PIPE"], {
        bound: { address: WORLD[family], port },
      });
    }
  }
}, 60_000);
afterAll(() => lab.down());
beforeEach(async () => {
  await heddle(lab, "remove");
});

/** A stream of new TCP connections and of datagrams from sockets that are not connected, over both IP versions. */
async function send(as: string, port: number): Promise<Served[]> {
  const loop = 'while :; do echo x | "$@" >/dev/null 2>&1; done';
  const datagrams = 'while :; do while :; do echo x; sleep 0.02; done | "$@" >/dev/null 2>&1; done';
  const tcp = (address: string): string[] => [
    "sh",
    "-c",
    loop,
    "sh",
    "socat",
    // Long enough for the world's answer on a busy machine. A program that gives up leaves answers to nobody: the kernel's
    // resets to them belong to no socket, nor to anybody for nftables. Those are known limits, and not what is asked here.
    "-t5",
    "-T5",
    "-",
    `${address},connect-timeout=5`,
  ];
  const udp = (address: string): string[] => ["sh", "-c", datagrams, "sh", "socat", "-u", "-", address];
  return Promise.all(
    [
      tcp(`TCP4:${WORLD[4]}:${port}`),
      tcp(`TCP6:[${WORLD[6]}]:${port}`),
      udp(`UDP4-SENDTO:${WORLD[4]}:${port}`),
      udp(`UDP6-SENDTO:[${WORLD[6]}]:${port}`),
    ].map((words) => lab.spawn("worker", words, { as })),
  );
}

/** Ways of frames to a port of the world: "tcp alinat 10.20.1.17" by how many there were. */
function waysTo(frames: readonly CapturedFrame[], port: number): Map<string, number> {
  const counts = new Map<string, number>();
  const own = toWorld(lab, frames, (frame) => "destinationPort" in frame && frame.destinationPort === port);
  for (const { kind, by, source } of own) {
    const way = `${kind} ${by} ${source}`;
    counts.set(way, (counts.get(way) ?? 0) + 1);
  }
  return counts;
}

const watch = (): Promise<Capture> => lab.capture(["eth0", "ib0"].map((link) => ({ host: "worker", link })));

const RIGHT = [4, 6].flatMap((family) =>
  ["tcp", "udp"].map((kind) => `${kind} ${CHOSEN.host} ${CHOSEN[family as 4 | 6]}`),
);
const wrongOnes = (ways: Map<string, number>): string[] => [...ways.keys()].filter((way) => !RIGHT.includes(way));

type Ways = Record<"chosen" | "control", Map<string, number>>;

/** TCP's flag (RFC 9293). */
const SYN = 2;

/**
 * Whether a frame is of this test. A connection that one before it has left behind is not: its section is gone, and with it
 * what was remembered of the connection. `begun` are those whose first segment was seen.
 */
function isOfNow(frame: CapturedFrame, begun: Set<string>): boolean {
  if (frame.kind !== "tcp") return true;
  const connection = `${frame.source} ${frame.sourcePort} ${frame.destinationPort}`;
  if ((frame.flags & SYN) !== 0) begun.add(connection);
  return begun.has(connection);
}

/** Adds what was captured meanwhile. */
async function gather(capture: Capture, all: Ways, begun: Set<string>): Promise<void> {
  const frames = (await capture.take()).filter((frame) => isOfNow(frame, begun));
  for (const who of ["chosen", "control"] as const) {
    for (const [way, count] of waysTo(frames, PORT[who])) all[who].set(way, (all[who].get(way) ?? 0) + count);
  }
}

/** Does something while the chosen user sends, and gives all the ways that frames went meanwhile. */
async function during(disturb: () => Promise<void>): Promise<Ways> {
  await using stack = new AsyncDisposableStack();
  const capture = stack.use(await watch());
  for (const [who, port] of [
    ["aliprod", PORT.chosen],
    ["bob", PORT.control],
  ] as const) {
    for (const served of await send(who, port)) stack.use(served);
  }
  const all = { chosen: new Map<string, number>(), control: new Map<string, number>() };
  const begun = new Set<string>();
  const flowing = (who: "chosen" | "control"): Promise<boolean> =>
    waitFor(`${who} to send by all four`, async () => {
      await gather(capture, all, begun);
      return all[who].size >= 4 ? true : undefined;
    });
  await flowing("chosen");
  await flowing("control");
  await disturb();
  // What was on its way is seen before this: frames of the control that came later.
  const before = [...all.control.values()].reduce((sum, count) => sum + count, 0);
  await waitFor("the control to go on", async () => {
    await gather(capture, all, begun);
    return [...all.control.values()].reduce((sum, count) => sum + count, 0) > before + 8 ? true : undefined;
  });
  return all;
}

const MATCH = "match: { users: [aliprod] }";
const ordinary = [4, 6].flatMap((family) =>
  ["tcp", "udp"].map((kind) => `${kind} ${ORDINARY.host} ${ORDINARY[family as 4 | 6]}`),
);

describe.each(["bpf", "nftables"])("by %s", (by) => {
  const disturbances: [string, () => Promise<unknown>][] = [
    ["it is applied again", () => heddle(lab, "apply")],
    [
      "its gateways change",
      () => applySection(lab, MATCH, `by: ${by}`, "routes: [{ to: 198.51.100.0/24, via: main }]"),
    ],
    ["it gets another table", () => applySection(lab, MATCH, `by: ${by}`, "table: 4711")],
    ["more users are chosen", () => applySection(lab, "match: { users: [aliprod, carol] }", `by: ${by}`)],
    [
      "it is narrowed and widened",
      async () => {
        await applySection(lab, "match: { users: [aliprod], protocols: [tcp, udp] }", `by: ${by}`);
        await applySection(lab, MATCH, `by: ${by}`);
      },
    ],
    [
      "all routes of its table go",
      async () => {
        await lab.exec("worker", [
          "ip",
          "route",
          "del",
          "default",
          "via",
          "10.20.3.227",
          "dev",
          "ib0",
          "table",
          "7000",
        ]);
        await heddle(lab, "apply");
      },
    ],
  ];
  test.each(disturbances)("no packet goes another way while %s", async (_what, disturb) => {
    await applySection(lab, MATCH, `by: ${by}`);
    const { chosen, control } = await during(async () => void (await disturb()));
    expect(wrongOnes(chosen)).toEqual([]);
    expect([...control.keys()].toSorted()).toEqual(ordinary.toSorted());
  });

  test("no packet goes another way while the link is down, comes back, and is applied again", async () => {
    await applySection(lab, MATCH, `by: ${by}`);
    const { chosen } = await during(async () => {
      await lab.setLink("worker", "ib0", "down");
      await lab.setLink("worker", "ib0", "up");
      await lab.exec("worker", ["ip", "-6", "address", "replace", `${CHOSEN[6]}/64`, "dev", "ib0", "nodad"]);
      await heddle(lab, "apply");
    });
    expect(wrongOnes(chosen)).toEqual([]);
  });

  test("no packet goes another way while its address is lost", async () => {
    await applySection(lab, MATCH, `by: ${by}`);
    const own = [`${CHOSEN[4]}/16`, `${CHOSEN[6]}/64`];
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => {
      for (const address of own) {
        const words = ["ip", "address", "replace", address, "dev", "ib0", ...(address.includes(":") ? ["nodad"] : [])];
        await lab.exec("worker", words);
      }
    });
    const { chosen } = await during(async () => {
      for (const address of own) await lab.exec("worker", ["ip", "address", "del", address, "dev", "ib0"]);
    });
    // The kernel keeps the IPv6 route without its source address: packets still take their gateway, with the address of
    // another link, until heddle looks again.
    expect(wrongOnes(chosen).filter((way) => !way.endsWith(`${CHOSEN.host} ${ORDINARY[6]}`))).toEqual([]);
    expect((await heddle(lab, "apply")).code).toBe(3);
    const later = await duringSilence();
    expect([...later.keys()]).toEqual([]);
  });
});

describe.each(["bpf", "nftables"])("by %s, with an agent and nobody else to put things back", (by) => {
  let agent: WorkerAgent;
  beforeEach(async () => {
    await applySection(lab, MATCH, `by: ${by}`);
    agent = new WorkerAgent(lab);
    await agent.start("--look-every", "3600");
  });
  afterEach(() => agent.end());

  /** The chosen user sends, and everything goes its way. */
  async function goesItsWay(): Promise<void> {
    const { chosen, control } = await during(async () => {});
    expect([...chosen.keys()].toSorted()).toEqual(RIGHT.toSorted());
    expect([...control.keys()].toSorted()).toEqual(ordinary.toSorted());
  }

  test("the link is lost and comes back: no packet goes another way, and they go their own again", async () => {
    const { chosen } = await during(async () => {
      await lab.setLink("worker", "ib0", "down");
      await until(async () => (await agent.status()).waiting.length > 0);
      await lab.setLink("worker", "ib0", "up");
      await lab.exec("worker", ["ip", "-6", "address", "replace", `${CHOSEN[6]}/64`, "dev", "ib0", "nodad"]);
      await until(async () => (await agent.status()).waiting.length === 0);
    });
    // Where the link is up before its IPv6 address is there, packets may take their gateway with another link's.
    expect(wrongOnes(chosen).filter((way) => !way.endsWith(`${CHOSEN.host} ${ORDINARY[6]}`))).toEqual([]);
    await goesItsWay();
  });

  test("somebody flushes the tables of nftables, and they go their own way again", async () => {
    await lab.exec("worker", ["nft", "flush", "ruleset"]);
    if (by === "nftables") await until(async () => agent.told("repaired").length > 0);
    await goesItsWay();
  });
});

/** Ways of the chosen user's frames while nothing may leave: until the control has been seen by all four. */
async function duringSilence(): Promise<Map<string, number>> {
  await using stack = new AsyncDisposableStack();
  const capture = stack.use(await watch());
  for (const served of await send("aliprod", PORT.chosen)) stack.use(served);
  for (const served of await send("bob", PORT.control)) stack.use(served);
  const all = { chosen: new Map<string, number>(), control: new Map<string, number>() };
  const begun = new Set<string>();
  await waitFor("the control to send by all four", async () => {
    await gather(capture, all, begun);
    return all.control.size >= 4 ? true : undefined;
  });
  return all.chosen;
}

test("the control: with `otherwise: main` the same flap does let packets go another way", async () => {
  await applySection(lab, MATCH, "otherwise: main");
  const { chosen } = await during(async () => {
    await lab.setLink("worker", "ib0", "down");
    await lab.setLink("worker", "ib0", "up");
    await lab.exec("worker", ["ip", "-6", "address", "replace", `${CHOSEN[6]}/64`, "dev", "ib0", "nodad"]);
  });
  expect(wrongOnes(chosen)).not.toEqual([]);
});

test("a section that is taken away closes its connections, and none of their packets goes another way", async () => {
  await applySection(lab, MATCH);
  await using capture = await watch();
  const held = ["socat", "-T20", "EXEC:sleep 20", `TCP4:${WORLD[4]}:${PORT.chosen},connect-timeout=2`];
  await using client = await lab.spawn("worker", held, { as: "aliprod" });
  await waitFor("the connection", async () => {
    const { stdout } = await lab.exec("worker", ["ss", "-Htn", "state", "established", `dport = :${PORT.chosen}`]);
    return stdout.trim() === "" ? undefined : true;
  });
  writeSection(lab, MATCH);
  expect(await heddle(lab, "status")).toMatchObject({
    code: 0,
    out: expect.stringContaining("; 1 connection\n") as string,
  });
  expect((await heddle(lab, "remove")).code).toBe(0);
  await waitFor("the client to end", async () => (client.ended ? true : undefined));
  const ways = waysTo(await capture.take(), PORT.chosen);
  expect(wrongOnes(ways)).toEqual([]);
  expect(ways.size).toBeGreaterThan(0);
});

test("a connection from before keeps its way, and status counts it", async () => {
  await using capture = await watch();
  const talk = 'while :; do echo x; sleep 0.05; done | socat -T20 - "$1" >/dev/null';
  const address = `TCP4:${WORLD[4]}:${PORT.chosen},connect-timeout=2`;
  await using _client = await lab.spawn("worker", ["sh", "-c", talk, "sh", address], { as: "aliprod" });
  await waitFor("the connection to talk", async () =>
    waysTo(await capture.take(), PORT.chosen).size > 0 ? true : undefined,
  );
  await applySection(lab, MATCH);
  const said = await heddle(lab, "status");
  expect(said.out).toContain("; 0 connections, 1 older one of the same owners on the way that they had");
  waysTo(await capture.take(), PORT.chosen);
  await waitFor("the connection to go on", async () => {
    const ways = waysTo(await capture.take(), PORT.chosen);
    expect([...ways.keys()].filter((way) => way !== `tcp ${ORDINARY.host} ${ORDINARY[4]}`)).toEqual([]);
    return ways.size > 0 ? true : undefined;
  });
});
