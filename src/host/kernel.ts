// Owns the real host: this kernel, in the process's network namespace or in another one.
import type { LinkFact } from "../model/facts.ts";
import type { Host } from "./host.ts";
import { listFrameLinks } from "./bpf/frame-links.ts";
import { addressDriver } from "./kinds/address-driver.ts";
import { canMarkSockets, cgroupProgramDriver } from "./kinds/cgroup-program-driver.ts";
import { linkFromMessage } from "./kinds/facts-message.ts";
import { neighbourDriver } from "./kinds/neighbour-driver.ts";
import { routeDriver, ruleDriver } from "./kinds/netlink-drivers.ts";
import { nexthopDriver } from "./kinds/nexthop-driver.ts";
import { sysctlDriver } from "./kinds/sysctl-driver.ts";
import { canSpread, tcProgramDriver } from "./kinds/tc-program-driver.ts";
import { driverNames, OWN_NAMESPACE } from "./native.ts";
import type { NamespaceFd } from "./native.ts";
import type { AddressMessage } from "./netlink/address.ts";
import { openRouteSocket } from "./netlink/client.ts";
import type { RouteSocket } from "./netlink/client.ts";
import { nftTableDriver } from "./nftables/driver.ts";
import { ownersLookUp } from "./owners.ts";
import { listPacketFilters } from "./packet-filters.ts";
import { countSockets } from "./sockets/marked-sockets.ts";
import { readTableNames } from "./table-names.ts";

/** How a host is used. */
export interface HostOptions {
  /**
   * Asked for each batch of new IPv6 addresses: whether to wait until they are usable (a second or two). Who does not
   * wait hears from the kernel when they are. Absent means yes.
   */
  awaitsProbes?: () => boolean;
}

/** Opens the kernel of a network namespace, which the caller keeps open. Throws HostError. */
export function openHost(namespace: NamespaceFd = OWN_NAMESPACE, options: HostOptions = {}): Host {
  const socket = openRouteSocket({ namespace });
  const nftTable = nftTableDriver(namespace);
  return {
    port: socket.port,
    links: (signal) => listLinks(socket, namespace, signal),
    tableNames: () => readTableNames(),
    owners: ownersLookUp(),
    countSockets: (program) => countSockets(namespace, program),
    canMarkSockets: async () => canMarkSockets(),
    canSpread: async () => canSpread(),
    hasNftables: () => nftTable.canMake(),
    packetFilters: () => listPacketFilters(namespace),
    frameLinks: () => listFrameLinks(socket, namespace),
    drivers: {
      sysctl: sysctlDriver(namespace),
      address: addressDriver(socket, namespace, options.awaitsProbes),
      neighbour: neighbourDriver(socket),
      nexthop: nexthopDriver(socket),
      route: routeDriver(socket),
      rule: ruleDriver(socket),
      nftTable,
      cgroupProgram: cgroupProgramDriver(namespace),
      tcProgram: tcProgramDriver(namespace),
    },
    close: () => {
      socket.close();
      nftTable.close();
    },
  };
}

async function listLinks(socket: RouteSocket, namespace: NamespaceFd, signal?: AbortSignal): Promise<LinkFact[]> {
  const messages = await socket.listLinks(signal);
  const addresses = Map.groupBy(await socket.listAddresses({}, signal), (address: AddressMessage) => address.index);
  const askable = messages.map(({ name = "" }) => (isText(name) ? name : ""));
  const drivers = driverNames(namespace, askable);
  const names = new Map(messages.map(({ index, name }) => [index, name ?? `#${index}`]));
  return messages.map((message, i) => linkFromMessage(message, addresses.get(message.index) ?? [], drivers[i], names));
}

/** Whether a name came through decoding whole: one that is not UTF-8 cannot be said back to the kernel. */
function isText(name: string): boolean {
  return !name.includes("\uFFFD");
}
