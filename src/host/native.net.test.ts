// Proves the addon's own calls: sysctls and drivers of a namespace, namespaces, and that bad arguments only throw.
import fc from "fast-check";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HostError } from "./error.ts";
import {
  addon,
  driverNames,
  namespaceId,
  newNamespace,
  openNamespace,
  OWN_NAMESPACE,
  releaseText,
  sysctl,
} from "./native.ts";
import { testNamespace, type TestNamespace } from "./netlink/testing/test-namespace.ts";

let namespace: TestNamespace;

beforeEach(() => {
  namespace = testNamespace([
    "link add v0 type veth peer name w0",
    "link add br0 type bridge",
    "link add x0 type vxlan id 7 dstport 4789",
    "link add name a.b type veth peer name c.d",
  ]);
});

afterEach(() => namespace.close());

const path = "net/ipv4/conf/v0/rp_filter";

describe("sysctls", () => {
  it("are read and written in the namespace, in order, and those of the process stay", () => {
    const own = () => readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8");
    const before = own();
    const other = before.trim() === "1" ? "0" : "1";
    const answers = sysctl(namespace.fd, [
      { path, value: "2" },
      { path },
      { path: "net/ipv4/ip_forward", value: other },
      { path: "net/ipv4/ip_forward" },
      { path: "net/ipv4/conf/a.b/arp_ignore", value: "1" },
      { path: "net/ipv4/conf/a.b/arp_ignore" },
      { path: "net/ipv4/tcp_rmem" },
    ]);
    expect(answers.slice(0, 6)).toEqual([{}, { value: "2" }, {}, { value: other }, {}, { value: "1" }]);
    expect(answers[6]).toEqual({ value: expect.stringMatching(/^\d+\t\d+\t\d+$/) });
    expect(namespace.run("cat", [`/proc/sys/${path}`])).toBe("2\n");
    expect(own()).toBe(before);
    expect(sysctl(OWN_NAMESPACE, [{ path: "net/ipv4/ip_forward" }])).toEqual([{ value: before.trim() }]);
  });

  it("that are not there, or refuse a value, are told by errno, and do not stop the others", () => {
    const answers = sysctl(namespace.fd, [
      { path: "net/ipv4/conf/gone/rp_filter" },
      { path, value: "words" },
      { path: "net/ipv4" },
      { path, value: "1" },
      { path },
    ]);
    expect(answers).toEqual([{ errno: 2 }, { errno: 22 }, { errno: 21 }, {}, { value: "1" }]);
  });

  it.each([
    "kernel/hostname",
    "/net/ipv4/ip_forward",
    "net/../kernel/hostname",
    "net/ipv4/../../vm/swappiness",
    "",
    "net",
  ])("of the path %j are refused", (bad) => expect(() => sysctl(namespace.fd, [{ path: bad }])).toThrow(RangeError));

  it("too long, or with a NUL, are refused", () => {
    expect(() => sysctl(namespace.fd, [{ path: `net/${"a".repeat(300)}` }])).toThrow(RangeError);
    expect(() => sysctl(namespace.fd, [{ path, value: "1".repeat(5000) }])).toThrow(RangeError);
    expect(() => sysctl(namespace.fd, [{ path: "net/a\0b" }])).toThrow(RangeError);
    expect(() => sysctl(namespace.fd, [{ path, value: "1\0" }])).toThrow(RangeError);
  });

  it("of many links come in one call", () => {
    const links = ["all", "default", "lo", "v0", "w0", "br0", "x0", "a.b", "c.d"];
    const many = Array.from({ length: 5000 }, (_, i) => ({
      path: `net/ipv4/conf/${links[i % links.length]}/rp_filter`,
    }));
    const answers = sysctl(namespace.fd, many);
    expect(answers).toHaveLength(5000);
    expect(answers.filter((answer) => "errno" in answer)).toEqual([]);
  });
});

describe("drivers", () => {
  it("are those of the namespace's links", () => {
    expect(driverNames(namespace.fd, ["v0", "br0", "x0", "a.b", "lo", "gone"])).toEqual([
      "veth",
      "bridge",
      "vxlan",
      "veth",
      undefined,
      undefined,
    ]);
    expect(driverNames(OWN_NAMESPACE, ["x0"])).toEqual([undefined]);
    expect(() => driverNames(namespace.fd, ["a-name-of-16-byt"])).toThrow(RangeError);
  });
});

describe("namespaces", () => {
  it("are new, empty, told apart, and gone with their descriptor", () => {
    const [one, other] = [newNamespace(), newNamespace()];
    const again = openNamespace(`/proc/self/fd/${one}`);
    expect(namespaceId(again)).toBe(namespaceId(one));
    expect(namespaceId(other)).not.toBe(namespaceId(one));
    expect(driverNames(one, ["v0"])).toEqual([undefined]);
    for (const fd of [one, other, again]) closeSync(fd);
    expect(() => namespaceId(one)).toThrow(HostError);
  });

  it("that are none are refused", () => {
    const folder = mkdtempSync(join(tmpdir(), "heddle-"));
    writeFileSync(join(folder, "file"), "");
    expect(() => openNamespace(join(folder, "file"))).toThrow(/EINVAL/);
    expect(() => openNamespace("/proc/self/ns/mnt")).toThrow(/EINVAL/);
    expect(() => openNamespace(join(folder, "gone"))).toThrow(/ENOENT/);
    const fd = openSync(join(folder, "file"), "r");
    expect(() => namespaceId(fd)).toThrow(/EINVAL/);
    expect(() => sysctl(fd, [])).toThrow(/EINVAL/);
    closeSync(fd);
    rmSync(folder, { recursive: true });
    expect(existsSync(folder)).toBe(false);
  });
});

describe("any arguments", () => {
  it("are answered or thrown at, and leak no descriptor", () => {
    const native = addon() as unknown as Record<string, (...args: unknown[]) => unknown>;
    const names = [
      "openSocket",
      "send",
      "closeSocket",
      "holdSocket",
      "sysctl",
      "driverNames",
      "openNamespace",
      "namespaceId",
      "bpf",
      "programMaps",
    ];
    const before = readdirSync("/proc/self/fd").length;
    const odd = fc.oneof(
      fc.anything({ maxDepth: 1 }),
      fc.constantFrom(
        -1,
        0,
        31,
        1e9,
        2 ** 53,
        NaN,
        -Infinity,
        [],
        [1],
        [{}],
        [{ path: "net/x" }],
        ["lo"],
        "/proc/self/ns/net",
        new Uint8Array(),
        new Uint8Array(64),
        new Uint8Array(256).fill(255),
        [{ offset: 8, bytes: new Uint8Array(3) }],
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.array(odd, { maxLength: 6 }), (name, args) => {
        try {
          const answer = native[name]?.(...args);
          if (name === "openNamespace" && typeof answer === "number" && answer >= 0) closeSync(answer);
          else if (typeof answer === "object" && name === "openSocket") native["closeSocket"]?.(answer);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 2000 },
    );
    expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before);
  });

  it("of the wrong type or size are called so in a sentence", () => {
    const native = addon();
    expect(() => native.openSocket(0, [], -1, 0, 1)).toThrow(
      new RangeError("The receive buffer has to be a whole number from 1 to 268435456."),
    );
    expect(() => native.openSocket(32, [], -1, 1, 1)).toThrow(RangeError);
    expect(() => native.openSocket(0, [0], -1, 1, 1)).toThrow(RangeError);
    expect(() => native.openSocket(0, Array<number>(65).fill(1), -1, 1, 1)).toThrow(RangeError);
    expect(() => native.namespaceId("1" as unknown as number)).toThrow(
      new TypeError("A namespace has to be a number."),
    );
    expect(() => (native.sysctl as (...args: unknown[]) => unknown)(-1)).toThrow(TypeError);
    expect(() => native.closeSocket({} as never)).toThrow(
      new TypeError("The first argument has to be a netlink socket."),
    );
    const socket = native.openSocket(0, [], -1, 4096, 4096);
    if (typeof socket === "number") throw new Error(`errno ${socket}`);
    expect(() => native.send(socket, "text" as unknown as Uint8Array)).toThrow(TypeError);
    expect(native.send(socket, new Uint8Array(1 << 20))).toBe(-90);
    native.closeSocket(socket);
    native.closeSocket(socket);
    expect(native.send(socket, new Uint8Array(16))).toBe(-9);
  });
});

describe("program text", () => {
  const fileKb = (): number => Number(/^RssFile:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);

  it("is unmapped, and mapped again as it is run", () => {
    const before = fileKb();
    releaseText();
    const after = fileKb();
    // Most of what Node's start has run is not run again by reading one file.
    expect(after).toBeLessThan(before / 2);
    expect(JSON.parse(JSON.stringify({ still: [1, "works"] }))).toEqual({ still: [1, "works"] });
    expect(fileKb()).toBeGreaterThan(0);
  });
});
