// Owns the path of one contestant: a sender, a router with two links, and a destination that drops what comes.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openNamespace } from "../src/host/native.ts";

const FLOWS = 4096;
const ROUTER_MAC = "02:00:00:00:01:01";
/** Both far ends have it: a peer that keeps the frame's header would otherwise lose what it sends by the other link. */
const FAR_MAC = "02:00:00:00:02:02";
const DESTINATIONS = Array.from({ length: 200 }, (_, i) => `10.0.2.${11 + i}`);

/** What sending took. */
export interface Sent {
  packets: number;
  cpuNs: number;
}

/** Three namespaces below the bench's own, until they are disposed of. */
export class SpreadBenchStand implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "heddle-bench-"));
  readonly router: string;
  readonly #sender: string;
  readonly #far: string;

  constructor(number: number) {
    [this.#sender, this.router, this.#far] = ["sender", "router", "far"].map((role) => `b${number}-${role}`) as [
      string,
      string,
      string,
    ];
    for (const name of [this.#sender, this.router, this.#far]) {
      run("ip", "netns", "add", name);
      ip(name, "link set lo up");
    }
    ip(this.#sender, `link add out type veth peer name ib0 netns ${this.router}`);
    for (const link of ["ib1", "ib2"])
      ip(this.router, `link add ${link} type veth peer name ${link} netns ${this.#far}`);
    ip(this.router, `link set ib0 address ${ROUTER_MAC}`);
    for (const link of ["ib1", "ib2"]) ip(this.#far, `link set ${link} address ${FAR_MAC}`);
    ip(this.router, "address add 10.0.1.1/24 dev ib0");
    ip(this.router, "address add 10.0.2.1/24 dev ib1");
    ip(this.router, "address add 10.0.2.2/24 dev ib2");
    ip(this.#sender, "link set out up");
    for (const link of ["ib0", "ib1", "ib2"]) ip(this.router, `link set ${link} up`);
    for (const link of ["ib1", "ib2"]) ip(this.#far, `link set ${link} up`);
    ip(this.#far, "route add blackhole default");
    const neighbours = ["ib1", "ib2"].flatMap((link) =>
      DESTINATIONS.map((one) => `neighbour replace ${one} lladdr ${FAR_MAC} dev ${link} nud permanent\n`),
    );
    writeFileSync(join(this.#folder, "neighbours"), neighbours.join(""));
    run("ip", "-n", this.router, "-batch", join(this.#folder, "neighbours"));
    ip(this.router, "neighbour replace 10.0.1.10 lladdr 02:00:00:00:00:01 dev ib0 nud permanent");
    this.sysctl("net.ipv4.ip_forward=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.fib_multipath_hash_policy=1");
    for (const link of ["ib0", "ib1", "ib2"]) this.sysctl(`net.ipv4.conf.${link}.rp_filter=0`);
  }

  sysctl(...settings: string[]): void {
    run("ip", "netns", "exec", this.router, "sysctl", "-qw", ...settings);
  }

  /** Runs `ip` on the router. */
  ip(words: string): void {
    ip(this.router, words);
  }

  /** Index of one of the router's links. */
  index(link: string): number {
    const [found] = JSON.parse(run("ip", "-n", this.router, "-j", "link", "show", link)) as { ifindex: number }[];
    return found?.ifindex ?? 0;
  }

  /** Opens the router's namespace; the caller closes the descriptor. */
  open(): number {
    return openNamespace(`/run/netns/${this.router}`);
  }

  /** Has heddle do one section of spread on the router. */
  heddle(...lines: readonly string[]): void {
    const file = join(this.#folder, "heddle.yaml");
    const section = lines.map((line) => `    ${line}\n`).join("");
    writeFileSync(
      file,
      `version: 1\nspread:\n  opa:\n    links: [ib1, ib2]\n    to: 10.0.2.0/24\n    from: [ib0]\n    local: false\n${section}`,
    );
    const words = ["dist/heddle.cjs", "--state", join(this.#folder, "state"), "-f", file, "apply"];
    // Not `ip netns exec`: it mounts a /sys of its own, without the pins.
    run("nsenter", `--net=/run/netns/${this.router}`, "--", process.execPath, ...words);
  }

  /** Sends, and tells what it took. */
  send(packets: number): Sent {
    const words = ["out", ROUTER_MAC, String(packets), String(FLOWS)];
    return JSON.parse(
      run("nsenter", `--net=/run/netns/${this.#sender}`, "--", "build/bench-packets", ...words),
    ) as Sent;
  }

  /** How many packets have come to the far end of each link. */
  received(): number[] {
    return ["ib1", "ib2"].map((link) => {
      const [found] = JSON.parse(run("ip", "-n", this.#far, "-s", "-j", "link", "show", link)) as {
        stats64: { rx: { packets: number } };
      }[];
      return found?.stats64.rx.packets ?? 0;
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
    for (const name of [this.#sender, this.router, this.#far]) run("ip", "netns", "del", name);
  }
}

function run(program: string, ...words: readonly string[]): string {
  return execFileSync(program, words, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

function ip(namespace: string, words: string): void {
  run("ip", "-n", namespace, ...words.split(" "));
}
