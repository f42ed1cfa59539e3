// Owns the links as they will be once the addresses of the file are on them: what a role decides on, so that one apply
// does all of it.
import type { LinkFact } from "../model/facts.ts";
import { networkOf, parsePrefix } from "../model/ip.ts";
import type { AddressSpec, Key } from "../model/kinds.ts";
import { addressRules } from "./kinds/address.ts";

/**
 * The links without those of heddle's `own` addresses that are no longer wanted, and with the `wanted` ones, where the
 * kernel will put them. A wanted one that is still being probed for duplicates counts as usable: the file says that it
 * is this host's, and what the kernel refuses until the probe is over waits for it (see the need of an address).
 */
export function expectLinks(
  links: readonly LinkFact[],
  wanted: readonly AddressSpec[],
  own: readonly AddressSpec[],
): LinkFact[] {
  const wantedTexts = new Map(wanted.map((spec) => [addressRules.identify(spec), addressRules.compare(spec)]));
  // Those of another length than wanted are taken off and put there anew.
  const leaving = own
    .filter((spec) => wantedTexts.get(addressRules.identify(spec)) !== addressRules.compare(spec))
    .map((spec) => addressRules.identify(spec));
  return links.map((link) => {
    let { addresses } = link;
    for (const key of leaving) addresses = withoutAddress(addresses, key);
    addresses = addresses.map((spec) => {
      const { tentative: _tentative, ...usable } = spec;
      return wantedTexts.has(addressRules.identify(spec)) ? usable : spec;
    });
    for (const spec of wanted.filter((one) => one.link === link.name)) addresses = withAddress(addresses, spec);
    return { ...link, addresses };
  });
}

/**
 * The addresses of a link without the one of the key. When that led its IPv4 subnet, the first one left there leads it,
 * and stands last among those that lead (__inet_del_ifa, with promote_secondaries, which the driver sees to).
 */
export function withoutAddress(addresses: readonly AddressSpec[], key: Key): AddressSpec[] {
  const gone = addresses.find((spec) => addressRules.identify(spec) === key);
  const left = addresses.filter((spec) => spec !== gone);
  const heir = gone && left.find((spec) => spec.secondary && isPrimaryOf(gone, spec));
  if (!heir) return left;
  const { secondary: _secondary, ...primary } = heir;
  const others = left.filter((spec) => spec !== heir);
  return others.toSpliced(endOfPrimaries(others), 0, primary);
}

/**
 * The addresses of a link with one more, at its place in the kernel's order: IPv4 ones first, in the order in which they
 * came, those that are not the first of their subnet last (__inet_insert_ifa); of IPv6 ones the latest first among those
 * of its scope (ipv6_link_dev_addr). The same list when it is there already, of whatever length for IPv6.
 */
export function withAddress(addresses: readonly AddressSpec[], spec: AddressSpec): AddressSpec[] {
  const key = addressRules.identify(spec);
  if (addresses.some((present) => addressRules.identify(present) === key)) return [...addresses];
  const ipv4 = addresses.filter(({ family }) => family === 4);
  const ipv6 = addresses.filter(({ family }) => family === 6);
  if (spec.family === 6) {
    // Global addresses stand before link-local ones.
    const at = spec.scope === "global" ? 0 : ipv6.findIndex(({ scope }) => scope === spec.scope);
    return [...ipv4, ...ipv6.toSpliced(at < 0 ? ipv6.length : at, 0, spec)];
  }
  if (ipv4.some((other) => isPrimaryOf(other, spec))) return [...ipv4, { ...spec, secondary: true }, ...ipv6];
  return [...ipv4.toSpliced(endOfPrimaries(ipv4), 0, spec), ...ipv6];
}

function endOfPrimaries(addresses: readonly AddressSpec[]): number {
  const end = addresses.findIndex(({ family, secondary }) => family === 6 || secondary);
  return end < 0 ? addresses.length : end;
}

/** Whether an IPv4 address is the first of the subnet that the other one is in, with the same length. */
function isPrimaryOf(first: AddressSpec, other: AddressSpec): boolean {
  return first.family === 4 && !first.secondary && subnetOf(first) === subnetOf(other);
}

function subnetOf({ address, peer }: AddressSpec): string {
  return networkOf(peer === undefined ? address : `${peer}/${parsePrefix(address)?.length ?? 32}`);
}
