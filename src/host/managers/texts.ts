// Owns the reading of what network managers write about links: networkd's and NetworkManager's state, interfaces(5),
// netplan's YAML. Text in, data out; what cannot be understood says nothing.
import { parse } from "yaml";
import type { LinkFact } from "../../model/facts.ts";
import type { Family } from "../../model/ip.ts";

/** networkd's state of a link (/run/systemd/netif/links/<index>): the file that it configures it by, unless it leaves it alone. */
export function networkdFile(text: string): string | undefined {
  const settings = new Map(text.split("\n").map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]));
  const state = settings.get("ADMIN_STATE");
  if (state === undefined || state === "unmanaged" || state === "linger") return undefined;
  return settings.get("NETWORK_FILE");
}

/** NetworkManager's state of a device (/run/NetworkManager/devices/<index>): whether it has a connection of its own there. */
export function isNetworkManagers(text: string): boolean {
  return /^managed=(?:true|1)$/m.test(text) && /^connection-uuid=\S/m.test(text);
}

/** By link: the IP versions that interfaces(5) has stanzas for. */
export function stanzasOfInterfaces(text: string): Record<string, Family[]> {
  const found: Record<string, Family[]> = {};
  for (const line of text.split("\n")) {
    const [, link, family] = /^\s*iface\s+(\S+)\s+(inet6?)\s/.exec(`${line} `) ?? [];
    if (link !== undefined) (found[link] ??= []).push(family === "inet6" ? 6 : 4);
  }
  return found;
}

/** Where netplan defines a link. */
export interface NetplanPlace {
  section: string;
  id: string;
}

/** Sections of `network` in netplan's YAML that define links (netplan-yaml(5)). */
const SECTIONS = ["ethernets", "modems", "wifis", "bridges", "bonds", "tunnels", "vlans", "vrfs", "dummy-devices"];

/** By link: where one of netplan's files defines it. A file that is no YAML is netplan's to complain about. */
export function netplanPlaces(text: string, links: readonly LinkFact[]): Record<string, NetplanPlace> {
  let file: unknown;
  try {
    file = parse(text, { maxAliasCount: 100, logLevel: "silent" });
  } catch {
    return {};
  }
  const found: Record<string, NetplanPlace> = {};
  const network = fieldsOf(fieldsOf(file)["network"]);
  for (const section of SECTIONS) {
    for (const [id, definition] of Object.entries(fieldsOf(network[section]))) {
      const link = linkOf(id, fieldsOf(definition), links);
      if (link !== undefined) found[link] = { section, id };
    }
  }
  return found;
}

/** The link that a definition is of: by the name that it gives, by what it matches, or by its own name. */
function linkOf(id: string, definition: Record<string, unknown>, links: readonly LinkFact[]): string | undefined {
  if (typeof definition["set-name"] === "string") return definition["set-name"];
  if (definition["match"] === undefined) return id;
  const { name, macaddress } = fieldsOf(definition["match"]);
  if (typeof name === "string" && !/[*?[\]]/.test(name)) return name;
  if (typeof macaddress !== "string") return undefined;
  return links.find(({ hardwareAddress }) => hardwareAddress === macaddress.toLowerCase())?.name;
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
}
