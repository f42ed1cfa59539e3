// Owns random routing set-ups in network namespaces, and random packets for them. Each random rule has a table of its own,
// so that the kernel's answer names the rule.
import type { Packet } from "../src/explain/packet.ts";
import { hostOf } from "../src/explain/source4.ts";
import { WISHES } from "../src/explain/wishes.ts";
import { ruleToMessage } from "../src/host/kinds/rule-message.ts";
import { sysctl } from "../src/host/native.ts";
import { openRouteSocket } from "../src/host/netlink/client.ts";
import type { RouteSocket } from "../src/host/netlink/client.ts";
import { VERB } from "../src/host/netlink/requests.ts";
import type { Request } from "../src/host/netlink/requests.ts";
import { takePicture } from "../src/host/picture/read.ts";
import type { Family } from "../src/model/ip.ts";
import type { RuleSpec } from "../src/model/kinds.ts";
import type { HostPicture } from "../src/model/picture.ts";
import { TestNamespace } from "./namespace.ts";
import { Random } from "./random.ts";

const LINKS = ["v0", "v1", "v2", "v3"] as const;

/** The link whose far end is off. */
const WITHOUT_CARRIER = "v2";

const DESTINATIONS: Readonly<Record<Family, readonly string[]>> = {
  4: [
    "10.50.1.1",
    "10.50.1.77",
    "10.50.9.9",
    "10.60.0.1",
    "10.9.0.9",
    "10.9.1.200",
    "10.9.0.1",
    "192.0.2.7",
    "10.9.2.9",
  ],
  6: [
    "2001:db8:1::1",
    "2001:db8:1::77",
    "2001:db8:9::9",
    "2001:db9::1",
    "fd00:0::9",
    "fd00:1::c8",
    "fd00:0::1",
    "2a00::7",
    "fe80::77",
  ],
};

const SOURCES: Readonly<Record<Family, readonly string[]>> = {
  4: ["10.9.0.1", "10.9.1.1", "10.9.0.2", "10.99.0.1", "10.9.3.1"],
  6: ["fd00:0::1", "fd00:1::1", "fd00:0::2", "fd99::1", "fd00:3::1"],
};

const FOREIGN: Readonly<Record<Family, readonly string[]>> = {
  4: ["10.50.1.1", "10.9.1.50", "10.60.0.3", "172.16.0.1", "10.9.0.1"],
  6: ["2001:db8:1::9", "fd00:1::50", "2a00::9"],
};

const PREFIXES: Readonly<Record<Family, readonly string[]>> = {
  4: [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.50.0.0/16",
    "10.50.1.0/24",
    "10.50.1.1/32",
    "10.9.0.0/16",
    "10.0.0.0/16",
    "192.0.2.0/24",
  ],
  6: [
    "::/0",
    "2001:db8::/32",
    "2001:db8:1::/48",
    "2001:db8:1::1/128",
    "fd00::/16",
    "2001::/16",
    "2a00::/16",
    "2001:db8::/48",
  ],
};

const gateway = (family: Family, k: number, end: number): string =>
  family === 4 ? `10.9.${k}.${end}` : `fd00:${k}::${end.toString(16)}`;

/**
 * Without what adds a source-specific IPv6 route that is there already. The kernel refuses that, and overlooks the one
 * that is there from then on: it has taken the leaf of the destination's node away (fib6_add_1, net/ipv6/ip6_fib.c), and
 * puts back that of a longer destination (fib6_repair_tree). No listing tells of it.
 */
function withoutRepeatedSources(lines: readonly string[]): string[] {
  const seen = new Set<string>();
  return lines.filter((line) => {
    const [, to, from, table, metric = "1024"] = /(\S+) from (\S+) table (\d+)(?: metric (\d+))?/.exec(line) ?? [];
    if (from === undefined) return true;
    const route = `${to} ${from} ${table} ${metric}`;
    const isNew = !seen.has(route);
    seen.add(route);
    return isNew;
  });
}

/** A set-up, and the socket to ask its kernel with. */
export class World implements Disposable {
  readonly namespace = new TestNamespace();
  readonly socket: RouteSocket;
  readonly random: Random;
  readonly #maxUid: number;

  constructor(seed: number, maxUid: number) {
    this.random = new Random(seed);
    this.#maxUid = maxUid;
    this.socket = openRouteSocket({ namespace: this.namespace.fd });
    this.#links();
    this.#switches();
    for (const family of [4, 6] as const) this.#routes(family);
  }

  #batch(lines: readonly string[], ...words: string[]): void {
    // What a kernel does not take is left out: the picture is taken from what it has.
    this.namespace.runWith(`${lines.join("\n")}\n`, "ip", ...words, "-force", "-batch", "-");
  }

  #links(): void {
    const { random } = this;
    const up = LINKS.filter((name) => name !== "v3" || random.chance(0.7));
    this.#batch([
      ...LINKS.map((name, k) => `link add ${name} index ${10 + k} type veth peer name w${k} index ${20 + k}`),
      ...LINKS.flatMap((name, k) => [`link set ${name} addrgenmode none`, `link set w${k} addrgenmode none`]),
      ...LINKS.map((name, k) => `link set w${k} ${name === WITHOUT_CARRIER ? "down" : "up"}`),
      ...up.map((name) => `link set ${name} up`),
      ...LINKS.flatMap((name, k) => [
        `addr add 10.9.${k}.1/24 dev ${name}`,
        `addr add fd00:${k}::1/64 dev ${name} nodad`,
        ...(random.chance(0.4)
          ? [`addr add 10.9.${k}.2/24 dev ${name}`, `addr add fd00:${k}::2/64 dev ${name} nodad`]
          : []),
        ...(random.chance(0.3)
          ? [`addr add 10.77.${k}.1/24 dev ${name}`, `addr add 2001:db8:7${k}::1/64 dev ${name} nodad`]
          : []),
      ]),
      "addr add 10.99.0.1/32 dev lo",
      "addr add fd99::1/128 dev lo",
      "link set v1 group 7",
      ...[0, 1, 3].flatMap((k) =>
        [9, 10].flatMap((end) =>
          ([4, 6] as const).flatMap((family) => {
            const state = random.pick(["", "", "permanent", "failed", "stale"]);
            const where = `dev v${k} lladdr 02:00:00:00:0${k}:${end}`;
            return state === "" ? [] : [`neigh add ${gateway(family, k, end)} ${where} nud ${state}`];
          }),
        ),
      ),
    ]);
  }

  #switches(): void {
    const { random } = this;
    const set = (path: string, value: number): { path: string; value: string } => ({ path, value: String(value) });
    sysctl(this.namespace.fd, [
      set("net/ipv4/ip_forward", random.below(2)),
      set("net/ipv6/conf/all/forwarding", random.below(2)),
      set("net/ipv4/conf/all/rp_filter", random.pick([0, 0, 0, 1, 2])),
      set("net/ipv4/conf/all/src_valid_mark", random.below(2)),
      set("net/ipv4/conf/all/accept_local", random.pick([0, 0, 1])),
      set("net/ipv4/conf/all/ignore_routes_with_linkdown", random.pick([0, 0, 1])),
      set("net/ipv4/fib_multipath_use_neigh", random.pick([0, 0, 1])),
      ...LINKS.flatMap((name) => [
        set(`net/ipv4/conf/${name}/rp_filter`, random.pick([0, 0, 1, 2])),
        set(`net/ipv4/conf/${name}/ignore_routes_with_linkdown`, random.pick([0, 1])),
        set(`net/ipv6/conf/${name}/ignore_routes_with_linkdown`, random.pick([0, 1])),
      ]),
    ]);
  }

  #routes(family: Family): void {
    const tables = [254, ...this.ruleTables];
    const lines = tables.flatMap((table) =>
      Array.from({ length: table === 254 ? 6 : 1 + this.random.below(4) }, () => this.#route(family, table)).flat(),
    );
    this.#batch(withoutRepeatedSources(lines), `-${family}`);
  }

  #route(family: Family, table: number): string[] {
    const { random } = this;
    // An IPv6 route that is appended becomes a hop of the one that is there, with marks of its own that no listing tells.
    const words = [family === 4 && random.chance(0.3) ? "route append" : "route add"];
    const hop = (): string => `via ${gateway(family, random.below(4), random.pick([9, 10]))}`;
    const kind = random.below(12);
    const type = kind === 0 ? random.pick(["unreachable", "prohibit", "blackhole", "throw"]) : "";
    words.push(`${type} ${random.pick(PREFIXES[family])}`.trim());
    if (family === 6 && random.chance(0.15))
      words.push(`from ${random.pick(["fd00:0::/32", "fd00:1::/64", "fd00::/16"])}`);
    if (family === 4 && random.chance(0.15)) words.push(`tos ${random.pick(["0x08", "0x10"])}`);
    words.push(`table ${table}`);
    if (random.chance(0.4)) words.push(`metric ${random.pick([1, 10, 1024, 2000])}`);
    if (family === 6 && random.chance(0.2) && type === "") words.push(`pref ${random.pick(["low", "high"])}`);
    if (type !== "") return [words.join(" ")];
    if (random.chance(0.2)) words.push(`src ${SOURCES[family][random.below(2)]}`);
    if (kind < 4) words.push(hop());
    else if (kind < 6)
      words.push(`dev ${random.pick(LINKS)}${family === 4 && random.chance(0.3) ? " scope link" : ""}`);
    else if (kind < 9) {
      const lines = this.#object(family);
      return [...lines, [...words, `nhid ${this.#lastObject}`].join(" ")];
    } else {
      const hops = Array.from({ length: 2 + random.below(2) }, () => `nexthop ${hop()} weight ${1 + random.below(3)}`);
      words.push([...new Set(hops)].join(" "));
    }
    return [words.join(" ")];
  }

  #lastObject = 0;

  /**
   * Commands that make a nexthop object. Each route has its own: IPv6 routes that share one share what the kernel
   * remembers of the first that was used, its prefix too (rt6i_pcpu of struct fib6_nh).
   */
  #object(family: Family): string[] {
    const { random } = this;
    const add = (words: string): string => `nexthop add id ${++this.#lastObject} ${words}`;
    const kind = random.below(8);
    if (kind === 0) return [add("blackhole")];
    const single = (): string => {
      const k = random.pick([0, 1, 3]);
      return add(`via ${gateway(family, k, random.pick([9, 10]))} dev v${k}`);
    };
    if (kind < 4) return [single()];
    const members = [single(), single()];
    const group = `group ${this.#lastObject - 1}/${this.#lastObject},3`;
    return [...members, add(kind < 6 ? group : `${group} type resilient buckets 8 idle_timer 60`)];
  }

  /** Tables of the random rules, one each. */
  readonly ruleTables: readonly number[] = Array.from({ length: 14 }, (_, i) => 1000 + i);

  /** Adds the random rules. Until then the rules are those that every kernel starts with. */
  async addRules(): Promise<void> {
    const requests = ([4, 6] as const).flatMap((family) =>
      this.ruleTables.map((table, i): Request => {
        const message = ruleToMessage(this.#rule(family, table, 100 + i * 10));
        return { object: "rule", type: "new", flags: VERB.create, message };
      }),
    );
    await this.socket.perform(requests);
  }

  #rule(family: Family, table: number, priority: number): RuleSpec {
    const { random } = this;
    const action = random.below(14);
    const base: RuleSpec = {
      family,
      priority,
      protocol: 4,
      action: "table",
      ...(random.chance(0.12) ? { not: true } : {}),
      ...this.#selectors(family),
    };
    if (action === 0) return { ...base, action: random.pick(["unreachable", "prohibit", "blackhole"] as const) };
    if (action === 1) return { ...base, action: "nop" };
    if (action === 2) return { ...base, action: "goto", goto: priority + random.pick([10, 20, 30, 35]) };
    return {
      ...base,
      table,
      ...(random.chance(0.2) ? { suppressPrefixLength: random.pick([0, 8, 16, 24, 32]) } : {}),
      ...(random.chance(0.1) ? { suppressGroup: random.pick([0, 7]) } : {}),
    };
  }

  #selectors(family: Family): Partial<RuleSpec> {
    const { random } = this;
    const from =
      family === 4
        ? ["10.9.0.0/16", "10.9.0.1/32", "10.50.0.0/16", "0.0.0.0/8"]
        : ["fd00::/16", "fd00:0::1/128", "2001:db8::/32"];
    const all: (() => Partial<RuleSpec>)[] = [
      () => ({ from: random.pick(from) }),
      () => ({ to: random.pick(PREFIXES[family].slice(1)) }),
      () => ({ iif: random.pick(["lo", "lo", "v0", "v1", "gone0"]) }),
      () => ({ oif: random.pick(["v0", "v1", "v2", "gone0"]) }),
      () => ({ mark: random.pick([1, 2, 3]), ...(random.chance(0.5) ? { mask: random.pick([1, 3]) } : {}) }),
      () => ({
        uids: random.pick([
          { first: 0, last: 0 },
          { first: 0, last: this.#maxUid },
          { first: this.#maxUid, last: this.#maxUid },
        ]),
      }),
      () => ({ tos: random.pick([0x08, 0x10]) }),
      () => ({ dscp: random.pick([2, 4, 46]) }),
      () => ({ ipProtocol: random.pick([6, 17]) }),
      () => ({ ipProtocol: 17, sourcePorts: { first: 1000, last: 2000 } }),
      () => ({
        ipProtocol: 6,
        destinationPorts: random.pick([
          { first: 80, last: 80 },
          { first: 1, last: 1000 },
        ]),
      }),
      () => ({ tunnelId: "7" }),
    ];
    const count = random.pick([0, 1, 1, 1, 2, 2, 3]);
    return Object.assign({}, ...Array.from({ length: count }, () => random.pick(all)())) as Partial<RuleSpec>;
  }

  /** Takes a picture once the kernel has made the local routes of all IPv6 addresses, which it does by and by. */
  async picture(): Promise<HostPicture> {
    for (;;) {
      const picture = await takePicture({ root: "/nonexistent", wishes: WISHES, namespace: this.namespace.fd });
      const local = new Set(picture.routes.filter(({ type }) => type === "local").map(({ to }) => to));
      const ready = picture.links
        .filter(({ up, carrier }) => up && carrier)
        .every(({ addresses }) => addresses.every((spec) => spec.family === 4 || local.has(`${hostOf(spec)}/128`)));
      if (ready) return picture;
    }
  }

  /** A packet that the kernel can be asked about. */
  packet(): Packet {
    const { random } = this;
    const family = random.pick([4, 6] as const);
    const forwarded = random.chance(0.3);
    const ipProtocol = random.pick([undefined, 6, 17]);
    const from = forwarded
      ? random.pick(FOREIGN[family])
      : random.chance(0.45)
        ? random.pick(SOURCES[family])
        : undefined;
    return {
      to: random.pick(DESTINATIONS[family]),
      ...(from === undefined ? {} : { from }),
      ...(forwarded ? { iif: random.pick(LINKS.slice(0, 2)) } : {}),
      ...(!forwarded && random.chance(0.25) ? { oif: random.pick(["v0", "v1", "v2", "v3"]) } : {}),
      ...(random.chance(0.5) ? { mark: random.pick([0, 1, 2, 3]) } : {}),
      uid: forwarded ? 0 : random.pick([0, this.#maxUid]),
      ...(random.chance(0.4) ? { tos: random.pick([0x08, 0x10, 0xb8, 0x28]) } : {}),
      ...(ipProtocol === undefined
        ? {}
        : { ipProtocol, sourcePort: random.pick([1500, 3000]), destinationPort: random.pick([80, 500, 5000]) }),
    };
  }

  [Symbol.dispose](): void {
    this.socket.close();
    this.namespace[Symbol.dispose]();
  }
}
