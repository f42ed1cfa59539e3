// Owns a host that is not here: its facts in the place of a kernel. It can be looked at and not changed.
import type { HostFacts } from "../model/host-facts.ts";
import type { Kind } from "../model/kinds.ts";
import type { Observed, Snapshot } from "../model/objects.ts";
import type { Host, KindDriver } from "./host.ts";
import { chainsOfTransit } from "./packet-filters.ts";

/** The host of a facts file. `snapshot` is what its picture holds. */
export function factsHost({ picture, owners }: HostFacts, snapshot: Snapshot): Host {
  const byKind = Map.groupBy(snapshot.observed, ({ kind }) => kind);
  const driver = <K extends Kind>(kind: K): KindDriver<K> => ({
    list: async (_links, { sysctls }) => {
      const all = (byKind.get(kind) ?? []) as Observed<K>[];
      if (kind !== "sysctl") return all;
      const wanted = new Set(sysctls.map((path) => `sysctl ${path}`));
      return all.filter(({ key }) => wanted.has(key));
    },
    perform: () => {
      throw new Error("a host that is only known by its facts cannot be changed");
    },
  });
  return {
    links: async () => snapshot.links,
    tableNames: async () => picture.tableNames,
    owners: async () => owners,
    countSockets: async () => ({}),
    // A kernel that does not tell is taken to be a usual one.
    canMarkSockets: async () => picture.features["bpf-cgroup"] !== false,
    canSpread: async () => picture.features["bpf-tc"] !== false,
    hasNftables: async () => picture.features.nftables !== false,
    packetFilters: async () => picture.chains && chainsOfTransit(picture.chains),
    frameLinks: async () => undefined,
    drivers: {
      sysctl: driver("sysctl"),
      address: driver("address"),
      neighbour: driver("neighbour"),
      nexthop: driver("nexthop"),
      route: driver("route"),
      rule: driver("rule"),
      nftTable: driver("nftTable"),
      cgroupProgram: driver("cgroupProgram"),
      tcProgram: driver("tcProgram"),
    },
    close: () => {},
  };
}
