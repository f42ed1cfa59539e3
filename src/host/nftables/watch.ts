// Owns the news that nftables changed: one word for each transaction, whoever made it and whatever was in it.
import { constants } from "node:os";
import type { NamespaceFd } from "../native.ts";
import { messageTypeFilter } from "../netlink/event-filter.ts";
import { openTransport } from "../netlink/transport.ts";
import { NETLINK_NETFILTER, NEWGEN } from "./tables.ts";

/** NFNLGRP_NFTABLES (include/uapi/linux/netfilter/nfnetlink.h). */
const GROUP = 7;

/**
 * Calls `changed` after each transaction of the namespace's nftables, until the function that it gives is called.
 * The kernel passes on the end of a transaction only, not the rules in it. Undefined where the kernel has no netfilter,
 * or does not let this user listen. Throws HostError.
 */
export function watchTables(namespace: NamespaceFd, changed: () => void): (() => void) | undefined {
  try {
    const transport = openTransport({
      namespace,
      protocol: NETLINK_NETFILTER,
      groups: [GROUP],
      receiveBuffer: 1 << 16,
      sendBuffer: 1 << 12,
    });
    transport.filter(messageTypeFilter(NEWGEN));
    // What was lost was news of the same kind.
    transport.receiver = { datagram: changed, trouble: changed };
    transport.hold(true);
    return () => transport.close();
  } catch (error) {
    const errno = (error as { errno?: number }).errno ?? 0;
    if ([constants.errno.EPROTONOSUPPORT, constants.errno.EPERM].includes(errno)) return undefined;
    throw error;
  }
}
