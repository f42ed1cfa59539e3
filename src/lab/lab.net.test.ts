import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { waitFor } from "./child.ts";
import { upLab } from "./lab.ts";
import { takeDown } from "./take-down.ts";
import { assertOwnNamespace, mustRead, NOTHING, smallText, traces } from "./testing/small-lab.ts";

beforeAll(assertOwnNamespace);

describe("up and down", () => {
  beforeEach(() => expect(traces("unit")).toEqual(NOTHING));

  test("builds what the topology says, and leaves nothing behind", async () => {
    const lab = await upLab(mustRead(smallText("unit")));
    expect(traces("unit")).toMatchObject({
      namespaces: ["heddle-unit", "heddle-unit.a", "heddle-unit.b"],
      state: ["unit"],
    });
    const link = (await lab.exec("a", ["ip", "-o", "address", "show", "dev", "ib0.8001"])).stdout;
    expect(link).toContain("10.9.0.1/24");
    expect(link).toContain("fd00:9::1:1/64");
    expect(link).not.toContain("tentative");
    expect((await lab.exec("a", ["cat", "/proc/sys/net/ipv4/conf/ib0.8001/rp_filter"])).stdout).toBe("2\n");
    expect((await lab.exec("b", ["ip", "route", "show", "table", "77"])).stdout).toContain("10.77.0.0/16 via 10.9.0.1");
    expect((await lab.exec("b", ["ip", "-6", "rule"])).stdout).toContain("700:	from fd00:9::2:1 lookup 77");
    expect((await lab.exec("a", ["ping", "-c1", "-W5", "-I", "ib0.8001", "10.9.0.11"])).code).toBe(0);
    expect((await lab.exec("a", ["ping", "-c1", "-W5", "fd00:9::2:1"])).code).toBe(0);
    await lab.spawn("a", ["socat", "TCP4-LISTEN:7,fork,reuseaddr", "PIPE"], { listens: 7 });
    expect(traces("unit").processes).toHaveLength(1);
    await lab.down();
    expect(traces("unit")).toEqual(NOTHING);
    await lab.down();
    expect(await takeDown("unit")).toBe(false);
  });

  test("down ends what has slipped away from the command that started it", async () => {
    const lab = await upLab(mustRead(smallText("unit")));
    expect((await lab.exec("a", ["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 </dev/null &"])).code).toBe(0);
    await waitFor("the sleeper", async () => (traces("unit").processes.length === 1 ? true : undefined));
    await lab.down();
    expect(traces("unit")).toEqual(NOTHING);
  });

  test("stands side by side with another instance of the same topology", async () => {
    await using one = await upLab(mustRead(smallText("unit")), { name: "unit-one" });
    await using two = await upLab(mustRead(smallText("unit")), { name: "unit-one-two" });
    await two.exec("a", ["ip", "address", "add", "192.0.2.1/32", "dev", "lo"]);
    expect((await one.exec("a", ["ip", "address"])).stdout).not.toContain("192.0.2.1");
    await two.down();
    expect((await one.exec("a", ["ping", "-c1", "-W5", "10.9.0.11"])).code).toBe(0);
    expect(traces("unit").namespaces).toEqual(["heddle-unit-one", "heddle-unit-one.a", "heddle-unit-one.b"]);
  });

  test("refuses a name that is taken, and leaves the lab that has it alone", async () => {
    await using lab = await upLab(mustRead(smallText("unit")));
    await expect(upLab(mustRead(smallText("unit")))).rejects.toThrow("the lab unit is there already");
    expect((await lab.exec("a", ["ping", "-c1", "-W5", "10.9.0.11"])).code).toBe(0);
  });

  test("names the line that the kernel refuses, and leaves nothing behind", async () => {
    const text = smallText("unit").replace("10.77.0.0/16 via 10.9.0.1 table 77", "10.77.0.0/16 via 10.8.0.1 table 77");
    const line = text.split("\n").findIndex((each) => each.includes("10.8.0.1")) + 1;
    const refused = upLab(mustRead(text));
    await expect(refused).rejects.toMatchObject({ name: "LabError", range: { file: "small.yaml", start: { line } } });
    await expect(refused).rejects.toThrow(/10\.8\.0\.1.*invalid gateway/s);
    expect(traces("unit")).toEqual(NOTHING);
  });

  test("leaves nothing behind when it is interrupted while it builds", async () => {
    const stop = new AbortController();
    const building = upLab(mustRead(smallText("unit")), { signal: stop.signal });
    const seen = waitFor("the first namespace", async () => (traces("unit").namespaces.length > 0 ? true : undefined));
    await seen.then(() => stop.abort(new Error("enough")));
    await expect(building).rejects.toThrow("enough");
    expect(traces("unit")).toEqual(NOTHING);
  });

  test("takes the machine's IPv4 defaults for no lab's", async () => {
    await using lab = await upLab(mustRead(smallText("unit")));
    const settings = ["net.ipv4.conf.default.rp_filter", "net.ipv4.conf.ib1.rp_filter", "net.ipv4.ip_forward"];
    expect((await lab.exec("b", ["sysctl", "-n", ...settings.map((key) => key.replace("ib1", "ib0"))])).stdout).toBe(
      "0\n0\n0\n",
    );
  });
});

describe("a standing lab", () => {
  test("gives exit code, output and input, and ends what takes too long with its children", async () => {
    await using lab = await upLab(mustRead(smallText("unit")));
    expect(await lab.exec("a", ["sh", "-c", "cat; echo no >&2; exit 3"], { input: "yes" })).toEqual({
      code: 3,
      signal: null,
      stdout: "yes",
      stderr: "no\n",
    });
    await expect(lab.exec("a", ["sh", "-c", "sleep 60 & sleep 60"], { timeoutMs: 300 })).rejects.toThrow(
      "within 0.3 s",
    );
    await waitFor("the sleepers to end", async () => (traces("unit").processes.length === 0 ? true : undefined));
    await expect(lab.exec("nobody", ["true"])).rejects.toThrow("no host nobody");
  });

  test("gives each host a heddle state of its own", async () => {
    await using lab = await upLab(mustRead(smallText("unit")), { name: "unit-env" });
    const states = await Promise.all(
      lab.hosts.map(async (host) => (await lab.exec(host, ["printenv", "HEDDLE_STATE"])).stdout),
    );
    expect(states).toEqual(["/run/heddle-lab/unit-env/hosts/a\n", "/run/heddle-lab/unit-env/hosts/b\n"]);
  });

  test("loses and regains carrier, link and device", async () => {
    await using lab = await upLab(mustRead(smallText("unit")));
    const flags = async (): Promise<string> => (await lab.exec("b", ["ip", "-o", "link", "show", "dev", "ib1"])).stdout;
    const ping = async (): Promise<number | null> =>
      (await lab.exec("a", ["ping", "-c1", "-W1", "-I", "ib1", "10.9.0.12"])).code;
    expect(await ping()).toBe(0);
    await lab.setLink("b", "ib1", "carrier-lost");
    expect(await flags()).toContain("NO-CARRIER");
    expect(await ping()).not.toBe(0);
    await lab.setLink("b", "ib1", "carrier-back");
    expect(await ping()).toBe(0);
    await lab.setLink("b", "ib1", "down");
    expect(await flags()).not.toMatch(/[<,]UP[,>]/);
    await lab.setLink("b", "ib1", "up");
    expect(await ping()).toBe(0);
    const mac = lab.link("b", "ib1").mac;
    await lab.setLink("b", "ib1", "removed");
    expect((await lab.exec("b", ["ip", "link", "show", "dev", "ib1"])).stderr).toContain("does not exist");
    await lab.setLink("b", "ib1", "replugged");
    expect(await flags()).toContain(mac);
    expect((await lab.exec("b", ["ip", "address", "show", "dev", "ib1"])).stdout).not.toContain("10.9.0.12");
  });

  test("says why a server did not get ready", async () => {
    await using lab = await upLab(mustRead(smallText("unit")));
    await expect(lab.spawn("a", ["sh", "-c", "echo broken >&2; exit 1"], { listens: 7 })).rejects.toThrow(
      /ended before it was ready: broken/,
    );
  });
});

describe("a capture", () => {
  test("sees every frame between its start and its end, each where it was sent", async () => {
    await using lab = await upLab(mustRead(smallText("unit")));
    const links = [
      { host: "a", link: "ib1" },
      { host: "b", link: "ib0" },
    ];
    const capture = await lab.capture(links, { keep: (frame) => frame.kind.startsWith("echo") });
    const ping = ["ping", "-c400", "-i0", "-W5", "-e", "4711", "-I", "ib1", "10.9.0.11"];
    expect((await lab.exec("a", ping)).code).toBe(0);
    const frames = (await capture.stop()).filter(({ sentByHost }) => sentByHost);
    const requests = frames.filter(({ kind }) => kind === "echo-request");
    expect(requests).toHaveLength(400);
    expect(requests[0]).toMatchObject({
      host: "a",
      link: "ib1",
      source: "10.9.0.2",
      destination: "10.9.0.11",
      id: 4711,
    });
    expect(frames.filter(({ kind }) => kind === "echo-reply")).toHaveLength(400);
    expect(traces("unit").processes).toEqual([]);
  });

  test("that could not keep up says so, and gives nothing", async () => {
    await using lab = await upLab(mustRead(smallText("unit")));
    const capture = await lab.capture([{ host: "a", link: "ib1" }]);
    const recorders = traces("unit").processes.map(Number);
    expect(recorders).toHaveLength(1);
    for (const pid of recorders) process.kill(pid, "SIGSTOP");
    const ping = ["ping", "-f", "-q", "-c20000", "-W5", "-I", "ib1", "10.9.0.11"];
    expect((await lab.exec("a", ping)).code).toBe(0);
    for (const pid of recorders) process.kill(pid, "SIGCONT");
    await expect(capture.stop()).rejects.toThrow(/\d+ frames were lost at h0-1/);
  });
});
