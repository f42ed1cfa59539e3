// Owns the checks of gateways that stand in for each other, however they were set up: keepalived, conntrackd, translation.
//
// Sources: RFC 5798 (a virtual router is known by its number on a segment); keepalived.conf(5); conntrackd.conf(5);
// Documentation/networking/nf_conntrack-sysctl.rst.
import { familyOf, isIpAddress, isPrivateAddress } from "../../model/ip.ts";
import type { HostPicture } from "../../model/picture.ts";
import { blocksOf, readBraces, wordOf } from "../braces.ts";
import type { Block } from "../braces.ts";
import type { Check, Finding } from "../finding.ts";
import { heardRouters } from "./heard-routers.ts";
import { CONNTRACKD_FILE, IPTABLES_FILES, KEEPALIVED_FILE, NFTABLES_FILES } from "../paths.ts";

/** A table that is so full is soon too small. */
const FULL = 0.8;

/** What can tell an instance that it had better not be the master. */
const TRACKS = ["track_interface", "track_script", "track_process", "track_file", "track_bfd"];

export const gateways: Check = {
  codes: [
    "vrrp-same-id",
    "vrrp-interval",
    "vrrp-no-uplink",
    "vrrp-masquerade",
    "sync-public",
    "conntrack-loose",
    "conntrack-full",
  ],
  find(picture) {
    const keepalived = readBraces(picture.files[KEEPALIVED_FILE] ?? "");
    const instances = blocksOf(keepalived, "vrrp_instance");
    return [
      ...sameId(instances),
      ...heardRouters(picture, instances),
      ...intervals(keepalived, instances),
      ...noUplink(keepalived, instances),
      ...noUplinkAsked(picture),
      ...(instances.length > 0 ? masquerade(picture) : []),
      ...publicSync(picture),
      ...(instances.length > 0 || CONNTRACKD_FILE in picture.files ? loose(picture) : []),
      ...full(picture),
    ];
  },
};

function nameOf({ words }: Block): string {
  return words[1] ?? "without a name";
}

function sameId(instances: readonly Block[]): Finding[] {
  const byPlace = Map.groupBy(
    instances,
    (one) => `${wordOf(one, "interface") ?? "?"} ${wordOf(one, "virtual_router_id") ?? "?"}`,
  );
  return [...byPlace].flatMap(([place, same]): Finding[] => {
    const [link, id] = place.split(" ");
    if (same.length < 2 || link === "?" || id === "?") return [];
    return [
      {
        code: "vrrp-same-id",
        severity: "error",
        summary: `${same.length} virtual routers on ${link} have the number ${id}`,
        found: same.map((one) => `${KEEPALIVED_FILE}: vrrp_instance ${nameOf(one)}`),
        consequence:
          "To every router of the segment they are one: each takes the other's adverts for its own, and addresses come and go.",
        remedy: {
          text: "Give each virtual router of a segment a virtual_router_id of its own, on all of its members.",
        },
      },
    ];
  });
}

function intervals(file: readonly Block[], instances: readonly Block[]): Finding[] {
  return blocksOf(file, "vrrp_sync_group").flatMap((group): Finding[] => {
    const names = blocksOf(group.inside, "group").flatMap(({ inside }) => inside.flatMap(({ words }) => words));
    const members = instances.filter((one) => names.includes(nameOf(one)));
    const found = new Set(members.map((one) => Number(wordOf(one, "advert_int") ?? 1)));
    if (found.size < 2) return [];
    return [
      {
        code: "vrrp-interval",
        severity: "warning",
        summary: `virtual routers of the group ${nameOf(group)} have different intervals`,
        found: members.map(
          (one) => `vrrp_instance ${nameOf(one)}: advert_int ${wordOf(one, "advert_int") ?? "1 (the default)"}`,
        ),
        consequence:
          "They move together, so that a takeover takes as long as the slowest of them, on one side of the gateway after the other.",
        remedy: {
          text: "Write one advert_int for all members of the group, and the same on all gateways: VRRP 2 drops adverts with another one.",
        },
      },
    ];
  });
}

function noUplink(file: readonly Block[], instances: readonly Block[]): Finding[] {
  const groups = blocksOf(file, "vrrp_sync_group");
  const tracks = (block: Block): boolean => TRACKS.some((keyword) => blocksOf(block.inside, keyword).length > 0);
  const blind = instances.filter((one) => {
    const group = groups.find(({ inside }) =>
      blocksOf(inside, "group").some(({ inside: names }) => names.some(({ words }) => words.includes(nameOf(one)))),
    );
    const others = group
      ? blocksOf(group.inside, "group").flatMap(({ inside }) => inside.flatMap(({ words }) => words))
      : [];
    return !tracks(one) && !(group && tracks(group)) && others.length < 2;
  });
  if (blind.length === 0) return [];
  return [
    {
      code: "vrrp-no-uplink",
      severity: "warning",
      summary: "keepalived watches nothing but the link of its virtual address",
      found: blind.map(
        (one) =>
          `vrrp_instance ${nameOf(one)} on ${wordOf(one, "interface") ?? "no interface"}: no track_interface, track_script or sync group`,
      ),
      consequence:
        "A gateway whose other link or router is gone stays master, and what is sent to it is lost for good.",
      remedy: {
        text: "Track the outside link and a target behind it, or leave the work to the role `gateway`, which does: docs/roles/gateway.md.",
      },
    },
  ];
}

/** The same of heddle's own. */
function noUplinkAsked({ configured }: HostPicture): Finding[] {
  const blind = (configured?.sections ?? []).filter(({ failover }) => failover?.uplink === false);
  return blind.map(({ section }): Finding => ({
    code: "vrrp-no-uplink",
    severity: "warning",
    summary: `${section} does not ask whether it reaches the world`,
    found: [`${configured?.file}: ${section} has \`failover\` without \`uplink\``],
    consequence:
      "A gateway whose links are up while the router behind them is gone stays active, and what is sent to it is lost.",
    remedy: {
      text: "Name targets outside of which it has to reach one: its router by ping, better something behind that: `uplink: [140.181.2.1, tcp://192.0.2.1:443]`.",
    },
  }));
}

function masquerade({ files }: HostPicture): Finding[] {
  const found = [...NFTABLES_FILES, ...IPTABLES_FILES].filter((path) => /\bmasquerade\b/i.test(files[path] ?? ""));
  if (found.length === 0) return [];
  return [
    {
      code: "vrrp-masquerade",
      severity: "warning",
      summary: "the gateway moves, and the address that connections appear under does not",
      found: found.map((path) => `${path} has masquerade, and ${KEEPALIVED_FILE} moves an address`),
      consequence:
        "Every gateway translates to an address of its own: when another one takes over, the world goes on sending answers to the first, and all connections end.",
      remedy: {
        text: "Translate to an address that moves with the gateway, and synchronise connections, as the role `gateway` does with `failover`: docs/roles/gateway.md.",
      },
    },
  ];
}

function publicSync({ files }: HostPicture): Finding[] {
  const file = readBraces(files[CONNTRACKD_FILE] ?? "");
  const channels = ["UDP", "TCP", "Multicast"].flatMap((name) => blocksOf(file, name));
  const found = channels.flatMap((channel) =>
    ["IPv4_address", "IPv4_interface", "IPv4_Destination_Address"].flatMap((key) => {
      const address = wordOf(channel, key);
      const isMulticast = address !== undefined && /^2(2[4-9]|3\d)\./.test(address);
      if (address === undefined || isMulticast || !isIpAddress(address) || familyOf(address) !== 4) return [];
      return isPrivateAddress(address) ? [] : [`${CONNTRACKD_FILE}: ${key} ${address}`];
    }),
  );
  if (found.length === 0) return [];
  return [
    {
      code: "sync-public",
      severity: "error",
      summary: "connections are synchronised over addresses that the world can reach",
      found,
      consequence:
        "What is sent there says who talks to whom. It is neither encrypted nor authenticated, and whoever can send to it writes into the table of connections.",
      remedy: { text: "Synchronise over a private network, best over a cable of its own." },
    },
  ];
}

function loose({ sysctls }: HostPicture): Finding[] {
  if (sysctls["net/netfilter/nf_conntrack_tcp_loose"] !== "1") return [];
  return [
    {
      code: "conntrack-loose",
      severity: "note",
      summary: "connections that this gateway knows nothing of are picked up in the middle",
      found: ["net.netfilter.nf_conntrack_tcp_loose = 1"],
      consequence:
        "After a takeover, connections in which the client speaks seem to survive without any synchronisation, while those in which the server speaks die: a test with the first kind shows nothing.",
      remedy: {
        text: "To see whether synchronisation works, try a takeover with it off; in normal times it rescues what got lost.",
        commands: ["sysctl -w net.netfilter.nf_conntrack_tcp_loose=0"],
      },
    },
  ];
}

function full({ sysctls }: HostPicture): Finding[] {
  const count = Number(sysctls["net/netfilter/nf_conntrack_count"] ?? 0);
  const most = Number(sysctls["net/netfilter/nf_conntrack_max"] ?? 0);
  if (most === 0 || count < most * FULL) return [];
  return [
    {
      code: "conntrack-full",
      severity: "warning",
      summary: `the table of connections is ${Math.floor((count / most) * 100)} % full`,
      found: [`net.netfilter.nf_conntrack_count = ${count}`, `net.netfilter.nf_conntrack_max = ${most}`],
      consequence:
        "When it is full, packets of new connections are dropped; a gateway that takes over has its own connections and those of the other one.",
      remedy: {
        text: "Make room for the connections of all gateways together, with four connections for each bucket at most, or keep this host's own traffic out of it (`untracked`).",
        commands: [
          `sysctl -w net.netfilter.nf_conntrack_buckets=${Math.ceil(most / 2)}`,
          `sysctl -w net.netfilter.nf_conntrack_max=${most * 2}`,
        ],
      },
    },
  ];
}
