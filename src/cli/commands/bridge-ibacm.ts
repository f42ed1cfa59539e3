// Owns `heddle bridge ibacm`: the hosts on Ethernet as ibacm wants to be told where addresses are.
import { askDoor, bridgeSocket } from "../bridge-door.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import type { BridgeStatus } from "../../rdma/run/status.ts";
import { openStore } from "../session.ts";
import { NO_BRIDGE } from "./bridge.ts";

/** An address, and the port on InfiniBand that packets to it go to. */
export interface PortOfAddress {
  address: string;
  gid: string;
}

/**
 * Writes the file that ibacm reads at its start with `addr_preload acm_hosts` (acmp_parse_hosts_file in rdma-core's
 * ibacm/prov/acmp/src/acmp.c): an address and a GID on each line.
 */
export async function ibacmAddresses(context: Context): Promise<ExitCode> {
  const store = await openStore(context);
  const bridges = await askDoor(bridgeSocket(store.runFolder, store.cookie));
  if (bridges === undefined) return context.fail([NO_BRIDGE]);
  const addresses = bridges.flatMap(portsOfAddresses);
  if (context.options.json) context.sayJson({ addresses, diagnostics: [] });
  else context.say(addresses.map(({ address, gid }) => `${address} ${gid}\n`).join(""));
  return EXIT.ok;
}

/** Hosts that the file has registered, wherever they are but on InfiniBand, and others that are found on Ethernet. */
function portsOfAddresses({ infiniband, messages }: BridgeStatus): PortOfAddress[] {
  if (messages === undefined) return [];
  const stated = messages.registered.filter(({ state }) => state !== "elsewhere").map(({ address }) => address);
  const found = messages.hosts.filter(({ side, state }) => side === "ethernet" && state === "found");
  const all = new Set([...stated, ...found.map(({ address }) => address)]);
  return [...all].map((address) => ({ address, gid: infiniband.gid }));
}
