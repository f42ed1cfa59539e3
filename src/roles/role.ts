// Owns what a role is: a schema for its section of the file, and a pure function from that to kernel objects.
import type { ZodMiniType } from "zod/mini";
import type { Claim } from "../model/claim.ts";
import type { Outcome, SourceRange } from "../model/diagnostic.ts";
import type { Features, LinkFact } from "../model/facts.ts";
import type { AddressSpec } from "../model/kinds.ts";
import type { Wanted } from "../model/objects.ts";
import type { OwnerNames, Owners } from "../model/owners.ts";
import type { ProbeWish, SegmentWish, Signal } from "../model/signals.ts";

/** Claim of the one table that a section is about: it is called as the section is. No link can be called so. */
export const OWN_TABLE = ":table";

/** One section of the file, with the places of everything in it. */
export interface Section<Value = unknown> {
  /** The role: "multihome". */
  role: string;
  /** The instance: "ib". */
  name: string;
  value: Value;
  /** The place of a key or an item below the section: `at("links", 0)`. Falls back to the nearest one above. */
  at(...path: (string | number)[]): SourceRange;
}

/** What a role sees of the host when it decides. Plain and serialisable. */
export interface View {
  /** With the addresses that the file puts on them, and without those that it no longer does. */
  links: readonly LinkFact[];
  /** By claim name, the drawn (first) number. */
  tables: Readonly<Record<string, number>>;
  priorities: Readonly<Record<string, number>>;
  nexthops: Readonly<Record<string, number>>;
  /** Numbers of bits, counted from 0. */
  marks: Readonly<Record<string, number>>;
  /** Names that rt_tables gives to tables. */
  tableNames: Readonly<Record<string, number>>;
  /** Users, groups and control groups that the file names and the host knows. */
  owners: Owners;
  features: Features;
  /** Links with a default route that a router told of (RFC 4861). */
  routedByRa: readonly string[];
  /** What those that watch have told of late; rows that are too old to be believed are not among them. */
  signals: readonly Signal[];
}

/** What a role reads besides heddle.yaml. */
export interface RoleFiles<Value> {
  /** The files that a section names, each with where it does: `["routes_from", 0]`. */
  named(value: Value): { name: string; path: (string | number)[] }[];
  /** The section with what stands in the files, in the same order. Diagnostics name them by `file`. */
  take(value: Value, texts: readonly { file: string; text: string }[]): Outcome<Value>;
}

/** What of the host is found out only where a section cares for it. */
export type AskedFeature = "tcPrograms" | "packetFilters" | "frameLinks" | "nftables";

/** A plug-in: what one section of the file means. Roles do not know each other. */
export interface Role<Value = unknown> {
  name: string;
  /** One sentence for `heddle schema` and the manual. */
  about: string;
  schema: ZodMiniType<Value>;
  /** What its sections may be called; absent means any name. */
  sectionName?: ZodMiniType<string, string>;
  /** Files beside heddle.yaml that a section names, and what becomes of their texts. */
  files?: RoleFiles<Value>;
  /** The addresses that the section puts on links, in their order: every role sees the links with them. */
  addresses?(section: Section<Value>): AddressSpec[];
  /** Whom the section names: they are looked up before anything is decided. Absent for roles to which nobody matters. */
  names?(section: Section<Value>): OwnerNames;
  /** The numbers that it draws, given the links that are there. */
  claims(section: Section<Value>, links: readonly LinkFact[]): Claim[];
  /** What of the host has to be found out for the section, because it takes time. Absent means nothing. */
  features?(section: Section<Value>): AskedFeature[];
  /** Whether the section only works while the agent runs, which watches what is no kernel object. Absent means never. */
  needsAgent?(section: Section<Value>): boolean;
  /** What has to be asked again and again, because its answers decide what the section asks for. */
  watches?(section: Section<Value>, view: View): ProbeWish[];
  /** Two links between whose segments the hosts of one subnet are looked for, because where they are decides what the section asks for. */
  segments?(section: Section<Value>): SegmentWish | undefined;
  /** The kernel objects that the section asks for. */
  desire(section: Section<Value>, view: View): Outcome<Wanted[]>;
}
