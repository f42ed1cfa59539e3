// Owns the numbers of netlink and rtnetlink that more than one file needs (linux/netlink.h, linux/rtnetlink.h).

export const NETLINK_ROUTE = 0;

/** Flags of a netlink message (NLM_F_*, linux/netlink.h). */
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  DUMP_INTR: 0x10,
  DUMP_FILTERED: 0x20,
  DUMP: 0x300,
  /** On a NEW request: take the place of what is there. */
  REPLACE: 0x100,
  /** On a NEW request: refuse when it is there. */
  EXCL: 0x200,
  /** On a NEW request: make it when it is not there. */
  CREATE: 0x400,
  /** On a NEW request: stand after (IPv4) or join (IPv6) what is there. */
  APPEND: 0x800,
  /** On an answer: extended-ack attributes follow. */
  ACK_TLVS: 0x200,
  /** On an answer: only the header of the request is echoed. */
  CAPPED: 0x100,
} as const;

/** Types of control messages (linux/netlink.h). */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;

/** Types of rtnetlink messages: NEW; DEL is one more, GET two more (linux/rtnetlink.h). */
export const RTM = {
  link: 16,
  address: 20,
  route: 24,
  neighbour: 28,
  rule: 32,
  qdisc: 36,
  filter: 44,
  nexthop: 104,
  nexthopBucket: 116,
} as const;

/** AF_INET and AF_INET6. */
export const AF = { 4: 2, 6: 10 } as const;

/** Bytes of struct nlmsghdr. */
export const HEADER_LENGTH = 16;

/** The kernel's "for ever", for life times of addresses, in seconds (INFINITY_LIFE_TIME). */
export const FOREVER = 0xffffffff;

/** Attribute type without the bits "nested" and "network byte order" (NLA_TYPE_MASK). */
export const TYPE_MASK = 0x3fff;
export const NESTED = 0x8000;
