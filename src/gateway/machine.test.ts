// Owns the tests of the machine: order, time, and that nothing is held for ever.
import { describe, expect, test } from "vitest";
import { begin, LEASE_S, nextWake, step, WEIGHT } from "./machine.ts";
import type { Gatekeeper, Input, Output } from "./machine.ts";
import type { ShareSetup } from "./setup.ts";

const SHARE: ShareSetup = { name: "a", id: 51, priority: 250, moving: [] };

/** A gateway whose time is ours. */
class Stage {
  now = 0;
  readonly settings: { intervalMs: number; returnMs?: number; shares: ShareSetup[] };
  readonly keeper: Gatekeeper;

  constructor(more: { returnMs?: number; shares?: ShareSetup[] } = { returnMs: 30_000 }) {
    this.settings = { intervalMs: 20, shares: [SHARE], ...more };
    this.keeper = begin(this.settings, 0);
  }

  /** What is done about an input, in short: "hold a". */
  put(input: Input): string[] {
    return step(this.keeper, this.settings, input, this.now).map(words);
  }

  /** Lets time pass, waking the machine whenever it wants to be. */
  pass(ms: number): string[] {
    const end = this.now + ms;
    const done: string[] = [];
    for (let at = nextWake(this.keeper, this.settings); at <= end; at = nextWake(this.keeper, this.settings)) {
      this.now = Math.max(this.now, at);
      done.push(...this.put({ kind: "wake", lateMs: 0 }));
    }
    this.now = end;
    return done;
  }

  /** Standing by, well, with everybody's connections. */
  ready(): this {
    this.put({ kind: "connections", state: "asking" });
    this.put({ kind: "connections", state: "current" });
    this.put({ kind: "vrrp", share: "a", state: "standby" });
    this.pass(this.settings.returnMs ?? 0);
    return this;
  }

  active(): this {
    this.put({ kind: "vrrp", share: "a", state: "active" });
    return this;
  }
}

function words(output: Output): string {
  if (output.do === "weigh") return `weigh ${output.share} ${output.weight}`;
  return "share" in output ? `${output.do} ${output.share}` : output.do;
}

/** Without what is only told. */
function acts(done: readonly string[]): string[] {
  return done.filter((one) => one !== "publish");
}

describe("to become active", () => {
  test("the addresses come before the announcement", () => {
    expect(acts(new Stage().ready().put({ kind: "vrrp", share: "a", state: "active" }))).toEqual([
      "hold a",
      "announce a",
    ]);
  });

  test("the announcement is repeated, the last time when a frozen gateway's lease is over", () => {
    const done = new Stage().ready().active().pass(60_000);
    expect(done.filter((one) => one === "announce a")).toHaveLength(3);
    const stage = new Stage().ready().active();
    stage.pass(LEASE_S * 1000 + 1000);
    expect(stage.pass(2000)).toContain("announce a");
  });

  test("the lease is renewed well before it ends", () => {
    const stage = new Stage().ready().active();
    for (let i = 0; i < 20; i++) expect(stage.pass((LEASE_S * 1000) / 4)).toContain("hold a");
  });

  test("who has been active forgets the connections once the addresses are gone, and not before", () => {
    const stage = new Stage().ready().active();
    stage.pass(5000);
    expect(stage.put({ kind: "vrrp", share: "a", state: "standby" })).not.toContain("forget-connections");
    const done = stage.pass(1000);
    expect(done.indexOf("forget-connections")).toBeGreaterThan(done.indexOf("release a"));
    expect(stage.pass(100_000)).not.toContain("forget-connections");
  });

  test("a share that is left is not all: the other one's connections are this gateway's", () => {
    const stage = new Stage({ returnMs: 0, shares: [SHARE, { ...SHARE, name: "b", id: 52 }] }).ready();
    for (const share of ["a", "b"]) stage.put({ kind: "vrrp", share, state: "active" });
    stage.put({ kind: "vrrp", share: "a", state: "standby" });
    expect(stage.pass(1000)).not.toContain("forget-connections");
    stage.put({ kind: "vrrp", share: "b", state: "standby" });
    expect(stage.pass(1000)).toContain("forget-connections");
  });

  test("a daemon that starts beside an active gateway's addresses keeps what it finds", () => {
    const asking = { kind: "connections", state: "asking" } as const;
    expect(new Stage().put(asking)).toContain("forget-connections");
    const stage = new Stage().ready().active();
    stage.put({ kind: "connections", state: "absent" });
    expect(stage.put(asking)).not.toContain("forget-connections");
  });

  test("connections are gathered once, later", () => {
    const stage = new Stage().ready();
    expect(stage.put({ kind: "vrrp", share: "a", state: "active" })).not.toContain("gather-connections");
    expect(stage.pass(60_000).filter((one) => one === "gather-connections")).toHaveLength(1);
  });

  test("what was missed is gathered by whoever is active, and by nobody else", () => {
    const stage = new Stage().ready();
    stage.put({ kind: "missed" });
    expect(stage.pass(10_000)).not.toContain("gather-connections");
    stage.active().pass(10_000);
    stage.pass(30_000);
    const gathered = (ms: number): number => stage.pass(ms).filter((one) => one === "gather-connections").length;
    stage.put({ kind: "missed" });
    stage.put({ kind: "missed" });
    expect(gathered(2000)).toBe(1);
    // What is missed by the gathering itself must not have it go on for ever.
    stage.put({ kind: "missed" });
    expect([gathered(20_000), gathered(20_000)]).toEqual([0, 1]);
  });

  test("who has a share of two does not take the other one's connections for its own", () => {
    const stage = new Stage({ returnMs: 0, shares: [SHARE, { ...SHARE, name: "b", id: 52 }] }).ready().active();
    stage.put({ kind: "vrrp", share: "b", state: "standby" });
    stage.pass(60_000);
    stage.put({ kind: "missed" });
    expect(stage.pass(60_000)).not.toContain("gather-connections");
    stage.put({ kind: "vrrp", share: "b", state: "active" });
    stage.pass(60_000);
    stage.put({ kind: "missed" });
    expect(stage.pass(60_000)).toContain("gather-connections");
  });

  test("who was active for a moment only does not take others' connections for its own", () => {
    for (const ms of [0, 950]) {
      const stage = new Stage().ready().active();
      stage.pass(ms);
      stage.put({ kind: "vrrp", share: "a", state: "standby" });
      expect(stage.pass(10_000)).not.toContain("gather-connections");
    }
  });

  test("a place that was taken need not be waited for", () => {
    const stage = new Stage();
    expect(stage.put({ kind: "vrrp", share: "a", state: "active" })).toContain("weigh a 0");
  });
});

describe("to cease to be active", () => {
  test.each<[string, Input]>([
    ["because another one is preferred", { kind: "vrrp", share: "a", state: "standby" }],
    ["because a link is down", { kind: "vrrp", share: "a", state: "fault" }],
    ["because keepalived died", { kind: "keepalived-gone", why: "killed" }],
  ])("%s, the addresses stay for a moment, and then go", (_why, input) => {
    const stage = new Stage().ready().active();
    expect(stage.put(input)).not.toContain("release a");
    expect(stage.pass(50)).not.toContain("release a");
    expect(stage.pass(1000)).toContain("release a");
    expect(stage.pass(60_000).filter((one) => /^(hold|announce|release)/.test(one))).toEqual([]);
  });

  test("to become active again within the moment keeps them", () => {
    const stage = new Stage().ready().active();
    stage.put({ kind: "vrrp", share: "a", state: "standby" });
    stage.pass(50);
    expect(stage.put({ kind: "vrrp", share: "a", state: "active" })).toContain("announce a");
    expect(stage.pass(10_000)).not.toContain("release a");
  });

  test("what an earlier run left on the links is taken off", () => {
    expect(new Stage().put({ kind: "vrrp", share: "a", state: "standby" })).toContain("release a");
  });
});

describe("the place in line", () => {
  test("a gateway that comes back waits until it has been well for long enough", () => {
    const stage = new Stage();
    stage.put({ kind: "vrrp", share: "a", state: "standby" });
    stage.put({ kind: "connections", state: "current" });
    expect(stage.pass(29_999)).toEqual([]);
    expect(stage.pass(1)).toContain("weigh a 0");
  });

  test("a fault begins the waiting anew", () => {
    const stage = new Stage();
    stage.put({ kind: "connections", state: "current" });
    stage.put({ kind: "vrrp", share: "a", state: "standby" });
    stage.pass(20_000);
    stage.put({ kind: "vrrp", share: "a", state: "fault" });
    stage.pass(1000);
    stage.put({ kind: "vrrp", share: "a", state: "standby" });
    expect(stage.pass(29_000)).not.toContain("weigh a 0");
    expect(stage.pass(1000)).toContain("weigh a 0");
  });

  test("where nobody comes back, only a place that was taken counts", () => {
    const stage = new Stage({});
    stage.ready();
    expect(acts(stage.pass(3_600_000)).filter((one) => one !== "ask-connections")).toEqual([]);
    expect(stage.put({ kind: "vrrp", share: "a", state: "active" })).toContain("weigh a 0");
  });

  test("without the others' connections it does not step forward, but one that is active stays", () => {
    const standby = new Stage().ready();
    expect(standby.put({ kind: "connections", state: "absent" })).toContain(`weigh a ${WEIGHT.unready}`);
    const active = new Stage().ready().active();
    expect(acts(active.put({ kind: "connections", state: "absent" }))).toEqual([]);
  });

  test("who does not reach the world gives the place to who does, and waits to get it back", () => {
    const stage = new Stage().ready().active();
    expect(stage.put({ kind: "uplink", well: false })).toContain(`weigh a ${WEIGHT.uplink}`);
    stage.put({ kind: "vrrp", share: "a", state: "standby" });
    stage.pass(1000);
    expect(stage.put({ kind: "uplink", well: true })).toContain(`weigh a ${WEIGHT.unready}`);
    expect(stage.pass(30_000)).toContain("weigh a 0");
  });

  test("whatever is wrong counts for more than the place in line, and nothing is a resignation", () => {
    const line = [250, 230, 210, 190];
    const levels = [0, WEIGHT.unready, WEIGHT.uplink, WEIGHT.drained];
    const bands = levels.map((weight) => line.map((priority) => priority + weight));
    for (const [i, band] of bands.entries())
      expect(Math.min(...band)).toBeGreaterThan(Math.max(...(bands[i + 1] ?? [0])));
  });

  test("the worst of what is wrong counts", () => {
    const stage = new Stage().ready();
    stage.put({ kind: "uplink", well: false });
    expect(stage.put({ kind: "drain", drained: true })).toContain(`weigh a ${WEIGHT.drained}`);
    expect(stage.put({ kind: "drain", drained: false })).toContain(`weigh a ${WEIGHT.uplink}`);
  });
});

describe("time", () => {
  test("a wake-up that is late renews and announces what is held, and nothing else", () => {
    const active = new Stage().ready().active();
    expect(acts(active.put({ kind: "wake", lateMs: 900 })).slice(0, 2)).toEqual(["hold a", "announce a"]);
    const standby = new Stage().ready();
    expect(acts(standby.put({ kind: "wake", lateMs: 900 }))).toEqual([]);
  });

  test("who stands by asks for connections again and again, who is active does not", () => {
    const asks = (stage: Stage): number => stage.pass(300_000).filter((one) => one === "ask-connections").length;
    expect(asks(new Stage().ready())).toBeGreaterThan(4);
    expect(asks(new Stage().ready().active())).toBe(0);
  });

  test("it always has a time to wake up at while it holds something", () => {
    const stage = new Stage().ready().active();
    for (let i = 0; i < 100; i++) {
      expect(nextWake(stage.keeper, stage.settings) - stage.now).toBeLessThanOrEqual(500);
      stage.pass(500);
    }
  });
});

test("two shares do not touch each other", () => {
  const stage = new Stage({ returnMs: 0, shares: [SHARE, { ...SHARE, name: "b", id: 52, priority: 230 }] });
  stage.put({ kind: "vrrp", share: "a", state: "active" });
  expect(stage.put({ kind: "vrrp", share: "b", state: "standby" })).toEqual(["release b", "publish"]);
  expect(stage.pass(1000)).toContain("hold a");
});
