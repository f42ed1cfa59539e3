// Owns the text of keepalived.conf(5): keepalived is to tell who is active, and to do nothing about it.
//
// keepalived adds its addresses before it tells anybody, and does not wait. So the addresses that matter are not its:
// heddle puts them on the links when the state of connections is there (docs/adr/0080). A virtual router without any
// address is refused, and VRRP wants one in its packets: each gets one of the host's own loopback, which nobody asks for.
import { familyOf } from "../model/ip.ts";
import type { Family } from "../model/ip.ts";
import type { GatewaySetup, ShareSetup } from "./setup.ts";

/** Where keepalived finds what it works with; absolute paths without blanks and quotes. */
export interface KeepalivePaths {
  /** It writes changes of state here. */
  fifo: string;
  /** A program that ends with 0 while heddle is alive, and the file that it looks at. */
  alive: string;
  beat: string;
  /** Of a share: what is added to its priority. */
  weight(share: string): string;
}

/** The whole file. Names of links and addresses have been checked: none has a blank, a quote or a brace. */
export function keepalivedFile(setups: readonly GatewaySetup[], paths: KeepalivePaths): string {
  return [
    "# Written by heddle; changes are lost.",
    ...block("global_defs", [
      "vrrp_version 3",
      `vrrp_notify_fifo ${paths.fifo}`,
      "script_user root",
      "enable_script_security",
      // A busy machine must not look like a dead one.
      "vrrp_rt_priority 50",
      "vrrp_no_swap",
    ]),
    ...block("vrrp_script alive", [
      `script "${paths.alive} ${paths.beat}"`,
      "interval 1",
      "timeout 2",
      "fall 1",
      "rise 1",
      "init_fail",
    ]),
    ...setups.flatMap((setup) => setup.shares.flatMap((share) => shareBlocks(setup, share, paths))),
    "",
  ].join("\n");
}

function shareBlocks(setup: GatewaySetup, share: ShareSetup, paths: KeepalivePaths): string[] {
  const sides = ["inside", "outside"] as const;
  return [
    ...block(`track_file ${share.name}`, [`file ${paths.weight(share.name)}`, "weight 1"]),
    ...block(`vrrp_sync_group ${share.name}`, [
      ...block(
        "group",
        sides.map((side) => `${share.name}-${side}`),
      ),
      // One place goes with the other, and what lowers the priority lowers both.
      "sync_group_tracking_weight",
      ...block("track_file", [share.name]),
      ...block("track_script", ["alive"]),
    ]),
    ...sides.flatMap((side, index) =>
      block(`vrrp_instance ${share.name}-${side}`, [
        "state BACKUP",
        `interface ${setup[side]}`,
        `virtual_router_id ${share.id}`,
        `priority ${share.priority}`,
        `advert_int ${setup.intervalMs / 1000}`,
        `unicast_src_ip ${setup.self[side]}`,
        // An IPoIB interface forgets its multicast groups when the subnet manager changes; unicast does not need them.
        ...block(
          "unicast_peer",
          setup.peers.map((peer) => peer[side]),
        ),
        ...block("virtual_ipaddress", [placeholder(share.id, index + 1, familyOf(setup.self[side]))]),
      ]),
    ),
  ];
}

/** The address of a virtual router: of the IP version of its adverts, and of the first rank there (RFC 5798 section 5.2.9). */
function placeholder(id: number, side: number, family: Family): string {
  return family === 4 ? `127.72.${id}.${side}/32 dev lo scope host` : `fe80::72:${id}:${side}/128 dev lo`;
}

function block(head: string, lines: readonly string[]): string[] {
  return [`${head} {`, ...lines.map((line) => `  ${line}`), "}"];
}
