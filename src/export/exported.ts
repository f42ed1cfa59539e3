// Owns the nouns of an export: the formats, what one is made of, the files that come out.
import type { LinkFact } from "../model/facts.ts";
import type { Family } from "../model/ip.ts";
import type { DesiredState } from "../model/objects.ts";
import type { NamedTable } from "../plan/name-tables.ts";
import type { Numbers } from "../plan/numbers.ts";

/** What routing can be exported as, in the order in which the manual tells of them. */
export const EXPORT_FORMATS = ["iproute2", "networkd", "netplan", "networkmanager", "ifupdown"] as const;

/** One of them. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** One file of an export. */
export interface ExportedFile {
  /** Absolute, as it is to stand on the host. */
  path: string;
  /** Permission bits. */
  mode: number;
  /** Ends with a newline. */
  text: string;
}

/** What of the host's own configuration an export joins, where there is some. */
export interface SiteFiles {
  /** By link: the .network file that networkd uses for it, as an absolute path. */
  networkd: Readonly<Record<string, string>>;
  /** By link: where netplan's files define it. */
  netplan: Readonly<Record<string, NetplanDefinition>>;
  /** By link: the IP versions that interfaces(5) has stanzas for. */
  ifupdown: Readonly<Record<string, readonly Family[]>>;
  /** By IPoIB link: how packets are sent. */
  ipoibModes: Readonly<Record<string, "datagram" | "connected">>;
}

/** A definition in netplan's files: `network: { <section>: { <id>: … } }`. */
export interface NetplanDefinition {
  section: string;
  id: string;
}

/** Everything that an export is made from. */
export interface ExportInput {
  want: DesiredState;
  /** The links with the addresses that the file puts on them. */
  links: readonly LinkFact[];
  tables: readonly NamedTable[];
  numbers: Numbers;
  /** Path of the heddle.yaml, for the comment that each file opens with. */
  origin: string;
  site: SiteFiles;
}
