/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns the shortest way through a router: frames that go on before the kernel has made packets of them (XDP). Only what
 * is plain is taken: TCP and UDP, whole, untagged, without options, with their sum, with hops left, no larger than the
 * next link takes.
 * All else goes up to the program at ingress (spread.bpf.c), which finds the same member, and to the stack.
 */
#include "spread-flow.h"

enum {
  UP = XDP_PASS,
  /* The neighbour of an address that is on this very link, as the table main has it, whatever rules there are. */
  ON_LINK = BPF_FIB_LOOKUP_OUTPUT | BPF_FIB_LOOKUP_DIRECT,
};

/* Hardware address of the link that this program is at, in the lowest 48 bits: frames for others are not ours to pass on. */
const volatile __u64 own_address SECTION(".rodata") = 0;

static long (*const redirect)(__u32 ifindex, __u64 flags) = (void *)BPF_FUNC_redirect;

INLINE __u64 address_at(const __u8 *at) { return *(__u32 *)at | (__u64) * (__u16 *)(at + 4) << 32; }

/* TCP or UDP in IPv6, right behind its header. */
INLINE int read_plain6(const __u8 *ip, const __u8 *end, struct flow *flow) {
  if (ip + 48 > end) return -1;
  if ((ip[0] & 0xf0) != 0x60 || (ip[6] != TCP && ip[6] != UDP)) return -1;
  read_ends6(ip, flow);
  flow->protocol = ip[6];
  flow->ports = *(__u32 *)(ip + 40);
  flow->has_ports = 1;
  return 0;
}

/*
 * Whether the sum of TCP or UDP has still to be made: what virtual links hand over may hold that of the addresses alone,
 * and only the packet's metadata says so, which frames do not have (CHECKSUM_PARTIAL). One right sum in 65,536 looks like it.
 */
INLINE int lacks_sum(const __u8 *ip, const __u8 *end, const struct flow *flow) {
  const __u8 *transport = ip + (flow->version == 4 ? 20 : 40);
  const __u8 *stated = transport + (flow->protocol == TCP ? 16 : 6);
  if (stated + 2 > end) return 1;
  __u64 sum = flow->protocol << 8;
  /* Words as they stand in the packet: the order of bytes does not matter to such a sum (RFC 1071). */
  if (flow->version == 4) {
    __u16 length = __builtin_bswap16(*(__u16 *)(ip + 2)) - 20;
    sum += __builtin_bswap16(length) + flow->source[0] + flow->destination[0];
  } else {
    sum += *(__u16 *)(ip + 4);
    for (int i = 0; i < 2; i++) {
      sum += (flow->source[i] & 0xffffffff) + (flow->source[i] >> 32);
      sum += (flow->destination[i] & 0xffffffff) + (flow->destination[i] >> 32);
    }
  }
  sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == *(__u16 *)stated;
}

/* Addresses the frame to the next hop on the member's link; 0 when the kernel does not know its hardware address. */
INLINE int address_frame(struct xdp_md *packet, __u8 *frame, const struct member *member, const struct flow *flow) {
  struct bpf_fib_lookup hop = {.ifindex = member->ifindex};
  if (flow->version == 4) {
    hop.family = 2;
    __u32 to = flow->destination[0];
    if (member->vias & 1) __builtin_memcpy(&to, member->via4, 4);
    hop.ipv4_dst = to;
    if (fib_lookup(packet, &hop, sizeof hop, ON_LINK) != BPF_FIB_LKUP_RET_SUCCESS) return 0;
    /* Another hop in its place: the address is not on this link. */
    if (hop.ipv4_dst != to) return 0;
  } else {
    hop.family = 10;
    __u64 to[2] = {flow->destination[0], flow->destination[1]}, found[2];
    if (member->vias & 2) __builtin_memcpy(to, member->via6, 16);
    __builtin_memcpy(hop.ipv6_dst, to, 16);
    if (fib_lookup(packet, &hop, sizeof hop, ON_LINK) != BPF_FIB_LKUP_RET_SUCCESS) return 0;
    __builtin_memcpy(found, hop.ipv6_dst, 16);
    if (found[0] != to[0] || found[1] != to[1]) return 0;
  }
  if (hop.ifindex != member->ifindex) return 0;
  __builtin_memcpy(frame, hop.dmac, 6);
  __builtin_memcpy(frame + 6, hop.smac, 6);
  return 1;
}

SECTION("xdp") int spread_frames(struct xdp_md *packet) {
  __u8 *at = (__u8 *)(long)packet->data, *end = (__u8 *)(long)packet->data_end;
  struct flow flow = {0};
  __u8 *ip = at + ETHERNET;
  if (ip + 20 > end || address_at(at) != own_address) return UP;
  if (*(__u16 *)(at + 12) == IPV4) {
    if (read_plain4(ip, end, &flow) || ip[8] <= 1) return UP;
  } else if (*(__u16 *)(at + 12) == IPV6) {
    if (read_plain6(ip, end, &flow) || ip[7] <= 1) return UP;
  } else {
    return UP;
  }
  if (lacks_sum(ip, end, &flow)) return UP;
  __u32 number = spread_of(&flow);
  if (number >= MOST_SPREADS) return UP;
  const struct spread *spread = map_lookup(&spreads, &number);
  /* Which link a packet would take otherwise is asked further up. */
  if (!spread || !(spread->flags & FAST) || spread->of) return UP;
  __u32 bytes = end - at;
  /* What goes up from here is counted twice: once a neighbour has been found, that is what is too large. */
  const struct member *member = member_of(number, judge(number, spread, &flow, bytes, 1));
  if (!member || !(member->takes & TAKES_FRAMES) || bytes - ETHERNET > member->mtu) return UP;
  if (!address_frame(packet, at, member, &flow)) return UP;
  if (flow.version == 4) take_hop4(ip);
  else ip[7]--;
  return redirect(member->ifindex, 0);
}

LICENSE;
