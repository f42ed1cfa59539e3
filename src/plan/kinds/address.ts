// Owns the rules of the kind "address": which two the kernel takes for one, and in which order they are put on a link.
import { networkOf, parsePrefix } from "../../model/ip.ts";
import type { AddressSpec, Key } from "../../model/kinds.ts";
import { canonicalText } from "./canonical.ts";
import type { KindRules } from "./kind-rules.ts";

export const addressRules: KindRules<"address"> = {
  identify: identifyAddress,
  normalize: (spec) => spec,
  // The kernel takes addresses while the link is down, and they are there when it comes up.
  needs: (spec) => [{ link: spec.link, up: false }],
  merge: (a, b) => (addressRules.compare(a) === addressRules.compare(b) ? a : undefined),
  describe: (spec) => `${spec.address}${spec.peer ? ` peer ${spec.peer}` : ""} dev ${spec.link}`,
  // The first address of an IPv4 subnet on a link is the primary one, so the order is the file's.
  rank: (spec) => spec.order ?? 0,
  compare: ({ address, peer }) => canonicalText({ address, peer }),
};

/** The key of the same address after its link was renamed. Names of links have no spaces (dev_valid_name). */
export function addressKeyOn(key: Key, link: string): Key {
  const [kind, , ...rest] = key.split(" ");
  return [kind, link, ...rest].join(" ");
}

/**
 * An IPv6 link has an address once, whatever its length (ipv6_add_addr_hash); an IPv4 link has it once for each length
 * and subnet, which the far end decides where there is one (__inet_insert_ifa).
 */
function identifyAddress({ family, link, address, peer }: AddressSpec): string {
  const { address: host = address, length = 0 } = parsePrefix(address) ?? {};
  if (family === 6) return `address ${link} ${host}`;
  const subnet = peer === undefined ? undefined : networkOf(`${peer}/${length}`);
  return `address ${link} ${address}${subnet === undefined || subnet === networkOf(address) ? "" : ` to ${subnet}`}`;
}
