// Owns the shape of a topology file: segments, hosts, links, users. Steps of scenarios are in step-schema.ts.
//
// Shapes only: what refers to what (a link to its segment, a step to its host) is checked in cross-check.ts.
import * as z from "zod/mini";
import { canonicalAddress, familyOf, parsePrefix } from "../model/ip.ts";
import { HOST_NAME, LAB_NAME, LINK_NAME, MOST_HOSTS, MOST_LINKS, SEGMENT_NAME, USER_NAME } from "./names.ts";

/** A string that the pattern matches; `what` completes "must be …". */
function named(pattern: RegExp, what: string): z.ZodMiniString {
  return z.string().check(z.regex(pattern, `must be ${what}`));
}

/** A record with at most this many entries. */
function atMost<T extends object>(most: number, what: string): z.core.$ZodCheck<T> {
  return z.refine((value: T) => Object.keys(value).length <= most, `must have at most ${most} ${what}`);
}

const mtu = z.int().check(z.minimum(68), z.maximum(65_535));
const id = z.int().check(z.minimum(1), z.maximum(4_294_967_294));

/**
 * Words for iproute2's batch mode, which has quotes, comments, line continuation and one command a line: none of them
 * may come in through a topology.
 */
const words = z
  .string()
  .check(
    z.regex(/^[^"'#\\\n\r\0]*[^"'#\\\n\r\0\s][^"'#\\\n\r\0]*$/, "must be one line of words, without quotes, # and \\"),
  );

const address = z
  .string()
  .check(
    z.refine(
      (text) => text.includes("/") && parsePrefix(text) !== undefined,
      "must be an address with the length of its subnet, such as 172.16.16.1/16",
    ),
  );

const mac = z
  .string()
  .check(
    z.regex(
      /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/,
      "must be a unicast hardware address in lower case, such as 02:00:00:00:00:01",
    ),
  );

/** A sysctl below /proc/sys, with dots or, where a link's name has dots, slashes. Only `net` is per namespace. */
const sysctls = z.record(
  named(
    /^net(\/[A-Za-z0-9_@.-]+)+$|^net(\.[A-Za-z0-9_-]+)+$/,
    "a sysctl of the network, such as net.ipv4.conf.all.rp_filter",
  ),
  z.union([z.int(), z.string().check(z.regex(/^[^\n\r\0]+$/, "must be one line"))]),
);

const segment = z.strictObject({ mtu: z.optional(mtu) });

const link = z.strictObject({
  segment: named(SEGMENT_NAME, "the name of a segment"),
  addresses: z.optional(z.array(address)),
  mac: z.optional(mac),
  mtu: z.optional(mtu),
  up: z.optional(z.boolean()),
});

const user = z.strictObject({
  uid: id,
  /** Primary group; without it the user has a group of its own name whose gid is the uid. */
  group: z.optional(named(USER_NAME, "the name of a group")),
  groups: z.optional(z.array(named(USER_NAME, "the name of a group"))),
});

const groups = z.record(named(USER_NAME, "a group name in lower case"), id);

const host = z.strictObject({
  links: z
    .record(named(LINK_NAME, "a link name of at most 15 characters, not lo, all or default"), link)
    .check(atMost(MOST_LINKS, "links")),
  routes: z.optional(z.array(words)),
  rules: z.optional(z.array(words)),
  sysctls: z.optional(sysctls),
  config: z.optional(z.string()),
  users: z.optional(z.record(named(USER_NAME, "a user name in lower case"), user)),
  groups: z.optional(groups),
});

const scenario = z.strictObject({
  about: z.optional(z.string()),
  /** Parameters: the scenario runs once for each combination, and `${name}` stands for the value in every string. */
  each: z.optional(
    z.record(
      named(/^[a-z][a-z0-9_]*$/, "a parameter name in lower case"),
      z.array(z.union([z.string(), z.number()])).check(z.minLength(1)),
    ),
  ),
  /** Read by readStep (step-schema.ts), which knows the kind of each. */
  steps: z.array(z.record(z.string(), z.unknown())).check(z.minLength(1)),
});

/** The whole file, before its steps are read. */
export const fileSchema = z.strictObject({
  version: z.literal(1),
  name: named(LAB_NAME, "a lab name: lower-case letters, digits and hyphens, at most 31 characters"),
  about: z.optional(z.string()),
  segments: z.record(named(SEGMENT_NAME, "a segment name: at most 15 letters, digits, _ and -"), segment),
  hosts: z
    .record(named(HOST_NAME, "a host name without dots, at most 63 characters"), host)
    .check(atMost(MOST_HOSTS, "hosts")),
  groups: z.optional(groups),
  scenarios: z.optional(z.record(named(/^[a-z0-9][a-z0-9-]{0,62}$/, "a scenario name in lower case"), scenario)),
});

export type Segment = z.infer<typeof segment>;
export type LinkPlace = z.infer<typeof link>;
export type HostPlace = z.infer<typeof host>;
export type User = z.infer<typeof user>;
export type TopologyFile = z.infer<typeof fileSchema>;

/** Addresses of a link without their prefix lengths, in canonical form, of one family or of both. */
export function addressesOf(place: LinkPlace, family?: 4 | 6): string[] {
  return (place.addresses ?? [])
    .map((text) => canonicalAddress(text.split("/")[0] as string) as string)
    .filter((text) => family === undefined || familyOf(text) === family);
}
