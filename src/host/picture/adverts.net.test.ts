// Proves that adverts are heard and read as the real keepalived sends them, and that nothing else is taken for one.
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TestNamespace } from "../../../test/namespace.ts";
import { readAdvert } from "../../probes/vrrp.ts";
import { findProgram } from "../program.ts";
import { hearAdverts } from "./adverts.ts";

let near: TestNamespace;
let far: TestNamespace;
let place = "";
let keepalived: ChildProcess | undefined;

beforeEach(() => {
  near = new TestNamespace();
  far = new TestNamespace();
  place = mkdtempSync(join(tmpdir(), "heddle-vrrp-"));
  near.ip(`link add a0 type veth peer name b0 netns /proc/${process.pid}/fd/${far.fd}`);
  near.ip("link set a0 up");
  far.ip("link set b0 up");
  far.addAddress("b0", "192.0.2.2/24");
  far.addAddress("b0", "2001:db8::2/64");
});
afterEach(() => {
  keepalived?.kill("SIGKILL");
  near[Symbol.dispose]();
  far[Symbol.dispose]();
  rmSync(place, { recursive: true });
});

test("of both versions and of both IP versions", { timeout: 60_000 }, async () => {
  const instance = (name: string, more: string): string =>
    `vrrp_instance ${name} { interface b0\n state MASTER\n priority 200\n ${more} }\n`;
  const file = join(place, "keepalived.conf");
  writeFileSync(
    file,
    `${instance("two", "version 2\n virtual_router_id 7\n advert_int 1\n virtual_ipaddress {\n 192.0.2.77/24\n 192.0.2.78/24\n }")}
${instance("three", "version 3\n virtual_router_id 8\n advert_int 0.25\n virtual_ipaddress {\n 192.0.2.79/24\n }")}
${instance("six", "version 3\n virtual_router_id 9\n advert_int 0.5\n virtual_ipaddress {\n fe80::77/128\n }")}`,
  );
  const words = ["--dont-fork", "--vrrp", "--use-file", file, "--pid", `${place}/pid`, "--vrrp_pid", `${place}/vrrp`];
  keepalived = spawn(
    "setpriv",
    [
      "--pdeathsig=KILL",
      "nsenter",
      `--net=/proc/${process.pid}/fd/${far.fd}`,
      findProgram("keepalived", "keepalived"),
      ...words,
    ],
    { stdio: "ignore" },
  );
  const [link] = JSON.parse(near.run("ip", "-j", "link", "show", "a0")) as { ifindex: number }[];
  const a0 = { name: "a0", index: link?.ifindex ?? 0, type: "ether", up: true };
  const own = { link: "a0", priority: 200 };
  await expect
    .poll(async () => (await hearAdverts([a0], 1.2, near.fd)).adverts.sort((a, b) => a.id - b.id), {
      timeout: 30_000,
      interval: 10,
    })
    .toEqual([
      {
        ...own,
        family: 4,
        source: "192.0.2.2",
        version: 2,
        id: 7,
        intervalMs: 1000,
        addresses: ["192.0.2.77", "192.0.2.78"],
      },
      { ...own, family: 4, source: "192.0.2.2", version: 3, id: 8, intervalMs: 250, addresses: ["192.0.2.79"] },
      {
        ...own,
        family: 6,
        source: expect.stringMatching(/^fe80::/),
        version: 3,
        id: 9,
        intervalMs: 500,
        addresses: ["fe80::77"],
      },
    ]);
  const gone = { ...a0, name: "gone0", index: 9999 };
  expect(await hearAdverts([gone], 0, near.fd)).toMatchObject({ adverts: [], unseen: [{}, {}] });
});

test("packets that are cut short or of any bytes are no adverts, and nothing is thrown", () => {
  const header = [0x45, 0xc0, 0, 32, 0, 1, 0, 0, 255, 112, 0, 0, 192, 0, 2, 2, 224, 0, 0, 18];
  const whole = Uint8Array.from([...header, 0x31, 8, 200, 1, 0, 25, 0, 0, 192, 0, 2, 79]);
  expect(readAdvert(4, whole)).toMatchObject({ id: 8, intervalMs: 250, addresses: ["192.0.2.79"] });
  for (let length = 0; length < whole.length; length++)
    expect(readAdvert(4, whole.subarray(0, length))).toBeUndefined();
  const forwarded = whole.slice();
  forwarded[8] = 254;
  expect(readAdvert(4, forwarded)).toBeUndefined();
  // To this host alone.
  forwarded.set([192, 0, 2, 1], 16);
  expect(readAdvert(4, forwarded)).toMatchObject({ id: 8 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.constantFrom(4 as const, 6 as const), (bytes, family) => {
      bytes[0] = ((family << 4) | ((bytes[0] ?? 0) & 15)) & 0xff;
      readAdvert(family, bytes);
    }),
  );
});
