// Owns network namespaces for tests: each test has its own, so that none sees another's links or the host's.
import { execFileSync } from "node:child_process";
import { closeSync, readFileSync, readlinkSync } from "node:fs";
import { newNamespace, type NamespaceFd } from "../../native.ts";

const MOST_OUTPUT = 256 * 1024 * 1024;

/** Throws when this process stands in the host's network namespace, where no test has any business. */
export function refuseOnHost(): void {
  if (inHostNamespace()) {
    throw new Error("this test wants a network namespace of its own: run it under `unshare -rnm`");
  }
}

function inHostNamespace(): boolean {
  try {
    return readlinkSync("/proc/1/ns/net") === readlinkSync("/proc/self/ns/net");
  } catch {
    // Who may not look at the first process is in a user namespace of its own, or is an ordinary user on the host.
    return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "utf8"));
  }
}

/** A fresh namespace and iproute2 in it. */
export interface TestNamespace {
  readonly fd: NamespaceFd;
  /** Runs a program in the namespace. */
  run(program: string, args: readonly string[], input?: string): string;
  /** Runs `ip` with lines as a batch; throws with what ip says when one fails. */
  batch(lines: readonly string[], family?: 4 | 6): void;
  /** Runs `ip -d -j` with the words. */
  json(words: string): Record<string, unknown>[];
  close(): void;
}

/** Makes one, with lines for `ip -batch` done in it. It lives until it is closed. */
export function testNamespace(setUp: readonly string[] = []): TestNamespace {
  refuseOnHost();
  const fd = newNamespace();
  const run = (program: string, args: readonly string[], input = "") =>
    execFileSync("nsenter", [`--net=/proc/${process.pid}/fd/${fd}`, program, ...args], {
      input,
      encoding: "utf8",
      maxBuffer: MOST_OUTPUT,
      stdio: "pipe",
    });
  const namespace: TestNamespace = {
    fd,
    run,
    batch(lines, family) {
      const args = family === undefined ? [] : [`-${family}`];
      run("ip", [...args, "-batch", "-"], lines.map((line) => `${line}\n`).join(""));
    },
    json(words) {
      const text = run("ip", ["-d", "-j", ...words.split(" ")]).trim();
      return text === "" ? [] : (JSON.parse(text) as Record<string, unknown>[]);
    },
    close: () => closeSync(fd),
  };
  namespace.batch(setUp);
  return namespace;
}

/**
 * Three links up, v0 to v2 (indices 3, 5, 7), with 10.9.k.1/24 and fd00:k::1/64 on link vk, nexthop objects 10 to 12
 * for IPv4 (12 is a group) and 20 to 22 for IPv6. Two namespaces that are made so are equal.
 */
export const THREE_LINKS: readonly string[] = [
  ...[0, 1, 2].flatMap((k) => [
    `link add v${k} address 02:00:00:00:00:0${k} index ${3 + 2 * k} type veth peer name w${k} address 02:00:00:00:01:0${k} index ${2 + 2 * k}`,
    `link set v${k} addrgenmode none`,
    `link set w${k} addrgenmode none`,
    `link set w${k} up`,
    `link set v${k} up`,
    `addr add 10.9.${k}.1/24 dev v${k}`,
    `addr add fd00:${k}::1/64 dev v${k} nodad`,
  ]),
  "link set lo up",
  "nexthop add id 10 via 10.9.0.9 dev v0",
  "nexthop add id 11 via 10.9.1.9 dev v1",
  "nexthop add id 12 group 10/11,3",
  "nexthop add id 20 via fd00:0::9 dev v0",
  "nexthop add id 21 via fd00:1::9 dev v1",
  "nexthop add id 22 group 20/21,3",
];

/** Index of link vk. */
export const indexOf = (k: number): number => 3 + 2 * k;

/** User ids that this process's namespace knows, the last of a run from 0: rules take no others. */
export function lastUserId(): number {
  const [, , count] = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/).map(Number);
  return Math.min((count ?? 1) - 1, 100_000);
}
