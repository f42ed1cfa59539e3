// Owns the question who looks at packets on their way through this host: chains of nftables (iptables of today among
// them) and tables of the old iptables, which a packet that takes a short cut would pass by.
import { readFileSync } from "node:fs";
import type { PictureChain } from "../model/picture.ts";
import { HostError } from "./error.ts";
import type { NamespaceFd } from "./native.ts";
import { OWN_NAMESPACE } from "./native.ts";
import { runNft } from "./nftables/process.ts";
import { parseChains } from "./picture/chains.ts";

/** Hooks that packets on their way through come by. */
const HOOKS: ReadonlySet<string> = new Set(["prerouting", "forward", "postrouting", "ingress"]);

/** "inet filter forward": those of the chains that packets on their way through come by. */
export function chainsOfTransit(chains: readonly PictureChain[]): string[] {
  return chains.filter(({ hook }) => HOOKS.has(hook)).map(({ family, table, name }) => `${family} ${table} ${name}`);
}

/** Names of the tables that the old iptables has loaded, where its module is. */
const LEGACY = ["ip_tables_names", "ip6_tables_names"];

/** "inet filter forward": one for each chain and table; undefined where that cannot be told. */
export async function listPacketFilters(namespace: NamespaceFd): Promise<string[] | undefined> {
  try {
    const answer = await runNft(namespace, ["-j"], "list chains");
    const seen = "text" in answer ? parseChains(answer.text) : undefined;
    if (!seen || !("chains" in seen)) return undefined;
    return [...chainsOfTransit(seen.chains), ...legacyTables(namespace)];
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}

/** "iptables filter": the tables of the old iptables. Only the namespace of the process itself shows them. */
export function legacyTables(namespace: NamespaceFd): string[] {
  if (namespace !== OWN_NAMESPACE) return [];
  return LEGACY.flatMap((file) => {
    try {
      const names = readFileSync(`/proc/thread-self/net/${file}`, "utf8").split("\n");
      return names.filter((name) => name !== "").map((name) => `iptables ${name}`);
    } catch {
      return [];
    }
  });
}
