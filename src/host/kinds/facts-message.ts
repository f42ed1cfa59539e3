// Owns the translation of links and addresses from the kernel's words.
import type { LinkFact } from "../../model/facts.ts";
import { formatPrefix } from "../../model/ip.ts";
import type { AddressSpec } from "../../model/kinds.ts";
import { ADDRESS_FLAG } from "../netlink/address.ts";
import type { AddressMessage } from "../netlink/address.ts";
import { LINK_FLAG } from "../netlink/link.ts";
import type { LinkMessage } from "../netlink/link.ts";
import { scopeName } from "../../model/scope.ts";

/** ARPHRD_* (include/uapi/linux/if_arp.h) by the names that ip-link(8) gives them. */
const LINK_TYPES: Readonly<Record<number, string>> = { 1: "ether", 32: "infiniband", 772: "loopback", 65534: "none" };

/** A link with its own addresses. `names` tells the names of other links by index. */
export function linkFromMessage(
  message: LinkMessage,
  addresses: readonly AddressMessage[],
  driver: string | undefined,
  names: ReadonlyMap<number, string>,
): LinkFact {
  const { index, altNames, hardwareAddress } = message;
  const name = message.name ?? `#${index}`;
  // A veth says its far end here too, which may be in another namespace, where indices mean other links.
  const parent =
    message.linkNamespaceId === undefined && message.parent !== index ? names.get(message.parent ?? 0) : undefined;
  return {
    name,
    index,
    type: LINK_TYPES[message.type] ?? String(message.type),
    up: (message.flags & LINK_FLAG.up) !== 0,
    carrier: message.carrier ?? (message.flags & LINK_FLAG.lowerUp) !== 0,
    mtu: message.mtu ?? 0,
    ...(altNames === undefined ? {} : { altNames }),
    ...(hardwareAddress === undefined ? {} : { hardwareAddress }),
    ...(driver === undefined ? {} : { driver }),
    ...(parent === undefined ? {} : { parent }),
    addresses: addresses.map((address) => addressFromMessage(address, name)),
  };
}

/** An address of a link. */
export function addressFromMessage(message: AddressMessage, link: string): AddressSpec {
  const { family, address, prefixLength, peer, scope, flags, protocol } = message;
  return {
    family,
    link,
    address: formatPrefix(address, prefixLength),
    scope: scopeName(scope),
    ...(peer === undefined ? {} : { peer }),
    ...(family === 4 && (flags & ADDRESS_FLAG.secondary) !== 0 ? { secondary: true } : {}),
    ...((flags & (ADDRESS_FLAG.tentative | ADDRESS_FLAG.dadFailed)) !== 0 ? { tentative: true } : {}),
    ...(protocol === undefined ? {} : { protocol }),
  };
}
