// Owns the question which network managers a host, or an image, has the programs of.
import { join } from "node:path";
import type { ManagerName } from "../../model/manager.ts";
import { isThere } from "../picture/files.ts";

const PROGRAMS: Readonly<Record<ManagerName, readonly string[]>> = {
  networkd: ["/usr/lib/systemd/systemd-networkd", "/lib/systemd/systemd-networkd"],
  networkmanager: ["/usr/sbin/NetworkManager", "/usr/bin/NetworkManager"],
  ifupdown: ["/usr/sbin/ifup", "/sbin/ifup"],
};

const DISPATCHER = ["/usr/bin/networkd-dispatcher", "/usr/sbin/networkd-dispatcher"];

/** The managers whose programs are below the root, and whether networkd's hooks are run by networkd-dispatcher. */
export async function presentManagers(root: string): Promise<{ present: ManagerName[]; dispatcher: boolean }> {
  const names = Object.keys(PROGRAMS) as ManagerName[];
  const found = await Promise.all(names.map((name) => anyOf(root, PROGRAMS[name])));
  return { present: names.filter((_, i) => found[i]), dispatcher: await anyOf(root, DISPATCHER) };
}

async function anyOf(root: string, paths: readonly string[]): Promise<boolean> {
  const found = await Promise.all(paths.map((path) => isThere(join(root, path))));
  return found.includes(true);
}
