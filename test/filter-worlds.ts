// Owns random nftables rules in a network namespace with links and policy routing, and random packets through them, each of
// which is followed by what it is once it leaves or is delivered.
import type { Packet } from "../src/explain/packet.ts";
import { WISHES } from "../src/explain/wishes.ts";
import { parseChains } from "../src/host/picture/chains.ts";
import { takePicture } from "../src/host/picture/read.ts";
import type { Family } from "../src/model/ip.ts";
import { canonicalAddress, familyOf } from "../src/model/ip.ts";
import type { HostPicture } from "../src/model/picture.ts";
import { rulesFor } from "./filter-rules.ts";
import { TestNamespace } from "./namespace.ts";
import { Random } from "./random.ts";

const LINKS = ["a0", "b0", "c0"] as const;

/** What was seen of a packet behind all other chains. */
export interface SeenPacket {
  at: "out" | "in";
  link: string;
  from: string;
  to: string;
  mark: number;
  dscp: number;
  port: number;
}

/** Every packet has a source port of its own, which translations keep, since nobody else has it: by that it is known. */
const LEAST_PORT = 20_000;

const TO: Readonly<Record<Family, readonly string[]>> = {
  4: ["192.0.2.1", "192.0.2.77", "198.51.100.9", "10.1.0.9", "10.2.0.1"],
  6: ["2001:db8:1::1", "2001:db8:2::77", "2001:db9::9", "fd00:1::9", "fd00:2::1"],
};
const FROM: Readonly<Record<Family, readonly string[]>> = {
  4: ["10.0.0.1", "10.1.0.1", "10.2.0.1"],
  6: ["fd00::1", "fd00:1::1", "fd00:2::1"],
};
const FOREIGN: Readonly<Record<Family, readonly string[]>> = {
  4: ["203.0.113.5", "172.16.3.4"],
  6: ["2a00::5", "2001:db8:ff::4"],
};

/** Sends UDP packets of sockets, in order; each is what --json describes. Prints nothing. */
const SEND = `
import json, socket, sys
for p in json.loads(sys.argv[1]):
    six = ":" in p["to"]
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 36, p["mark"])
    s.setsockopt(41 if six else 0, 67 if six else 1, p["tos"])
    if p["oif"]: s.setsockopt(socket.SOL_SOCKET, 25, p["oif"].encode())
    s.bind((p["from"] or ("::" if six else "0.0.0.0"), p["sport"]))
    try: s.sendto(b"x", (p["to"], p["dport"]))
    except OSError: pass
    s.close()
`;

/** Puts frames on a link as a host there would, in order and from one processor, and a marker behind them. */
const INJECT = `
import json, os, socket, struct, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
def checksum(b):
    if len(b) % 2: b += b"\\0"
    n = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    while n >> 16: n = (n & 65535) + (n >> 16)
    return ~n & 65535
def frame(p):
    six = ":" in p["to"]
    kind = socket.AF_INET6 if six else socket.AF_INET
    source, to = socket.inet_pton(kind, p["from"]), socket.inet_pton(kind, p["to"])
    if p.get("marker"): proto, body = 254, b""
    else:
        body = b"x"
        n = 8 + len(body)
        udp = struct.pack("!HHHH", p["sport"], p["dport"], n, 0)
        c = checksum(source + to + struct.pack("!IHBB", n, 0, 0, 17) + udp + body) or 65535
        proto, body = 17, udp[:6] + struct.pack("!H", c) + body
    if six: head = struct.pack("!IHBB", 6 << 28 | p["tos"] << 20, len(body), proto, 64) + source + to
    else:
        head = struct.pack("!BBHHHBBH", 69, p["tos"], 20 + len(body), 7, 0, 64, proto, 0) + source + to
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return bytes.fromhex(p["mac"]) + bytes.fromhex("020000000009") + struct.pack("!H", 0x86dd if six else 0x800) + head + body
s = {}
for p in json.loads(sys.argv[1]):
    link = p["link"]
    if link not in s:
        s[link] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s[link].bind((link, 0))
    s[link].send(frame(p))
`;

/** nft 1.0.6 puts the wrong bits of an IPv6 header into sets, and compares the right ones. */
const DSCP_AS_MARK = [
  "meta nfproto ipv6 meta mark set 0",
  ...[4, 46].map((dscp) => `ip6 dscp ${dscp} meta mark set ${dscp}`),
].join("\n");

/** What sees packets behind all others, and the marker before all others. nft lists at most five parts of an element. */
const SEEN = `table inet seen {
${(["out", "in"] as const)
  .flatMap((at) =>
    ([4, 6] as const).map(
      (version) => `
  set ${at}${version} { type inet_service . iface_index . ipv${version}_addr . ipv${version}_addr . mark; flags dynamic; size 4096; }
  set more_${at}${version} { type inet_service . ${version === 4 ? "dscp" : "mark"} . inet_service; flags dynamic; size 4096; }`,
    ),
  )
  .join("")}
  counter marker { }
  chain begin { type filter hook prerouting priority -1000; meta l4proto 254 counter name marker drop; }
  chain out {
    type filter hook postrouting priority 1000;
    oifname "lo" return
    update @out4 { udp sport . oif . ip saddr . ip daddr . meta mark } update @more_out4 { udp sport . ip dscp . udp dport }
    update @out6 { udp sport . oif . ip6 saddr . ip6 daddr . meta mark }
    ${DSCP_AS_MARK}
    update @more_out6 { udp sport . meta mark . udp dport }
  }
  chain in {
    type filter hook input priority 1000;
    update @in4 { udp sport . iif . ip saddr . ip daddr . meta mark } update @more_in4 { udp sport . ip dscp . udp dport }
    update @in6 { udp sport . iif . ip6 saddr . ip6 daddr . meta mark }
    ${DSCP_AS_MARK}
    update @more_in6 { udp sport . meta mark . udp dport }
  }
}`;

/** A host with three links, and another one at their far ends. */
export class FilterWorld implements Disposable {
  readonly near = new TestNamespace();
  readonly far = new TestNamespace();
  readonly random: Random;
  #sent = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    for (const [k, link] of LINKS.entries()) {
      const far = `/proc/${process.pid}/fd/${this.far.fd}`;
      const mac = `address 02:00:00:00:0${k}:01`;
      this.near.ip(`link add ${link} ${mac} type veth peer name ${link} netns ${far}`);
      this.near.ip(`link set ${link} addrgenmode none`);
      this.far.run("sysctl", "-qw", `net.ipv6.conf.${link}.disable_ipv6=1`);
      this.far.ip(`link set ${link} up`);
      this.near.ip(`link set ${link} up`);
      this.near.addAddress(link, `10.${k}.0.1/24`);
      this.near.addAddress(link, `fd00:${k}::1/64`);
      for (const gateway of [`10.${k}.0.9`, `fd00:${k}::9`]) {
        this.near.ip(`neigh add ${gateway} lladdr 02:00:00:00:00:09 dev ${link} nud permanent`);
      }
    }
    this.near.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1");
    for (const name of ["all", "default", ...LINKS])
      this.near.run("sysctl", "-qw", `net.ipv4.conf.${name}.rp_filter=0`);
    for (const [family, gateway] of [
      ["-4", "10.K.0.9"],
      ["-6", "fd00:K::9"],
    ] as const) {
      const via = (k: number): string => `via ${gateway.replace("K", String(k))} dev ${LINKS[k]}`;
      this.near.ip(`${family} route add default ${via(0)}`);
      this.near.ip(`${family} route add default ${via(1)} table 101`);
      this.near.ip(`${family} route add default ${via(2)} table 102`);
      this.near.ip(`${family} route add unreachable default table 103`);
      this.near.ip(`${family} rule add priority 10 fwmark 1/0xf lookup 101`);
      this.near.ip(`${family} rule add priority 20 fwmark 2/0xf lookup 102`);
      this.near.ip(`${family} rule add priority 30 fwmark 3/0xf lookup 103`);
      this.near.ip(`${family} rule add priority 40 dsfield 0x10 lookup 102`);
      if (this.random.chance(0.5)) this.near.ip(`${family} rule add priority 50 ipproto udp dport 53 lookup 101`);
    }
    const { tables, rules } = rulesFor(this.random);
    this.near.run("nft", `${SEEN}\n${tables}\n`);
    this.#addRules(rules);
  }

  /** Adds those of the rules that nft takes: it shows all that it does not, and does nothing then. */
  #addRules(rules: readonly string[]): void {
    let left = rules;
    for (;;) {
      try {
        this.near.run("sh", "-c", 'exec nft "$1" 2>&1', "sh", left.join("\n"));
        return;
      } catch (error) {
        const shown = new Set(String((error as { stdout?: unknown }).stdout).split("\n"));
        const good = left.filter((rule) => !shown.has(rule));
        if (good.length === left.length) throw error;
        left = good;
      }
    }
  }

  /** A picture, with the rules of nftables. */
  async picture(): Promise<HostPicture> {
    const picture = await takePicture({ root: "/nonexistent", wishes: WISHES, namespace: this.near.fd });
    const seen = parseChains(this.near.run("nft", "-j", "list", "ruleset"));
    if (!("ruleset" in seen) || !seen.ruleset) throw new Error("nft did not list its rules");
    // What only looks is left out.
    return { ...picture, ruleset: seen.ruleset.filter((row) => Object.values(row)[0]?.["table"] !== "seen") };
  }

  packet(): Packet {
    const { random } = this;
    const family = random.pick([4, 6] as const);
    const common = {
      to: random.pick(TO[family]),
      ipProtocol: 17,
      sourcePort: LEAST_PORT + this.#sent++,
      destinationPort: random.pick([9, 53, 4000]),
      tos: random.pick([0, 0, 0x10, 0xb8]),
    };
    if (random.chance(0.35)) return { ...common, from: random.pick(FOREIGN[family]), iif: random.pick(LINKS) };
    return {
      ...common,
      uid: 0,
      gid: 0,
      mark: random.pick([0, 0, 1, 2, 0x12]),
      ...(random.chance(0.3) ? { from: random.pick(FROM[family]) } : {}),
      ...(random.chance(0.1) ? { oif: random.pick(LINKS) } : {}),
    };
  }

  /** Sends the packets, and tells of each what was seen of it last; undefined where it was dropped. */
  async send(packets: readonly Packet[]): Promise<(SeenPacket | undefined)[]> {
    const described = packets.map((packet) => ({
      to: packet.to,
      from: packet.from ?? "",
      mark: packet.mark ?? 0,
      tos: packet.tos ?? 0,
      oif: packet.oif ?? "",
      sport: packet.sourcePort,
      dport: packet.destinationPort,
      link: packet.iif ?? "",
      mac: `02000000${String(LINKS.indexOf((packet.iif ?? "a0") as "a0")).padStart(2, "0")}01`,
    }));
    this.near.run("python3", "-c", SEND, JSON.stringify(described.filter(({ link }) => link === "")));
    const marker = { to: "10.0.0.1", from: "203.0.113.9", tos: 0, link: "a0", mac: "020000000001", marker: true };
    const coming = [...described.filter(({ link }) => link !== ""), marker];
    this.far.run("python3", "-c", INJECT, JSON.stringify(coming));
    while (!/packets [1-9]/.test(this.near.run("nft", "list", "counter", "inet", "seen", "marker"))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const [incoming, outgoing] = [this.#list("in"), this.#list("out")];
    return packets.map((packet) => {
      const key = `${familyOf(packet.to)} ${packet.sourcePort}`;
      return incoming.get(key) ?? outgoing.get(key);
    });
  }

  #list(at: "in" | "out"): Map<string, SeenPacket> {
    const found = new Map<string, SeenPacket>();
    for (const family of [4, 6] as const) {
      const more = new Map(this.#elements(`more_${at}${family}`).map(([id, ...rest]) => [id, rest]));
      for (const [id, link, from, to, mark] of this.#elements(`${at}${family}`)) {
        const [dscp, port] = more.get(id) ?? [];
        found.set(`${family} ${String(id)}`, {
          at,
          link: String(link),
          from: canonicalAddress(String(from)) ?? "",
          to: canonicalAddress(String(to)) ?? "",
          mark: Number(mark),
          dscp: Number(dscp),
          port: Number(port),
        });
      }
    }
    return found;
  }

  #elements(set: string): unknown[][] {
    const text = this.near.run("nft", "-j", "-n", "list", "set", "inet", "seen", set);
    const { nftables } = JSON.parse(text) as { nftables: { set?: { elem?: { concat: unknown[] }[] } }[] };
    return nftables.flatMap((row) => row.set?.elem ?? []).map(({ concat }) => concat);
  }

  [Symbol.dispose](): void {
    this.near[Symbol.dispose]();
    this.far[Symbol.dispose]();
  }
}
