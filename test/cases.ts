// Owns tests that are folders: a case is a folder of files, the last of which holds what is expected.
//
// Adding a case needs no code. HEDDLE_UPDATE_CASES=1 writes the expectations anew; read the difference before you
// commit it.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { Diagnostic } from "../src/model/diagnostic.ts";
import type { Facts, LinkFact } from "../src/model/facts.ts";
import { familyOf } from "../src/model/ip.ts";
import type { AddressSpec } from "../src/model/kinds.ts";
import { noOwners } from "../src/model/owners.ts";
import type { Owners } from "../src/model/owners.ts";

const UPDATE = process.env["HEDDLE_UPDATE_CASES"] === "1";

/** One folder of a case. */
export interface Case {
  directory: string;
  /** Text of a file of the case. */
  text(file: string): string;
  /** A YAML file of the case as a value; undefined where there is none. */
  yaml(file: string): unknown;
}

/** Makes a test of every folder below `cases`: `actual` must equal what the file `expected` of the folder holds. */
export function testCases(cases: string, expected: string, actual: (one: Case) => unknown): void {
  mkdirSync(cases, { recursive: true });
  const names = readdirSync(cases, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  if (names.length === 0) throw new Error(`there are no cases in ${cases}`);
  for (const { name } of names) {
    test(name, () => {
      const directory = join(cases, name);
      const text = (file: string): string => readFileSync(join(directory, file), "utf8");
      const yaml = (file: string): unknown => {
        const entries = readdirSync(directory);
        return entries.includes(file) ? (parse(text(file)) as unknown) : undefined;
      };
      const found = actual({ directory, text, yaml });
      const path = join(directory, expected);
      const written = typeof found === "string" ? found : stringify(found, { lineWidth: 0 });
      if (UPDATE) writeFileSync(path, written);
      expect(written).toBe(readFileSync(path, "utf8"));
    });
  }
}

/** A diagnostic on one line: severity, code, place, summary. */
export function diagnosticLine({ severity, code, range, summary }: Diagnostic): string {
  const place = range ? `${range.start.line}:${range.start.column}` : "-";
  return `${severity} ${code} ${place}: ${summary}`;
}

interface ShortLink extends Partial<Omit<LinkFact, "addresses" | "name">> {
  addresses?: (string | (Partial<AddressSpec> & { address: string }))[];
}

interface ShortFacts {
  links: Record<string, ShortLink>;
  tables?: number[];
  priorities?: number[];
  nexthops?: number[];
  own?: Partial<Facts["own"]>;
  marks?: number[];
  tableNames?: Record<string, number>;
  owners?: Partial<Owners>;
  features?: Partial<Facts["features"]>;
  routedByRa?: string[];
  signals?: Facts["signals"];
}

/** Facts from their short form: links by name, with what differs from an ordinary Ethernet link that is up. */
export function factsFrom(value: unknown): Facts {
  const { links, tables = [], priorities = [], nexthops = [], marks = [], ...rest } = value as ShortFacts;
  const { own = {}, tableNames = {}, owners = {}, features = {}, routedByRa = [], signals = [] } = rest;
  return {
    links: linksFrom(links),
    inUse: { tables, priorities, nexthops, marks },
    own: { addresses: [], nexthops: [], ...own },
    tableNames,
    owners: { ...noOwners(), ...owners },
    features: { ipv6: true, socketMarks: true, tcPrograms: true, ...features },
    routedByRa,
    signals,
  };
}

/** Links from their short form. */
export function linksFrom(links: Record<string, ShortLink>): LinkFact[] {
  return Object.entries(links).map(([name, short], i): LinkFact => {
    const { addresses = [], ...rest } = short;
    return {
      name,
      index: i + 2,
      type: "ether",
      up: true,
      carrier: true,
      mtu: 1500,
      ...rest,
      addresses: addresses.map((entry): AddressSpec => {
        const given = typeof entry === "string" ? { address: entry } : entry;
        return { family: familyOf(given.address), link: name, scope: "global", ...given };
      }),
    };
  });
}
