// Owns the question which network manager has which link of this host.
import type { LinkFact } from "../../model/facts.ts";
import type { Family } from "../../model/ip.ts";
import type { ManagerName } from "../../model/manager.ts";
import { readNames, readText } from "../picture/files.ts";
import { isNetworkManagers, netplanPlaces, networkdFile, stanzasOfInterfaces } from "./texts.ts";
import type { NetplanPlace } from "./texts.ts";

/** What managers say of the links. */
export interface Managers {
  /** By link: the one that configures it. Absent where nobody says so. */
  ofLink: Record<string, ManagerName>;
  /** By link: the .network file that networkd uses for it. */
  networkd: Record<string, string>;
  /** By link: where netplan defines it, in files other than heddle's own. */
  netplan: Record<string, NetplanPlace>;
  /** By link: the IP versions that interfaces(5) has stanzas for, in files other than heddle's own. */
  ifupdown: Record<string, Family[]>;
}

/** netplan's directories, later ones winning (netplan-generate(8)). */
const NETPLAN_DIRECTORIES = ["/lib/netplan", "/etc/netplan", "/run/netplan"];

/** Reads what the managers keep about the links below a root. What is not there or cannot be read says nothing. */
export async function readManagers(links: readonly LinkFact[], root = "/"): Promise<Managers> {
  const managers: Managers = { ofLink: {}, networkd: {}, netplan: {}, ifupdown: {} };
  for (const path of ["/etc/network/interfaces", ...(await within(root, "/etc/network/interfaces.d"))]) {
    if (path.endsWith("/heddle")) continue;
    for (const [link, families] of Object.entries(stanzasOfInterfaces(await textOf(root, path)))) {
      (managers.ifupdown[link] ??= []).push(...families);
    }
  }
  for (const { name, index } of links) {
    const file = networkdFile(await textOf(root, `/run/systemd/netif/links/${index}`));
    if (file !== undefined) managers.networkd[name] = file;
    if (file !== undefined) managers.ofLink[name] = "networkd";
    else if (isNetworkManagers(await textOf(root, `/run/NetworkManager/devices/${index}`))) {
      managers.ofLink[name] = "networkmanager";
    } else if (Object.hasOwn(managers.ifupdown, name)) managers.ofLink[name] = "ifupdown";
  }
  for (const directory of NETPLAN_DIRECTORIES) {
    for (const path of await within(root, directory)) {
      if (!path.endsWith(".yaml") || path.endsWith("/90-heddle.yaml")) continue;
      Object.assign(managers.netplan, netplanPlaces(await textOf(root, path), links));
    }
  }
  return managers;
}

async function within(root: string, directory: string): Promise<string[]> {
  return (await readNames(root, directory)).map((name) => `${directory}/${name}`);
}

async function textOf(root: string, path: string): Promise<string> {
  const text = await readText(root, path);
  return typeof text === "string" ? text : "";
}
