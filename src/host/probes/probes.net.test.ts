// Proves the probes against servers that behave well, ill and badly, and against a neighbour that answers nothing but ARP.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HEALTH_PORTS } from "../../../test/health-ports.ts";
import { TestNamespace } from "../../../test/namespace.ts";
import { startArp } from "./arp.ts";
import { startConnecting } from "./connect.ts";
import type { TellAnswer } from "./connect.ts";

const SERVER = join(import.meta.dirname, "../../../test/health-server.ts");
const NEAR = "192.0.2.1";
const FAR = "192.0.2.2";
const FAR6 = "2001:db8::2";
/** Between two questions of which each shall be answered, on a machine that is busy with other things as well. */
const PATIENT_MS = 500;

let near: TestNamespace;
let far: TestNamespace;
let server: ChildProcess;

beforeAll(async () => {
  near = new TestNamespace();
  far = new TestNamespace();
  near.ip(`link add a0 type veth peer name b0 netns /proc/${process.pid}/fd/${far.fd}`);
  near.ip("link set a0 up");
  far.ip("link set b0 up");
  near.addAddress("a0", `${NEAR}/24`);
  near.addAddress("a0", "2001:db8::1/64");
  far.addAddress("b0", `${FAR}/24`);
  far.addAddress("b0", `${FAR6}/64`);
  const words = [`--net=/proc/${process.pid}/fd/${far.fd}`, "--", process.execPath, SERVER, "::"];
  server = spawn("setpriv", ["--pdeathsig=SIGKILL", "--", "nsenter", ...words], { stdio: ["pipe", "pipe", "inherit"] });
  await once(server.stdout as NodeJS.ReadableStream, "data");
}, 30_000);
afterAll(() => {
  server.kill("SIGKILL");
  near[Symbol.dispose]();
  far[Symbol.dispose]();
});

/** The first answers, or lacks of one. */
async function answers(count: number, start: (tell: TellAnswer) => () => void): Promise<boolean[]> {
  const seen: boolean[] = [];
  await new Promise<void>((resolve) => {
    const stop = start((answered, rttMs) => {
      expect(rttMs === undefined).toBe(!answered);
      seen.push(answered);
      if (seen.length < count) return;
      stop();
      resolve();
    });
  });
  return seen;
}

const connecting = (
  port: number,
  more: { path?: string; target?: string; link?: string; source?: string } = {},
): Promise<boolean[]> =>
  answers(3, (tell) =>
    startConnecting(
      { target: FAR, port, link: "a0", intervalMs: 20, timeoutMs: 200, namespace: near.fd, ...more },
      tell,
    ),
  );

const ALL = [true, true, true];
const NONE = [false, false, false];

test.each([
  ["a server that takes connections", HEALTH_PORTS.accepts, undefined, ALL],
  ["a port that nobody has", 9, undefined, NONE],
  ["a path that is well", HEALTH_PORTS.http, "/", ALL],
  ["a path that is ill", HEALTH_PORTS.http, "/flap9", NONE],
  ["a server that never speaks", HEALTH_PORTS.silent, "/", NONE],
  ["a line that never ends", HEALTH_PORTS.endless, "/", NONE],
  ["a server that hangs up", HEALTH_PORTS.closes, "/", NONE],
  ["a server of another kind", HEALTH_PORTS.other, "/", NONE],
] as const)("%s", async (_about, port, path, expected) => {
  expect(await connecting(port, path === undefined ? {} : { path })).toEqual(expected);
});

test("IPv6, a source of its own, a link that is not there, an address that is not there", async () => {
  expect(await connecting(HEALTH_PORTS.http, { path: "/", target: FAR6 })).toEqual(ALL);
  expect(await connecting(HEALTH_PORTS.accepts, { source: NEAR })).toEqual(ALL);
  expect(await connecting(HEALTH_PORTS.accepts, { source: "192.0.2.99" })).toEqual(NONE);
  expect(await connecting(HEALTH_PORTS.accepts, { link: "gone0" })).toEqual(NONE);
  expect(await connecting(HEALTH_PORTS.accepts, { target: "192.0.2.77" })).toEqual(NONE);
});

test("probes that are stopped while they wait leave nothing open", async () => {
  const open = (): number => readdirSync("/proc/self/fd").length;
  const before = open();
  for (let i = 0; i < 20; i++) {
    for (const port of [HEALTH_PORTS.silent, HEALTH_PORTS.accepts]) {
      const stop = startConnecting(
        { target: FAR, port, path: "/", link: "a0", intervalMs: 5, timeoutMs: 5000, namespace: near.fd },
        () => {},
      );
      await new Promise((resolve) => setTimeout(resolve, i));
      stop();
    }
    const stop = startArp({ target: FAR, link: "a0", intervalMs: 50, namespace: near.fd }, () => {});
    if (i % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    stop();
  }
  await expect.poll(open, { timeout: 10_000 }).toBeLessThanOrEqual(before + 1);
});

test("ARP: who answers no ping, who is not there, and a link that goes and comes back as another one", async () => {
  far.run("sysctl", "-qw", "net.ipv4.icmp_echo_ignore_all=1");
  const arp = (target: string, more: { source?: string } = {}): Promise<boolean[]> =>
    answers(3, (tell) => startArp({ target, link: "a0", intervalMs: PATIENT_MS, namespace: near.fd, ...more }, tell));
  expect(await arp(FAR, { source: NEAR })).toEqual(ALL);
  expect(await arp(FAR)).toEqual(ALL);
  expect(await arp("192.0.2.77", { source: NEAR })).toEqual(NONE);

  const seen: boolean[] = [];
  const stop = startArp({ target: FAR, link: "a0", source: NEAR, intervalMs: 50, namespace: near.fd }, (answered) =>
    seen.push(answered),
  );
  const until = (answered: boolean): Promise<void> => {
    seen.length = 0;
    return expect.poll(() => seen.slice(-3), { timeout: 10_000 }).toEqual([answered, answered, answered]);
  };
  await until(true);
  far.ip("link set b0 down");
  await until(false);
  far.ip("link set b0 up");
  await until(true);
  near.ip("link set a0 down");
  await until(false);
  near.ip("link set a0 up");
  await until(true);
  near.ip("link del a0");
  await until(false);
  near.ip(`link add a0 type veth peer name b0 netns /proc/${process.pid}/fd/${far.fd}`);
  near.ip("link set a0 up");
  far.ip("link set b0 up");
  far.addAddress("b0", `${FAR}/24`);
  await until(true);
  stop();
});
