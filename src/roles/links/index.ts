// Owns the role `links`: addresses of links that heddle puts there, and puts back when they went with the link.
//
// Its sections are called by the names of the links. What it puts on them, every other role sees already there when it
// decides (Role.addresses), so that one apply brings the address and what is built on it.
import type { Outcome } from "../../model/diagnostic.ts";
import { familyOf, parsePrefix, prefixContains } from "../../model/ip.ts";
import { HEDDLE_PROTOCOL } from "../../model/kinds.ts";
import type { AddressSpec } from "../../model/kinds.ts";
import type { Wanted } from "../../model/objects.ts";
import { linkName } from "../fields.ts";
import type { Role, Section } from "../role.ts";
import { linksSchema } from "./schema.ts";
import type { Links } from "./schema.ts";

export const links: Role<Links> = {
  name: "links",
  about: "Addresses that links of this host shall have, by the name of the link.",
  schema: linksSchema,
  sectionName: linkName,
  addresses: addressesOf,
  claims: () => [],

  desire(section): Outcome<Wanted[]> {
    const wanted = addressesOf(section).map((spec, index): Wanted => ({
      kind: "address",
      spec,
      from: section.at("addresses", writtenAt(section, spec.address, index)),
    }));
    return { value: wanted, diagnostics: [] };
  },
};

/** In the order in which they are put on the link. */
function addressesOf(section: Section<Links>): AddressSpec[] {
  const { addresses } = section.value;
  const ipv4 = addresses.filter((address) => familyOf(address) === 4);
  // The kernel asks the latest IPv6 address first, so that the first one of the file has to come last.
  const ipv6 = addresses.filter((address) => familyOf(address) === 6).toReversed();
  return [...ipv4, ...ipv6].map((address, order) => ({
    family: familyOf(address),
    link: section.name,
    address,
    scope: scopeOf(address),
    protocol: HEDDLE_PROTOCOL,
    order,
  }));
}

function writtenAt(section: Section<Links>, address: string, otherwise: number): number {
  const index = section.value.addresses.indexOf(address);
  return index < 0 ? otherwise : index;
}

/** IPv6 scopes are the kernel's own doing; of IPv4 addresses, a host's own stay inside (iproute2, ipaddress.c). */
function scopeOf(address: string): AddressSpec["scope"] {
  const host = parsePrefix(address)?.address ?? address;
  if (familyOf(host) === 4) return prefixContains("127.0.0.0/8", host) ? "host" : "global";
  return prefixContains("fe80::/10", host) ? "link" : "global";
}
