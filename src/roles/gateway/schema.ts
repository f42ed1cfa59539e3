// Owns what may be written under `gateway`.
import * as z from "zod/mini";
import { familyOf } from "../../model/ip.ts";
import {
  address,
  addressRange,
  described,
  duration,
  interfaceAddress,
  linkName,
  optional,
  prefix,
  probeTarget,
  wholeNumber,
} from "../fields.ts";

const SECOND_MS = 1000;

const addressOrRange = z.union([
  z.pipe(
    address,
    z.transform((one: string) => ({ first: one, last: one })),
  ),
  addressRange,
]);

const nat = z.union([
  z.literal("masquerade"),
  z.strictObject({
    to: described(
      "The address that the outside sees; or a range, or a list, of which every host inside keeps one.",
      z.pipe(
        z.union([addressOrRange, z.array(addressOrRange).check(z.minLength(1, "expected at least one address"))]),
        z.transform((value) => (Array.isArray(value) ? value : [value])),
      ),
    ),
  }),
]);

const node = z.strictObject({
  inside: described("Its own address on the inside link, of either IP version.", address),
  outside: described("Its own address on the outside link.", address),
  sync: optional(
    "Its own address on the link that connections are synchronised over; the one on the inside link unless stated.",
    address,
  ),
});

/** One address, or one of each IP version. */
function oneOfEach<T extends string>(one: z.ZodMiniType<T, string>): z.ZodMiniType<T[], string | string[]> {
  return z.pipe(
    z.union([
      one,
      z.array(one).check(
        z.minLength(1, "expected at least one address"),
        z.refine((all) => new Set(all.map(familyOf)).size === all.length, "expected one address for each IP version"),
      ),
    ]),
    z.transform((value: T | T[]) => (Array.isArray(value) ? value : [value])),
  );
}

/** One gateway of several that stand in for each other. */
export type GatewayNode = z.output<typeof node>;

const share = z.strictObject({
  address: described(
    "The address that these hosts inside have as their gateway; or a list of one for each IP version.",
    oneOfEach(interfaceAddress),
  ),
  to: described("The address that the outside sees of them; or a list of one for each IP version.", oneOfEach(address)),
  from: described(
    "Which hosts inside; no two shares have any in common.",
    z.array(prefix).check(z.minLength(1, "expected at least one prefix")),
  ),
});

const failover = z.strictObject({
  address: optional(
    "The address that hosts inside have as their gateway; or a list of one for each IP version. It moves, together with those of `nat`.",
    oneOfEach(interfaceAddress),
  ),
  shares: optional(
    "In place of `address` and `nat`: several addresses, so that several gateways work at once. The first node is preferred for the first share, the second for the second, and so on.",
    z.array(share).check(z.minLength(2, "expected at least two shares"), z.maxLength(8, "expected at most eight")),
  ),
  id: described(
    "Number of the virtual router, inside and outside; further shares have the numbers after it. No other in these segments has it.",
    wholeNumber(1, 247),
  ),
  nodes: described(
    "All gateways that stand in for each other, the preferred one first; the same list on each of them.",
    z.array(node).check(z.minLength(2, "expected at least two gateways"), z.maxLength(4, "expected at most four")),
  ),
  interval: optional(
    "How often the active gateway says that it is there; the others take over after three that are missing. 20ms unless stated.",
    duration(10, 10 * SECOND_MS, 10),
  ),
  return: optional(
    'How long a gateway that comes back is well before it takes its place again; "never" leaves the place to the other one. 30s unless stated.',
    z.union([z.literal("never"), duration(0, 3600 * SECOND_MS, 1)]),
  ),
  uplink: optional(
    "Targets outside of which a gateway has to reach one: an address by ping, tcp://ADDRESS:PORT, http://ADDRESS:PORT/PATH. One that reaches none gives the place to one that does.",
    z
      .array(probeTarget(["ping", "tcp", "http"]))
      .check(z.minLength(1, "expected at least one target"), z.maxLength(8, "expected at most eight targets")),
  ),
});

export type Failover = z.output<typeof failover>;

export const gatewaySchema = z.strictObject({
  inside: described("The link towards those who use the gateway.", linkName),
  outside: described("The link towards the world.", linkName),
  nat: optional(
    'Which address the outside sees. "masquerade" is whichever the outside link has, and cannot move. Without it, packets keep their source.',
    nat,
  ),
  from: optional(
    "Who may pass from inside to outside; everybody unless stated.",
    z.array(prefix).check(z.minLength(1, "expected at least one prefix")),
  ),
  pass: optional(
    '"outward" (default): connections from inside, and their answers. "both": those from outside as well.',
    z.enum(["outward", "both"]),
  ),
  ipv6: optional("true: IPv6 is forwarded as well, with its own addresses. false unless stated.", z.boolean()),
  untracked: optional(
    "true: what this host itself sends and receives by these links is kept out of connection tracking, as for a busy server. Its own firewall must then not ask for the state of connections.",
    z.boolean(),
  ),
  failover: optional("Several gateways with one address, of which one is active.", failover),
});

export type Gateway = z.output<typeof gatewaySchema>;
