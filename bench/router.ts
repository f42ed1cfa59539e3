// Owns the router of a bench of spreading: a namespace with ib0, by which packets come, and ib1 and ib2, by which they go.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNamespace } from "../src/host/native.ts";

export const ROUTER_MAC = "02:00:00:00:01:01";
/** Both far ends have it: a peer that keeps the frame's header would otherwise lose what it sends by the other link. */
export const FAR_MAC = "02:00:00:00:02:02";
export const FAR_LINKS = ["ib1", "ib2"] as const;
/** As bench/packets.c and bench/frames.bpf.c send them. */
const DESTINATIONS = Array.from({ length: 200 }, (_, i) => `10.0.2.${11 + i}`);

/** A namespace below the bench's own, until it is disposed of. Its links are made by whoever knows their far ends. */
export class BenchRouter implements Disposable {
  readonly name: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-bench-"));

  constructor(name: string) {
    this.name = name;
    run("ip", "netns", "add", name);
    this.ip("link set lo up");
  }

  /** Gives the links, which are there now, their addresses and neighbours. */
  setUp(): void {
    this.ip(`link set ib0 address ${ROUTER_MAC}`);
    this.ip("address add 10.0.1.1/24 dev ib0");
    this.ip("address add 10.0.2.1/24 dev ib1");
    this.ip("address add 10.0.2.2/24 dev ib2");
    for (const link of ["ib0", ...FAR_LINKS]) this.ip(`link set ${link} up`);
    const neighbours = FAR_LINKS.flatMap((link) =>
      DESTINATIONS.map((one) => `neighbour replace ${one} lladdr ${FAR_MAC} dev ${link} nud permanent\n`),
    );
    writeFileSync(join(this.#folder, "neighbours"), neighbours.join(""));
    run("ip", "-n", this.name, "-batch", join(this.#folder, "neighbours"));
    this.ip("neighbour replace 10.0.1.10 lladdr 02:00:00:00:00:01 dev ib0 nud permanent");
    this.sysctl("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.fib_multipath_hash_policy=1");
    for (const link of ["ib0", ...FAR_LINKS]) this.sysctl(`net.ipv4.conf.${link}.rp_filter=0`);
  }

  sysctl(...settings: string[]): void {
    run("ip", "netns", "exec", this.name, "sysctl", "-qw", ...settings);
  }

  /** Runs `ip` here. */
  ip(words: string): void {
    ip(this.name, words);
  }

  /** Index of a link. */
  index(link: string): number {
    const [found] = JSON.parse(run("ip", "-n", this.name, "-j", "link", "show", link)) as { ifindex: number }[];
    return found?.ifindex ?? 0;
  }

  /** Opens the namespace; the caller closes the descriptor. */
  open(): number {
    return openNamespace(`/run/netns/${this.name}`);
  }

  /** Has heddle do one section of spread. */
  heddle(...lines: readonly string[]): void {
    const file = join(this.#folder, "heddle.yaml");
    const section = lines.map((line) => `    ${line}\n`).join("");
    writeFileSync(
      file,
      `version: 1\nspread:\n  opa:\n    links: [ib1, ib2]\n    to: 10.0.2.0/24\n    from: [ib0]\n    local: false\n${section}`,
    );
    const words = ["dist/heddle.cjs", "--state", join(this.#folder, "state"), "-f", file, "apply"];
    // Not `ip netns exec`: it mounts a /sys of its own, without the pins.
    run("nsenter", `--net=/run/netns/${this.name}`, "--", process.execPath, ...words);
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
    run("ip", "netns", "del", this.name);
  }
}

export function run(program: string, ...words: readonly string[]): string {
  return execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

export function ip(namespace: string, words: string): void {
  run("ip", "-n", namespace, ...words.split(" "));
}
