// Owns what tests of the bridge stand on: a fabric with OpenSM and the model's switch on one side, an Ethernet switch that
// snoops on the other. In the tests' own network namespace.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAddress } from "../../../model/ip.ts";
import { BridgedGroup } from "../../bridge/group.ts";
import type { ServiceClass, Way } from "../../bridge/group.ts";
import { groupMac, makeMgid } from "../../bridge/mgid.ts";
import { ModelSwitch } from "../../fabric/model-switch.ts";
import { ModelPort } from "../../port/model-port.ts";
import type { ModelPlace } from "../../port/model-port.ts";
import { Fabric } from "../../fabric/simulation.ts";
import { Bridge } from "../bridge.ts";
import type { BridgeOptions } from "../bridge.ts";
import type { SubnetGroup } from "../subnet.ts";
import { BridgeProcess } from "./bridge-process.ts";
import { InfinibandHost, RoceHost } from "../../hosts/hosts.ts";

/** Runs one `ip` command, split on blanks. */
export function ip(words: string): void {
  execFileSync("ip", words.split(" "), { stdio: ["ignore", "ignore", "inherit"] });
}

/** ibsim's ports for tests of bridges: its own, and one for each of at most ten clients. */
const FIRST_PORT = 7100;
const PORTS = 20;

/** The bytes of an address. */
export function bytesOf(address: string): Uint8Array {
  return parseAddress(address) as Uint8Array;
}

/** How one group of a bridge differs from the usual. */
export interface GroupChoice {
  way?: Way;
  mgid?: string;
  /** The MGID is one of IPoIB's. */
  ipoib?: boolean;
  qKey?: number;
  hopLimit?: number;
  classes?: ServiceClass[];
}

/** A group with an MGID of RDMA-CM. */
export function bridged(index: number, address: string, choice: GroupChoice = {}): SubnetGroup {
  const { way = "both", mgid, ipoib = false, qKey = 0x01234567, hopLimit = 64, classes = [] } = choice;
  const group = bytesOf(address);
  return {
    group: new BridgedGroup(index, {
      name: address,
      way,
      classes,
      ethernet: { address: group, mac: groupMac(group), qKey, pKey: 0xffff, hopLimit },
      mgid: mgid === undefined ? makeMgid({ format: "rdma-cm", group, pKey: 0xffff, scope: 2 }) : bytesOf(mgid),
    }),
    ipoib,
    more: {},
  };
}

/** Both fabrics. */
export class Stand implements AsyncDisposable {
  /** Where the sockets of the fabric's hosts are. */
  readonly folder: string;
  readonly fabric: Fabric;
  readonly wire: ModelSwitch;
  readonly #name: string;
  readonly #open: AsyncDisposable[] = [];
  #links = 0;

  private constructor(name: string, fabric: Fabric, folder: string, wire: ModelSwitch) {
    this.#name = name;
    this.fabric = fabric;
    this.folder = folder;
    this.wire = wire;
  }

  /**
   * A fabric of so many hosts, of which H1 is the manager's. Tests run side by side in one network namespace: `number`
   * keeps their fabrics and switches apart. Those of `slow` have one lane.
   */
  static async build(number: number, hosts: number, slow: readonly number[] = []): Promise<Stand> {
    const fabric = await Fabric.start(hosts, FIRST_PORT + number * PORTS, slow);
    const folder = mkdtempSync(join(tmpdir(), "heddle-wire-"));
    const names = Array.from({ length: hosts }, (_, i) => [i + 1, `H${i + 1}`]);
    const wire = await ModelSwitch.start({
      folder,
      node: "S1",
      port: fabric.port,
      hosts: Object.fromEntries(names) as Record<number, string>,
    });
    const name = `sw${number}`;
    // Until its first query's time is over it floods (br_multicast_querier_exists); hundredths of a second.
    ip(`link add ${name} type bridge mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 20`);
    ip(`link set ${name} up`);
    return new Stand(name, fabric, folder, wire);
  }

  /** A link to the Ethernet switch, which lets only those groups through that its far end is a member of. */
  addLink(name: string, mtu = 1500): void {
    const number = ++this.#links;
    ip(`link add ${name} mtu ${mtu} type veth peer name sw-${name} mtu ${mtu}`);
    ip(`addr add 192.0.2.${number}/24 dev ${name}`);
    ip(`addr add fd00:2::${number}/64 dev ${name} nodad`);
    ip(`link set sw-${name} master ${this.#name} up`);
    ip(`link set ${name} up`);
  }

  place(node: string): ModelPlace {
    return { folder: this.folder, node, port: this.fabric.port };
  }

  async roceHost(name: string, mtu?: number): Promise<RoceHost> {
    this.addLink(name, mtu);
    const host = (await RoceHost.on(name)) as RoceHost;
    this.#open.push({ [Symbol.asyncDispose]: async () => host[Symbol.dispose]() });
    return host;
  }

  async infinibandHost(node: string): Promise<InfinibandHost> {
    const host = await InfinibandHost.at(this.place(node));
    this.#open.push(host);
    return host;
  }

  /** A process that bridges between a link, which is made, and a node; `passed` is what the file says of groups, or more keys; `smKey`: the administrator's key, in a file of its own. */
  bridgeProcess(link: string, node: string, passed: string, smKey?: string): BridgeProcess {
    this.addLink(link);
    const bridge = new BridgeProcess(this.place(node), link, passed, smKey);
    this.#open.push(bridge);
    return bridge;
  }

  /** A bridge between a link, which is made, and a node. */
  async bridge(
    link: string,
    node: string,
    groups: readonly SubnetGroup[],
    more: { mtu?: number } & Pick<BridgeOptions, "messages" | "sessionFile" | "smKey"> = {},
  ): Promise<Bridge> {
    const { mtu, ...rest } = more;
    this.addLink(link, mtu);
    const infiniband = await ModelPort.open(this.place(node));
    const bridge = new Bridge({ name: "fabrics", link, infiniband, pKey: 0xffff, groups, tell: () => {}, ...rest });
    this.#open.push(bridge);
    await bridge.start();
    return bridge;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open.toReversed()) await one[Symbol.asyncDispose]();
    await this.wire[Symbol.asyncDispose]();
    await this.fabric[Symbol.asyncDispose]();
    ip(`link del ${this.#name}`);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
