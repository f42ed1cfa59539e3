// Owns two segments of one subnet with a router between them, whose agent has hosts of both reach each other; a host on
// each side; and what tests ask of them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect } from "vitest";
import { AgentHost } from "./agent.ts";
import { until } from "./contract-steps.ts";
import type { TestNamespace } from "./namespace.ts";
import { SegmentLab } from "./segment-lab.ts";

/** What of a line about a host route or an answer is the kernel's, by IP version. */
const KERNELS = { 4: / +proto \S+| scope link|  +/g, 6: / +proto \S+| metric \d+| pref \S+|  +/g } as const;

/** Addresses, all of one subnet, and how the file says what is to be passed on. */
export interface RoutedSegmentsOptions {
  /** Of the router, left (eth2) and right (ib0), and of a host on each side. */
  router: readonly [string, string];
  hosts: readonly [string, string];
  length: number;
  says: "arp: true" | "nd: true";
}

/** They stand, and the agent runs. */
export class RoutedSegments implements AsyncDisposable {
  readonly lab = new SegmentLab();
  readonly router = new AgentHost();
  readonly left: ReturnType<SegmentLab["host"]>;
  readonly right: ReturnType<SegmentLab["host"]>;
  readonly #options: RoutedSegmentsOptions;

  private constructor(options: RoutedSegmentsOptions) {
    const { router, hosts, length } = options;
    this.#options = options;
    this.lab.connect(this.router.namespace, "eth2", "left", `${router[0]}/${length}`);
    this.lab.connect(this.router.namespace, "ib0", "right", `${router[1]}/${length}`);
    this.left = this.lab.host("left", `${hosts[0]}/${length}`);
    this.right = this.lab.host("right", `${hosts[1]}/${length}`);
  }

  static async stand(options: RoutedSegmentsOptions): Promise<RoutedSegments> {
    const segments = new RoutedSegments(options);
    segments.router.write(`
bridge:
  fabrics: { infiniband: { link: ib0 }, ethernet: { link: eth2 }, ${options.says} }`);
    expect(segments.router.heddle("apply")).toMatchObject({ code: 0 });
    await segments.router.start();
    return segments;
  }

  /** The host routes and answers of heddle's at the router, as `ip` says them without what the kernel adds. */
  known(): string[] {
    const { namespace } = this.router;
    const version = this.#options.says === "nd: true" ? 6 : 4;
    return [`-${version} route show proto 72`, "neigh show proxy"]
      .flatMap((words) => namespace.ip(words).split("\n"))
      .map((line) => line.replaceAll(KERNELS[version], "").trim())
      .filter(Boolean)
      .toSorted();
  }

  /** Has the host at the left send much text by TCP to the one at the right, at an address, and get it back. */
  async expectEcho(address: string): Promise<void> {
    const [listen, connect] = address.includes(":")
      ? ["TCP6-LISTEN", `TCP6:[${address}]`]
      : ["TCP-LISTEN", `TCP:${address}`];
    const server = socat(this.right.namespace, [`${listen}:5000,reuseaddr,fork`, "EXEC:cat"]);
    const text = "a line that comes back\n".repeat(10_000);
    let back = "";
    try {
      await until(async () => {
        const client = socat(this.left.namespace, ["-t", "5", "-", `${connect}:5000`]);
        back = "";
        client.stdout.setEncoding("utf8").on("data", (piece: string) => (back += piece));
        client.stdin.on("error", () => {});
        client.stdin.end(text);
        await once(client, "exit");
        return back.length > 0;
      });
    } finally {
      server.kill();
    }
    expect(back).toBe(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.router[Symbol.asyncDispose]();
    this.lab[Symbol.dispose]();
  }
}

/** Whether a ping is answered within a second. */
export function pings(from: TestNamespace, to: string): boolean {
  try {
    from.run("ping", "-c", "1", "-W", "1", to);
    return true;
  } catch {
    return false;
  }
}

function socat({ fd }: TestNamespace, words: readonly string[]) {
  const entered = [`--net=/proc/${process.pid}/fd/${fd}`, "--", "socat", ...words];
  return spawn("nsenter", entered, { stdio: ["pipe", "pipe", "ignore"] });
}
