// Owns the text of conntrackd.conf(5): what connections there are goes to the other gateways' kernels as it changes.
import { familyOf } from "../model/ip.ts";
import { syncAddressOf } from "../roles/gateway/failover.ts";
import type { GatewaySetup } from "./setup.ts";

/** Ports of the synchronisation: between two, and among several. */
const PORT = { pair: 3780, group: 3781 } as const;
/** Where several meet: administratively scoped (RFC 2365), or on the link (RFC 4291); never routed. */
const GROUP = { 4: "239.72.37.80", 6: "ff02::7237:80" } as const;

/** Bytes of socket buffers. The kernel's default loses events when thousands of connections begin at once. */
const SOCKET_BYTES = 8 * 1024 * 1024;
const NETLINK_BYTES = { first: 8 * 1024 * 1024, most: 64 * 1024 * 1024 };

/** Where conntrackd finds what it works with; absolute paths without blanks and quotes. */
export interface ConntrackPaths {
  lock: string;
  control: string;
}

/** Whether two gateways keep count of what the other has got, which several cannot. */
export function isPair({ peers }: GatewaySetup): boolean {
  return peers.length === 1;
}

/**
 * The whole file. States go straight into the kernel (DisableExternalCache), so that there is nothing to be done about
 * them when a gateway becomes active. Two of them acknowledge what they get (FTFW); conntrackd can do that with one peer
 * only, so several tell each other by multicast, and what gets lost comes with the next whole update. After an overrun of
 * its events conntrackd would read its kernel's table and give it to the others by itself; from one that stands by that is
 * old news (docs/adr/0082-who-synchronises.md), so heddle has whoever is active do it. `ignored` are
 * addresses of this host's own, whose connections stay with it; `mostConnections` is what the kernel has room for.
 */
export function conntrackdFile(
  setup: GatewaySetup,
  ignored: readonly string[],
  mostConnections: number,
  paths: ConntrackPaths,
): string {
  const own = syncAddressOf(setup.self);
  const version = familyOf(own);
  const [peer] = setup.peers;
  const buffers = [`SndSocketBuffer ${SOCKET_BYTES}`, `RcvSocketBuffer ${SOCKET_BYTES}`, "Checksum on"];
  const pair = isPair(setup) && peer;
  const channel = pair
    ? block("UDP", [
        `IPv${version}_address ${own}`,
        `IPv${version}_Destination_Address ${syncAddressOf(peer)}`,
        `Port ${PORT.pair}`,
        `Interface ${setup.syncLink}`,
        ...buffers,
      ])
    : block("Multicast", [
        `IPv${version}_address ${GROUP[version]}`,
        `Group ${PORT.group}`,
        // Of IPv6, the interface is told by its name.
        ...(version === 4 ? [`IPv4_interface ${own}`] : []),
        `Interface ${setup.syncLink}`,
        ...buffers,
      ]);
  return [
    "# Written by heddle; changes are lost.",
    ...block("Sync", [
      ...block(pair ? "Mode FTFW" : "Mode NOTRACK", ["DisableExternalCache On"]),
      ...channel,
      // Windows are not synchronised: the kernel then takes what comes in a connection that came from elsewhere.
      ...block("Options", ["TCPWindowTracking Off", "ExpectationSync On"]),
    ]),
    ...block("General", [
      `HashSize ${Math.max(1024, Math.ceil(mostConnections / 4))}`,
      `HashLimit ${mostConnections * 2}`,
      "LogFile Off",
      "Syslog Off",
      `LockFile ${paths.lock}`,
      ...block("UNIX", [`Path ${paths.control}`]),
      `NetlinkBufferSize ${NETLINK_BYTES.first}`,
      `NetlinkBufferSizeMaxGrowth ${NETLINK_BYTES.most}`,
      "NetlinkOverrunResync Off",
      "NetlinkEventsReliable Off",
      ...block("Filter From Userspace", [
        ...block(
          "Address Ignore",
          ["127.0.0.1", "::1", ...ignored].map((address) => `IPv${familyOf(address)}_address ${address}`),
        ),
      ]),
    ]),
    "",
  ].join("\n");
}

function block(head: string, lines: readonly string[]): string[] {
  return [`${head} {`, ...lines.map((line) => `  ${line}`), "}"];
}
