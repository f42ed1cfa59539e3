// Owns the proof that a kill at any moment of an apply loses nothing: another apply ends where an undisturbed one does,
// what is not heddle's is whole, and `remove` still knows the values from before.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import * as fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { namespaceId } from "../src/host/native.ts";
import { TestNamespace } from "./namespace.ts";

/** Plans that are tried, each killed at some of its points. */
const PLANS = 20;
const KILLS = 3;

let place = "";
/** crash-child.ts as one file, beside the addon: some hundred starts of it would strip the types of all sources anew. */
const CHILD = join(import.meta.dirname, "../build/crash-child.mjs");

beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), "heddle-crash-"));
  // The YAML library asks for Node's modules by a call.
  const js = 'const require = process.getBuiltinModule("node:module").createRequire(import.meta.url);';
  await build({
    entryPoints: [join(import.meta.dirname, "crash-child.ts")],
    outfile: CHILD,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    banner: { js },
  });
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

const to = fc.constantFrom("10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "172.16.9.0/24");
const route = fc.record({
  to,
  link: fc.constantFrom("ib0", "ib1"),
  table: fc.constantFrom(77, 78),
  metric: fc.constantFrom(1, 2, 3),
});
const rule = fc.record({ from: to, table: fc.constantFrom(77, 78), priority: fc.constantFrom(500, 501) });
const marker = fc.record({
  families: fc.constantFrom([], ["inet"], ["ip"], ["inet", "ip"]),
  mark: fc.constantFrom(0x70, 0x71),
});
const file = fc
  .record({
    markers: fc.dictionary(fc.constantFrom("a", "b"), marker),
    links: fc.constantFrom(["ib0", "ib1"], ["ib1", "ib0"], undefined),
    rp_filter: fc.constantFrom("loose", "strict"),
    routes: fc.uniqueArray(route, { maxLength: 5, selector: ({ to, table, metric }) => `${to} ${table} ${metric}` }),
    rules: fc.uniqueArray(rule, { maxLength: 4, selector: (one) => JSON.stringify(one) }),
  })
  .map(({ links, rp_filter, routes, rules, markers }) =>
    stringify({
      version: 1,
      ...(links ? { multihome: { ib: { links, rp_filter } } } : {}),
      static: { s: { routes, rules } },
      marker: markers,
    }),
  );
/** What stood before, what is applied undisturbed first, and what is killed. */
const life = fc.record({
  first: file,
  second: file,
  rpFilter: fc.constantFrom("0", "1"),
  kills: fc.infiniteStream(fc.nat()),
});

/** One host of one life, with objects of others that look like heddle's. */
class Patient implements Disposable {
  readonly namespace = new TestNamespace();
  readonly state: string;

  constructor(name: string, rpFilter: string) {
    this.state = join(place, name);
    this.namespace.addLink("ib0", ["172.16.34.1/16"]);
    this.namespace.addLink("ib1", ["172.16.34.2/16"]);
    this.namespace.run("sysctl", "-qw", `net.ipv4.conf.ib0.rp_filter=${rpFilter}`);
    this.namespace.ip("route add 10.2.0.0/16 dev ib1 table 77 metric 9 proto static");
    this.namespace.ip("route add 10.1.0.0/16 dev ib1 table 7001 metric 9 proto static");
    this.namespace.ip("rule add from 10.1.0.0/16 table 77 priority 500 protocol static");
    // One of theirs is called as one of heddle's would be, without its tag.
    for (const table of ["inet fire", "ip heddle-marker-b"])
      this.namespace.run("nft", "add", "table", ...table.split(" "));
  }

  /** Applies a file, killed at a point where one is given, and gives what was said or the signal. */
  apply(
    text: string | undefined,
    point = 0,
    prefix = 0,
  ): { points: number; failed: number; notUndone: string[] } | "killed" {
    const path = text === undefined ? "-" : `${this.state}.yaml`;
    if (text !== undefined) writeFileSync(path, text);
    const words = [path, this.state, String(point), String(prefix)];
    const inside = [`--net=/proc/${process.pid}/fd/${this.namespace.fd}`, "--", process.execPath, CHILD, ...words];
    const { stdout, stderr, signal } = spawnSync("nsenter", inside, { encoding: "utf8" });
    // nsenter becomes the program, so the signal is the child's own.
    if (signal === "SIGKILL") {
      this.#awaitOrphans();
      return "killed";
    }
    expect(stderr).toBe("");
    return JSON.parse(stdout) as { points: number; failed: number; notUndone: string[] };
  }

  /** What a killed apply had begun to run comes to its end by itself: nft, with what it was given. */
  #awaitOrphans(): void {
    const inside = `${namespaceId(this.namespace.fd)}`;
    const isOrphan = (pid: string): boolean => {
      try {
        return (
          readFileSync(`/proc/${pid}/comm`, "utf8") === "nft\n" && readlinkSync(`/proc/${pid}/ns/net`).includes(inside)
        );
      } catch {
        return false;
      }
    };
    const until = Date.now() + 30_000;
    while (readdirSync("/proc").some((pid) => /^\d+$/.test(pid) && isOrphan(pid))) {
      if (Date.now() > until) throw new Error("nft does not end");
      spawnSync("sleep", ["0.01"]);
    }
  }

  /** Everything that heddle or others made, and the switches. */
  look(): string {
    const shown = ["rule", "-6 rule", "-d route show table all", "-d -6 route show table all"].map((words) =>
      this.namespace.ip(words),
    );
    const keys = ["ib0", "ib1"].flatMap((link) =>
      ["arp_ignore", "arp_announce", "rp_filter"].map((key) => `net.ipv4.conf.${link}.${key}`),
    );
    // The kernel's own link-local and multicast routes come some time after their links.
    const lines = shown
      .join("\n")
      .split("\n")
      .filter((line) => !/fe80:|ff00:/.test(line));
    return [...lines, this.namespace.run("sysctl", ...keys), this.#nftTables()].join("\n");
  }

  /** In an order of their own: that of the kernel is the order in which they were made. */
  #nftTables(): string {
    const names = this.namespace.run("nft", "list", "tables").split("\n").filter(Boolean).toSorted();
    return names.map((name) => this.namespace.run("nft", "-s", "list", ...name.split(" "))).join("");
  }

  [Symbol.dispose](): void {
    this.namespace[Symbol.dispose]();
  }
}

const seed = Date.now() % 0x7fffffff;
const lives = fc.sample(life, { seed, numRuns: PLANS });

test.each(lives.map((one, i) => [i, one] as const))(
  `life %i (seed ${seed})`,
  { timeout: 120_000 },
  (i, { first, second, rpFilter, kills }) => {
    using calm = new Patient(`calm-${i}`, rpFilter);
    const untouched = calm.look();
    calm.apply(first);
    const told = calm.apply(second);
    if (told === "killed") throw new Error("nobody was to be killed");
    expect(told).toMatchObject({ failed: 0, notUndone: [] });
    const wanted = calm.look();

    const chosen = Array.from({ length: KILLS }, () => kills.next().value ?? 0);
    for (const [k, random] of chosen.entries()) {
      if (told.points === 0) continue;
      using patient = new Patient(`life-${i}-${k}`, rpFilter);
      patient.apply(first);
      const point = 1 + (random % told.points);
      const prefix = Math.floor(random / told.points) % 4;
      expect(patient.apply(second, point, prefix), `killed at point ${point}, prefix ${prefix}`).toBe("killed");
      expect(patient.apply(second)).toMatchObject({ failed: 0, notUndone: [] });
      expect(patient.look(), `after a kill at point ${point}, prefix ${prefix}:\n${first}${second}`).toBe(wanted);
      patient.apply(undefined);
      expect(patient.look(), `removed after a kill at point ${point}, prefix ${prefix}:\n${first}${second}`).toBe(
        untouched,
      );
    }
  },
);
