// Owns the path of one contestant: a sender, a router with two links, and a destination that drops what comes.
import { BenchRouter, FAR_LINKS, FAR_MAC, ip, ROUTER_MAC, run } from "./router.ts";

const FLOWS = 4096;

/** What sending took. */
export interface Sent {
  packets: number;
  cpuNs: number;
}

/** Three namespaces below the bench's own, until they are disposed of. */
export class SpreadBenchStand implements Disposable {
  readonly router: BenchRouter;
  readonly #sender: string;
  readonly #far: string;

  constructor(number: number) {
    [this.#sender, this.#far] = [`b${number}-sender`, `b${number}-far`];
    this.router = new BenchRouter(`b${number}-router`);
    for (const name of [this.#sender, this.#far]) {
      run("ip", "netns", "add", name);
      ip(name, "link set lo up");
    }
    ip(this.#sender, `link add out type veth peer name ib0 netns ${this.router.name}`);
    for (const link of FAR_LINKS) {
      this.router.ip(`link add ${link} type veth peer name ${link} netns ${this.#far}`);
      ip(this.#far, `link set ${link} address ${FAR_MAC}`);
      ip(this.#far, `link set ${link} up`);
    }
    ip(this.#sender, "link set out up");
    this.router.setUp();
    ip(this.#far, "route add blackhole default");
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
    return FAR_LINKS.map((link) => {
      const [found] = JSON.parse(run("ip", "-n", this.#far, "-s", "-j", "link", "show", link)) as {
        stats64: { rx: { packets: number } };
      }[];
      return found?.stats64.rx.packets ?? 0;
    });
  }

  [Symbol.dispose](): void {
    this.router[Symbol.dispose]();
    for (const name of [this.#sender, this.#far]) run("ip", "netns", "del", name);
  }
}
