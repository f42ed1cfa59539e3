// Owns what may be written under `egress`.
import * as z from "zod/mini";
import { checkSchema } from "../check.ts";
import { IP_PROTOCOLS } from "../../model/ip-protocols.ts";
import {
  address,
  cgroup,
  described,
  linkName,
  named,
  numberRange,
  optional,
  owner,
  prefix,
  wholeNumber,
} from "../fields.ts";

const owners = z.array(owner).check(z.minLength(1, "expected at least one"));

const protocol = z.union([wholeNumber(1, 255), z.enum(Object.keys(IP_PROTOCOLS) as [string, ...string[]])]);

const match = z.strictObject({
  users: optional("Users by name or id, or ranges of ids: whose sockets are meant.", owners),
  groups: optional("Groups by name or id, or ranges of ids: the group that a socket belongs to.", owners),
  members: optional("true: `groups` also means the supplementary groups of whoever makes a socket.", z.boolean()),
  cgroups: optional(
    'Control groups with all below them, also those that come later: "system.slice/slurmstepd.scope"; of version 1 with the controller in front, "freezer:slurm".',
    z.array(cgroup).check(z.minLength(1, "expected at least one")),
  ),
  protocols: optional(
    "IP protocols; all unless stated.",
    z.array(protocol).check(z.minLength(1, "expected at least one")),
  ),
  ports: optional(
    "Destination ports or ranges; all unless stated.",
    z.array(numberRange(1, 65535)).check(z.minLength(1, "expected at least one")),
  ),
  to: optional("Destinations; all unless stated.", z.array(prefix).check(z.minLength(1, "expected at least one"))),
  dscp: optional(
    "DSCP values that the packets carry; all unless stated (Linux 6.14).",
    z.array(wholeNumber(0, 63)).check(z.minLength(1, "expected at least one")),
  ),
});

const gateway = z.union([
  z.pipe(
    address,
    z.transform((via: string): { via: string; weight?: number | undefined } => ({ via })),
  ),
  z.strictObject({
    via: described("The gateway.", address),
    weight: optional("Its share of the connections, 1 unless stated.", wholeNumber(1, 256)),
  }),
]);

const route = z.strictObject({
  to: described("Destination.", prefix),
  via: optional(
    'Another gateway on the link; "main" asks the main table; without it the destination is on the link itself.',
    z.union([z.literal("main"), address]),
  ),
});

export const egressSchema = z.strictObject({
  match: described(
    "Whose traffic, and which of it. Users, groups and control groups add up; the rest narrows down.",
    match,
  ),
  link: described("The link that it leaves by.", linkName),
  gateways: optional(
    "Gateways on the link; several of one IP version share the connections.",
    z.pipe(
      z.union([gateway, z.array(gateway).check(z.minLength(1, "expected at least one gateway"))]),
      z.transform((value) => (Array.isArray(value) ? value : [value])),
    ),
  ),
  check: optional(
    "Gateways are asked all the time, by the agent or `heddle watch`: new connections go by those that answer, and old ones stay where they are.",
    checkSchema,
  ),
  routes: optional("Destinations that do not go by the gateways.", z.array(route)),
  source: optional(
    "Source addresses, one for each IP version; the link's own in the gateway's subnet unless stated.",
    z.pipe(
      z.union([address, z.array(address).check(z.maxLength(2, "expected one for each IP version"))]),
      z.transform((value: string | string[]) => (typeof value === "string" ? [value] : value)),
    ),
  ),
  otherwise: optional(
    'When no gateway is left: "unreachable" (default) refuses the packets; "main" lets them go as if nothing were said here.',
    z.enum(["unreachable", "main"]),
  ),
  table: optional(
    "Table id, or a name from rt_tables; drawn unless stated.",
    z.union([wholeNumber(1, 0xffffffff), named("a table's name", z.string("expected a table's name, as text"))]),
  ),
  rp_filter: optional(
    '"loose" (default) lets answers in by the link from wherever the main table leads, by whichever link; "off" from everywhere, as a host without a default route needs it; "keep" leaves rp_filter alone.',
    z.enum(["loose", "off", "keep"]),
  ),
  resets: optional(
    '"follow" (default): resets that the kernel sends for a chosen connection which no socket knows any more go its way, where nftables can be had; "main": as the main table says.',
    z.enum(["follow", "main"]),
  ),
  by: optional(
    '"bpf" marks sockets when they are made, "nftables" packets when they leave; whichever the host can do unless stated, bpf first.',
    z.enum(["bpf", "nftables"]),
  ),
});

export type Egress = z.output<typeof egressSchema>;
