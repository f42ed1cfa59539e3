// Owns the start of the real systemd-networkd on a stage.
import type { ManagerStage, Running } from "./manager-stage.ts";

/** Starts networkd, which goes on until it is stopped. What it says is what it complains of, and more. */
export async function startNetworkd(stage: ManagerStage): Promise<Running> {
  stage.must("mkdir", "-p", "/run/systemd/netif/links", "/run/systemd/netif/leases", "/run/systemd/netif/lldp");
  return stage.start("/usr/lib/systemd/systemd-networkd", [], {
    SYSTEMD_LOG_LEVEL: "info",
    SYSTEMD_LOG_TARGET: "console",
  });
}

/** Lines in which networkd says that it takes something otherwise than it is written. */
export function complaints(said: string): string[] {
  return said
    .split("\n")
    .filter((line) => /ignoring|failed|could not/i.test(line) && !/receive buffer size/.test(line));
}
