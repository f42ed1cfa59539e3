// Owns a network namespace for one test, in which `ip` plays the part of everybody else.
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync } from "node:fs";
import { newNamespace } from "../src/host/native.ts";
import type { NamespaceFd } from "../src/host/native.ts";

/** A namespace that is gone when it is disposed of. */
export class TestNamespace implements Disposable {
  readonly fd: NamespaceFd = newNamespace();

  constructor() {
    this.ip("link set lo up");
    // Addresses are usable at once, and two looks at the same thing see the same.
    this.run("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0");
  }

  /** Runs a program inside, and gives its output. */
  run(program: string, ...words: string[]): string {
    const path = `/proc/${process.pid}/fd/${this.fd}`;
    return execFileSync("nsenter", [`--net=${path}`, "--", program, ...words], { encoding: "utf8" });
  }

  /** Runs a program with a text as its input; how it ends does not matter. */
  runWith(input: string | Uint8Array, program: string, ...words: string[]): void {
    const path = `/proc/${process.pid}/fd/${this.fd}`;
    spawnSync("nsenter", [`--net=${path}`, "--", program, ...words], { input, stdio: ["pipe", "ignore", "ignore"] });
  }

  /** Runs one `ip` command, split on blanks. */
  ip(words: string): string {
    return this.run("ip", ...words.split(" "));
  }

  /** Adds a veth that is up, with a far end that is up, and addresses that are usable at once. */
  addLink(name: string, addresses: readonly string[]): void {
    const far = `far-${name}`.slice(0, 15);
    this.ip(`link add ${name} type veth peer name ${far}`);
    this.ip(`link set ${far} up`);
    this.ip(`link set ${name} up`);
    for (const address of addresses) this.addAddress(name, address);
  }

  /** Adds an address that is usable when this returns. */
  addAddress(link: string, address: string): void {
    if (!address.includes(":")) return void this.ip(`addr add ${address} dev ${link}`);
    this.ip(`addr add ${address} dev ${link} nodad`);
    // Its local route is the work of a kernel thread, which may be late (addrconf_dad_work); on a link that is down it
    // does not come.
    const [host] = address.split("/");
    for (let tries = 0; tries < 100 && this.ip(`-6 route show table local ${host}`) === ""; tries += 1);
  }

  /** Takes the far end of a link down, or brings it back. */
  setCarrier(name: string, carrier: boolean): void {
    this.ip(`link set ${`far-${name}`.slice(0, 15)} ${carrier ? "up" : "down"}`);
  }

  /** Puts an entry into a neighbour table as a resolution would. */
  learn(link: string, address: string): void {
    this.ip(`neigh replace ${address} lladdr 02:00:00:00:00:77 dev ${link} nud reachable`);
  }

  /**
   * All that the kernel has there, as text, to compare before and after; without what it makes for link-local addresses
   * and multicast, some time after a link came up.
   */
  everything(): string {
    const dumps = ["rule", "-6 rule", "route show table all", "-6 route show table all", "addr", "-d nexthop"];
    const lines = dumps.flatMap((words) => this.ip(words).split("\n"));
    return lines.filter((line) => !/fe80::|ff00::|valid_lft/.test(line)).join("\n");
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}
