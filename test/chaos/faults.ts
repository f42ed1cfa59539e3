// Owns the faults of the network: what can happen to links, addresses, rules, routes, nexthops, neighbours, tables and
// switches. Each is drawn from a seed, and says in iproute2's words what it does.
import type { Random } from "../random.ts";
import { LINKS } from "./world.ts";
import type { ForeignThing, ManagedLink, World } from "./world.ts";

/** One thing that goes wrong. */
export interface Fault {
  text: string;
  /** What it takes from others, which their owners put back when the burst is over. */
  takes?: readonly ForeignThing[];
  do: (world: World) => Promise<unknown>;
}

/** Makes a fault of one sort. */
export type Draw = (random: Random) => Fault;

/** Commands of `ip` as a fault. */
function ip(family: 4 | 6, lines: readonly string[], takes?: readonly ForeignThing[]): Fault {
  const text = `ip -${family} ${lines.join("; ")}`;
  return { text, ...(takes ? { takes } : {}), do: (world) => world.ip(family, ...lines) };
}

function nft(words: string, takes?: readonly ForeignThing[]): Fault {
  return { text: `nft ${words}`, ...(takes ? { takes } : {}), do: (world) => world.inside("nft", ...words.split(" ")) };
}

/** Addresses that the file puts on the links. */
const ADDRESSES = [
  [4, "172.16.34.1/16", "ib0"],
  [4, "172.16.34.2/16", "ib1"],
  [6, "fd00:16::1/64", "ib0"],
  [4, "172.20.0.1/16", "sp0"],
  [4, "172.20.0.2/16", "sp1"],
] as const;
const TABLES = ["77", "7000", "7001", "7002", "7003", "7004", "7005", "7006"];
const NEXTHOPS = ["7000", "7001", "7008", "7009", "7010"];
/** Routes of the file, and where a rival of each would lead. */
const ROUTES = ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"];
/** Switches of links that the file asks for. */
const SWITCHES = [
  ...["ib0", "ib1"].flatMap((name) => ["arp_ignore", "arp_announce", "rp_filter"].map((key) => [name, key] as const)),
  ...["sp0", "sp1"].flatMap((name) => ["arp_announce", "rp_filter"].map((key) => [name, key] as const)),
];
const AWAY = "away";
const wholeLink: readonly ForeignThing[] = ["links"];

const link = (random: Random): ManagedLink => random.pick(LINKS);
const family = (random: Random): 4 | 6 => (random.chance(0.6) ? 4 : 6);

async function remake(world: World, name: ManagedLink, between: () => Promise<unknown>): Promise<void> {
  await world.lab.setLink("worker", name, "removed", { wait: false });
  await between();
  await world.lab.setLink("worker", name, "replugged", { wait: false });
}

/** The sorts, each as often as it is worth. */
export const NETWORK_FAULTS: readonly { weight: number; draw: Draw }[] = [
  // Links.
  { weight: 4, draw: (random) => flap(link(random)) },
  { weight: 3, draw: (random) => ip(4, [`link set ${link(random)} down`], wholeLink) },
  { weight: 3, draw: (random) => ip(4, [`link set ${link(random)} up`]) },
  { weight: 3, draw: (random) => carrier(link(random), random.chance(0.5)) },
  { weight: 2, draw: (random) => anew(link(random)) },
  { weight: 2, draw: (random) => renamed(link(random), random.chance(0.5)) },
  { weight: 1, draw: () => ip(4, ["link set gw0 down", "link set gw0 up"]) },
  { weight: 1, draw: (random) => ip(4, [`link set ${link(random)} mtu ${1400 + random.below(100)}`]) },
  // Addresses.
  { weight: 4, draw: (random) => addressGone(random) },
  { weight: 2, draw: (random) => addressGone(random, true) },
  { weight: 2, draw: (random) => ip(family(random), [`addr flush dev ${link(random)} scope global`], wholeLink) },
  { weight: 1, draw: () => ip(4, ["addr add 192.0.2.99/24 dev eth0", "addr del 192.0.2.99/24 dev eth0"]) },
  // Rules.
  { weight: 4, draw: (random) => ip(4, [`rule del from 172.16.34.${1 + random.below(2)}`]) },
  { weight: 3, draw: (random) => ip(family(random), [`rule del table ${random.pick(TABLES)}`]) },
  { weight: 3, draw: (random) => ip(family(random), ["rule flush"], ["rules"]) },
  {
    weight: 2,
    draw: () =>
      ip(4, [
        "rule del from 10.9.0.0/16 table 77 priority 500",
        "rule add from 10.9.0.0/16 table 78 priority 500 protocol 72",
      ]),
  },
  // Routes.
  { weight: 4, draw: (random) => ip(4, [`route del ${random.pick(ROUTES)} table 77`]) },
  { weight: 3, draw: (random) => ip(family(random), [`route flush table ${random.pick(TABLES)}`]) },
  { weight: 2, draw: (random) => ip(family(random), ["route flush table all proto 72"]) },
  { weight: 2, draw: () => ip(4, ["route change 10.3.0.0/16 dev ib0 table 77 proto 72"]) },
  { weight: 2, draw: (random) => rival(random.pick(ROUTES)) },
  { weight: 1, draw: () => ip(4, ["route del 10.4.0.0/16"]) },
  // Nexthops and neighbours.
  { weight: 3, draw: (random) => ip(4, [`nexthop del id ${random.pick(NEXTHOPS)}`]) },
  { weight: 2, draw: () => ip(4, ["nexthop flush"], ["nexthops"]) },
  { weight: 2, draw: () => ip(4, ["neigh del 172.16.0.8 dev ib0"]) },
  { weight: 2, draw: () => ip(4, ["neigh replace 172.16.0.8 lladdr 02:00:00:00:00:77 dev ib0 nud reachable"]) },
  { weight: 1, draw: () => ip(4, ["neigh flush all nud permanent"], ["neighbours"]) },
  // Tables of nftables.
  { weight: 3, draw: (random) => nft(`delete table inet heddle-egress-${random.pick(["old", "out"])}`) },
  { weight: 1, draw: () => nft("flush chain inet heddle-egress-out edges") },
  { weight: 2, draw: () => nft("flush ruleset", ["nft"]) },
  { weight: 2, draw: () => nft("flush chain inet heddle-egress-old mark") },
  { weight: 2, draw: () => nft("add rule inet heddle-egress-old source accept") },
  { weight: 2, draw: () => nft("delete table ip heddle-gateway-nat") },
  // Switches.
  { weight: 2, draw: (random) => switched(random.pick(["gw0", "eth0"]), "forwarding", 0) },
  { weight: 4, draw: (random) => switched(...random.pick(SWITCHES), random.below(3)) },
  {
    weight: 1,
    draw: () => sysctlsOfHost("net.ipv4.ip_forward=1", "net.ipv4.ip_forward=0"),
  },
  // Noise of others, more than a socket holds.
  { weight: 1, draw: () => storm() },
];

function flap(name: ManagedLink): Fault {
  return ip(4, [`link set ${name} down`, `link set ${name} up`], wholeLink);
}

function carrier(name: ManagedLink, isUp: boolean): Fault {
  const state = isUp ? "up" : "down";
  return { text: `the cable of ${name} ${state}`, takes: wholeLink, do: (world) => world.switchPort(name, state) };
}

function anew(name: ManagedLink): Fault {
  return {
    text: `${name} is deleted and made anew`,
    takes: wholeLink,
    do: (world) => remake(world, name, () => world.ip(4, "link show")).then(() => world.ip(4, `link set ${name} up`)),
  };
}

function renamed(name: ManagedLink, back: boolean): Fault {
  const lines = [`link set ${name} down`, `link set ${name} name ${AWAY}-${name}`, `link set ${AWAY}-${name} up`];
  return ip(4, back ? [...lines, ...renamedBack(name)] : lines, wholeLink);
}

/** A link gets its name back; an error where it has it, which does not matter. */
export function renamedBack(name: ManagedLink): string[] {
  return [`link set ${AWAY}-${name} down`, `link set ${AWAY}-${name} name ${name}`, `link set ${name} up`];
}

function addressGone(random: Random, back = false): Fault {
  const [version, address, on] = random.pick(ADDRESSES);
  const lines = [
    `addr del ${address} dev ${on}`,
    ...(back ? [`addr add ${address} ${version === 4 ? "brd + " : "nodad "}dev ${on}`] : []),
  ];
  return ip(version, lines, wholeLink);
}

/** Somebody puts a route of their own where one of ours was, and takes it away again: theirs has to be there still. */
function rival(to: string): Fault {
  return {
    text: `a rival route to ${to} comes and goes`,
    do: async (world) => {
      const theirs = `${to} dev eth0 table 77 proto static`;
      const { stderr } = await world.ip(4, `route replace ${theirs}`);
      if (stderr !== "") return;
      await world.ip(4, "route show table 77");
      const gone = await world.ip(4, `route del ${theirs}`);
      if (gone.stderr !== "") throw new Error(`somebody took the rival route to ${to} away: ${gone.stderr}`);
    },
  };
}

function switched(name: string, key: string, value: number): Fault {
  const words = `net.ipv4.conf.${name}.${key}=${value}`;
  return { text: `sysctl ${words}`, do: (world) => world.inside("sysctl", "-qw", words) };
}

/** Switches of the whole host, which the kernel sets all links by. */
function sysctlsOfHost(...words: string[]): Fault {
  return { text: `sysctl ${words.join(" ")}`, do: (world) => world.inside("sysctl", "-qw", ...words) };
}

function storm(): Fault {
  const all = Array.from({ length: 2000 }, (_, i) => `10.210.${i >> 8}.${i & 255}`);
  const lines = [
    ...all.map((to) => `route add ${to} dev eth0 table 77`),
    ...all.map((to) => `route del ${to} dev eth0 table 77`),
  ];
  return { text: "2000 routes of others come and go in table 77", do: (world) => world.ip(4, ...lines) };
}
