// Owns facts files as text: what they must hold before anything is made of them, and what is said of one that does not.
import * as z from "zod/mini";
import { pathText } from "../config/issues.ts";
import { readYaml } from "../config/yaml.ts";
import type { Outcome, SourceRange } from "../model/diagnostic.ts";
import { FACTS_VERSION } from "../model/host-facts.ts";
import type { HostFacts } from "../model/host-facts.ts";
import { canonicalAddress, parsePrefix } from "../model/ip.ts";
import { noOwners } from "../model/owners.ts";
import { gatewayRow, probeRow } from "./signal-rows.ts";

/** Larger texts are refused unread, in UTF-16 code units: a host of a hundred thousand routes has 20 million. */
export const MAX_FACTS_LENGTH = 256 * 1024 * 1024;

const family = z.union([z.literal(4), z.literal(6)]);
const number = z.number().check(z.int(), z.minimum(0), z.maximum(4294967295));
const name = z.string().check(z.minLength(1), z.maxLength(255));
const prefix = z.string().check(z.refine((text) => parsePrefix(text) !== undefined, "is no prefix"));
const address = z.string().check(z.refine((text) => canonicalAddress(text) === text, "is no address"));
const scope = z.union([z.enum(["global", "site", "link", "host", "nowhere"]), number]);

const addressSpec = z.looseObject({ family, link: name, address: prefix, scope, peer: z.optional(address) });
const link = z.looseObject({
  name,
  index: number,
  type: z.string(),
  up: z.boolean(),
  carrier: z.boolean(),
  mtu: number,
  addresses: z.array(addressSpec),
});
const hop = z.looseObject({ link: z.optional(name), via: z.optional(address), weight: z.optional(number) });
const route = z.looseObject({
  family,
  table: number,
  to: prefix,
  from: z.optional(prefix),
  type: z.string(),
  hops: z.array(hop),
  source: z.optional(address),
  scope: z.optional(scope),
  metric: z.optional(number),
  tos: z.optional(number),
  nexthop: z.optional(number),
  protocol: number,
});
const range = z.object({ first: number, last: number });
const rule = z.looseObject({
  family,
  priority: number,
  from: z.optional(prefix),
  to: z.optional(prefix),
  iif: z.optional(name),
  oif: z.optional(name),
  mark: z.optional(number),
  mask: z.optional(number),
  uids: z.optional(range),
  sourcePorts: z.optional(range),
  destinationPorts: z.optional(range),
  action: z.enum(["table", "goto", "nop", "blackhole", "unreachable", "prohibit"]),
  table: z.optional(number),
  goto: z.optional(number),
  protocol: number,
});
const nexthop = z.looseObject({
  id: number,
  link: z.optional(name),
  via: z.optional(address),
  members: z.optional(z.array(z.looseObject({ id: number, weight: z.optional(number) }))),
  protocol: number,
});
const neighbour = z.looseObject({ family, link: z.optional(name), address });
const numbers = z.record(z.string(), number);

const marks = z.array(z.object({ first: number, last: number, bits: number }));
const program = z.object({
  program: z.literal("mark-sockets"),
  mask: number,
  users: marks,
  groups: marks,
  members: marks,
  cgroups: z.array(z.object({ cgroup: z.string(), id: z.string().check(z.regex(/^\d{1,20}$/)), bits: number })),
  broken: z.optional(z.literal(true)),
});

const text = z.string();
const texts = z.array(text);
const spreadProgram = z.object({
  program: z.literal("spread"),
  ingress: texts,
  egress: texts,
  spreads: z.array(
    z.object({
      name,
      mechanism: z.enum(["mark", "redirect", "fast"]),
      by: z.enum(["load", "hash"]),
      to: texts,
      of: z.optional(text),
      except: z.optional(texts),
      local: z.optional(z.literal(true)),
      mask: number,
      shift: number,
      gapMs: number,
      busyMs: z.optional(number),
      members: z.array(z.object({ number, link: text, weight: number, via: z.optional(texts) })),
    }),
  ),
  broken: z.optional(z.literal(true)),
});

/** The addresses of a pool, or of a section's networks, as one text. */
const longText = z.string().check(z.maxLength(65_536));
/** More sections than a file has, and more groups and targets than a section. */
const SOME = 4096;
const MANY = 65_536;

const passing = z.object({
  gateways: z
    .array(
      z.object({
        name,
        inside: name,
        outside: name,
        shares: z
          .array(z.object({ to: z.optional(longText), from: z.optional(z.array(prefix).check(z.maxLength(MANY))) }))
          .check(z.maxLength(SOME)),
        failover: z.boolean(),
      }),
    )
    .check(z.maxLength(SOME)),
  bridges: z
    .array(
      z.object({
        name,
        link: name,
        groups: z
          .array(z.object({ group: address, mgid: address, toInfiniband: z.boolean() }))
          .check(z.maxLength(MANY)),
      }),
    )
    .check(z.maxLength(SOME)),
  signals: z.array(z.union([gatewayRow, probeRow])).check(z.maxLength(MANY)),
  at: z.number(),
  date: z.string().check(z.maxLength(64)),
});

const factsFile = z.object({
  version: z.literal(FACTS_VERSION),
  host: name,
  picture: z.looseObject({
    links: z.array(link),
    routes: z.array(route),
    rules: z.array(rule),
    nexthops: z.array(nexthop),
    buckets: z.optional(
      z.array(z.object({ group: number, nexthops: z.array(z.object({ id: number, buckets: number })) })),
    ),
    neighbours: z.optional(z.array(z.looseObject({ family, link: name, address, state: z.string() }))),
    kernel: z.optional(z.string()),
    ruleset: z.optional(z.array(z.record(z.string(), z.record(z.string(), z.unknown()))).check(z.maxLength(200_000))),
    sysctls: z.record(z.string(), z.string()),
    tableNames: numbers,
    files: z.record(z.string(), z.string()),
    features: z.record(z.string(), z.boolean()),
    unseen: z.array(z.object({ what: z.string(), why: z.string() })),
  }),
  neighbours: z.array(z.looseObject({ ...neighbour.shape, protocol: number })),
  nftTables: z.array(z.looseObject({ family: z.string(), name, owner: z.string(), objects: z.array(z.unknown()) })),
  programs: z._default(z.array(program), []),
  spreads: z._default(z.array(spreadProgram), []),
  owners: z._default(
    z.object({ users: numbers, groups: numbers, cgroups: z.record(z.string(), z.string()) }),
    noOwners,
  ),
  ledger: z.object({
    sysctls: z.record(
      z.string(),
      z.object({ earlier: z.string(), set: z.array(z.string()), link: z.optional(z.number()) }),
    ),
    addresses: z.record(z.string(), z.object({ link: number })),
    applied: z.record(z.string(), z.string()),
    made: z.record(z.string(), z.string()),
  }),
  passing: z.optional(passing),
  numbers: z.object({ tables: numbers, priorities: numbers, nexthops: numbers, marks: z._default(numbers, {}) }),
});

const REMEDY = "Write it anew on the host it is of, with: heddle facts -o FILE.";

/** Reads a facts file. What is wrong with it is said with its place. */
export function parseFacts(text: string, file: string): Outcome<HostFacts> {
  const refuse = (summary: string, detail: string, range?: SourceRange): Outcome<HostFacts> => ({
    diagnostics: [
      {
        code: "facts-file",
        severity: "error",
        summary,
        detail,
        remedy: REMEDY,
        range: range ?? { file, start: { line: 1, column: 1 }, end: { line: 1, column: 1 } },
      },
    ],
  });
  if (text.length > MAX_FACTS_LENGTH) return refuse(`${file} is too large`, `It has ${text.length} characters.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const [, line, column] = /\(line (\d+) column (\d+)\)/.exec(String(error)) ?? [];
    const at = { line: Number(line ?? 1), column: Number(column ?? 1) };
    return refuse(`${file} is no facts file`, "It is not JSON.", { file, start: at, end: at });
  }
  const version = (value as { version?: unknown } | null)?.version;
  if (typeof version === "number" && version > FACTS_VERSION) {
    return refuse(`${file} is from a later heddle`, `It is of version ${version}; this heddle reads ${FACTS_VERSION}.`);
  }
  const result = factsFile.safeParse(value);
  if (result.success) return { value: value as HostFacts, diagnostics: [] };
  // One is enough: nobody writes such a file by hand.
  const [{ path, message }] = result.error.issues as [z.core.$ZodIssue];
  const where = path.length === 0 ? "it" : pathText(path);
  return refuse(`${file} is no facts file that heddle wrote`, `${where}: ${message}.`, placeOf(text, file, path));
}

/** Where a part of the text stands; JSON is YAML. Only asked for when there is something to say. */
function placeOf(text: string, file: string, path: readonly PropertyKey[]): SourceRange | undefined {
  const { value } = readYaml(text, file);
  for (let length = path.length; length >= 0; length--) {
    const place = value?.place(path.slice(0, length));
    if (place) return place.value;
  }
  return undefined;
}
