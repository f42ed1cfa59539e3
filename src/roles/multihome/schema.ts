// Owns what may be written under `multihome`.
import * as z from "zod/mini";
import { familyOf } from "../../model/ip.ts";
import { address, described, linkName, named, optional, prefix } from "../fields.ts";

/** Lower-case hexadecimal digits of a port GUID, however it was written: "0x0002c90300efa1b2", "0002:c903:00ef:a1b2". */
const guid = named(
  "a port GUID",
  z.pipe(
    z.string("expected a port GUID, as text").check(
      z.regex(/^(0x)?([0-9a-fA-F]{16}|([0-9a-fA-F]{4}:){3}[0-9a-fA-F]{4}|([0-9a-fA-F]{2}:){7}[0-9a-fA-F]{2})$/, {
        error: "a port GUID has 16 hexadecimal digits, as ibstat prints it: 0x0002c90300efa1b2",
      }),
    ),
    z.transform((text: string) => text.replace(/^0x/, "").replaceAll(":", "").toLowerCase()),
  ),
);

const pattern = (what: string) =>
  named(
    `${what}, or a pattern`,
    z
      .string(`expected ${what}, as text`)
      .check(z.regex(/^[^\s/\p{Cc}]{1,64}$/u, { error: `${what} has 1 to 64 characters, without spaces and /` })),
  );

const gateways = z.pipe(
  z.union([
    address,
    z
      .array(address)
      .check(
        z.refine((all) => new Set(all.map(familyOf)).size === all.length, "expected one gateway for each IP version"),
      ),
  ]),
  z.transform((value: string | string[]) => (typeof value === "string" ? [value] : value)),
);

/** Which links are meant: all that everything written here fits. */
const selector = z.strictObject({
  name: optional("A link's name; * and ? stand for any characters and one.", pattern("the name of a link")),
  subnet: optional("Links that have an address in this prefix.", prefix),
  driver: optional("Links of this driver, as `ethtool -i` tells it; * and ? work.", pattern("a driver")),
  guid: optional("The link whose port has this GUID, as ibstat prints it.", guid),
  gateway: optional("Gateway for traffic from these links' addresses to elsewhere; one for each IP version.", gateways),
});

const choice = z.union([
  z.pipe(
    pattern("the name of a link"),
    z.transform((name: string): z.output<typeof selector> => ({ name })),
  ),
  selector,
]);

/** One entry of `links`. */
export type LinkChoice = z.output<typeof selector>;

export const multihomeSchema = z.strictObject({
  links: described(
    "The links that stand in one subnet: names, patterns, or what they have in common.",
    z.pipe(
      z.union([choice, z.array(choice).check(z.minLength(1, "expected at least one link"))]),
      z.transform((value: LinkChoice | LinkChoice[]) => (Array.isArray(value) ? value : [value])),
    ),
  ),
  unbound: optional(
    'The link for traffic that is bound to no address and no link; the first of `links` unless stated; "any" leaves it to the kernel.',
    linkName,
  ),
  arp: optional(
    '"own" (default): a link answers ARP for its own addresses only. "keep" leaves arp_ignore and arp_announce alone.',
    z.enum(["own", "keep"]),
  ),
  rp_filter: optional(
    '"loose" (default) accepts a packet whose source some link reaches, also broadcasts on every link; "strict" only on the link that replies would take; "keep" leaves it alone.',
    z.enum(["loose", "strict", "keep"]),
  ),
});

export type Multihome = z.output<typeof multihomeSchema>;
