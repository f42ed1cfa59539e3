/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns the spreading of packets over links: at ingress, before the route, by a mark that chooses a routing table; at
 * egress, behind it, by another link. Packets are read through their network header, so that the link layer's own
 * header (Ethernet, IPoIB, none) does not matter.
 */
#include "spread-flow.h"

enum {
  NEXT = -1, /* whoever is behind goes on: TCX_NEXT, TC_ACT_UNSPEC */
  TO_HOST = 0, /* PACKET_HOST */
  FROM_NETWORK = 1, /* BPF_HDR_START_NET */
  MOST_EXTENSIONS = 8,
};

const volatile __u32 all_marks SECTION(".rodata") = 0; /* bits of the mark that are some spread's */
const volatile __u32 all_ethernet SECTION(".rodata") = 0; /* 1: every link that a program is at has an Ethernet header */

static long (*const load_from)(const void *packet, __u32 offset, void *to, __u32 size, __u32 start) =
    (void *)BPF_FUNC_skb_load_bytes_relative;
static long (*const pull)(void *packet, __u32 size) = (void *)BPF_FUNC_skb_pull_data;
static long (*const redirect_neigh)(__u32 ifindex, struct bpf_redir_neigh *via, int size, __u64 flags) =
    (void *)BPF_FUNC_redirect_neigh;

/* The headers may lie outside what can be read at once. */
INLINE int load(struct __sk_buff *packet, __u32 offset, void *to, __u32 size) {
  if (load_from(packet, offset, to, size, FROM_NETWORK) == 0) return 0;
  __u32 length = packet->len;
  if (length > 256) length = 256;
  if (pull(packet, length) < 0) return -1;
  return load_from(packet, offset, to, size, FROM_NETWORK) == 0 ? 0 : -1;
}

/* Behind an Ethernet header most packets are read in place. */
INLINE int read_in_place4(struct __sk_buff *packet, struct flow *flow) {
  const __u8 *at = (__u8 *)(long)packet->data, *end = (__u8 *)(long)packet->data_end;
  if (!all_ethernet || at + ETHERNET > end || *(__u16 *)(at + 12) != IPV4) return -1;
  return read_plain4(at + ETHERNET, end, flow);
}

INLINE int read4(struct __sk_buff *packet, __u32 at, struct flow *flow) {
  __u8 header[20];
  if (load(packet, at, header, sizeof header)) return -1;
  if ((header[0] & 0xf0) != 0x40 || (header[0] & 0x0f) < 5) return -1;
  flow->version = 4;
  flow->protocol = header[9];
  flow->source[0] = *(__u32 *)(header + 12);
  flow->destination[0] = *(__u32 *)(header + 16);
  flow->fragment = (*(__u16 *)(header + 6) & MORE_OR_OFFSET) != 0;
  flow->at = at + (header[0] & 0x0f) * 4;
  return 0;
}

INLINE int read6(struct __sk_buff *packet, __u32 at, struct flow *flow) {
  __u8 header[40];
  if (load(packet, at, header, sizeof header)) return -1;
  if ((header[0] & 0xf0) != 0x60) return -1;
  read_ends6(header, flow);
  __u32 next = header[6];
  at += sizeof header;
  for (int i = 0; i < MOST_EXTENSIONS; i++) {
    __u8 extension[4];
    if (next != HOP_BY_HOP && next != ROUTING && next != FRAGMENT && next != DESTINATION && next != AH &&
        next != MOBILITY)
      break;
    if (load(packet, at, extension, sizeof extension)) break;
    if (next == FRAGMENT) {
      /* One that is the first and the last is whole (RFC 6946). */
      flow->fragment |= (*(__u16 *)(extension + 2) & 0xf9ff) != 0;
      at += 8;
    } else {
      at += next == AH ? (extension[1] + 2u) * 4 : (extension[1] + 1u) * 8;
    }
    next = extension[0];
    if (flow->fragment) break;
  }
  flow->protocol = next;
  flow->at = at;
  return 0;
}

/* What tells flows between the same two addresses apart. */
INLINE void read_ports(struct __sk_buff *packet, struct flow *flow) {
  __u8 words[8] = {0};
  if (flow->fragment) return;
  switch (flow->protocol) {
    case TCP: case UDP: case DCCP: case SCTP: case UDP_LITE:
    case ESP: /* the number of the security association is in the same place */
      if (load(packet, flow->at, words, 4)) return;
      flow->ports = *(__u32 *)words;
      flow->has_ports = 1;
      return;
    case ICMP: case ICMP6:
      if (load(packet, flow->at, words, 8)) return;
      /* Questions and answers of one who asks carry one number. */
      if (flow->protocol == ICMP ? words[0] == 8 || words[0] == 0 : words[0] == 128 || words[0] == 129) {
        flow->ports = *(__u16 *)(words + 4);
        flow->has_ports = 1;
      }
      return;
  }
}

INLINE int is_error(struct __sk_buff *packet, const struct flow *flow) {
  __u8 type = 0;
  if (flow->fragment || (flow->protocol != ICMP && flow->protocol != ICMP6)) return 0;
  if (load(packet, flow->at, &type, 1)) return 0;
  if (flow->protocol == ICMP6) return type >= 1 && type <= 4;
  return type == 3 || type == 4 || type == 11 || type == 12;
}

INLINE __u64 swap_ports(__u32 ports) { return (ports >> 16 | ports << 16) & 0xffffffff; }

/* An error goes with the packets that its receiver gets of whom it tried to reach: the quoted packet, turned round. */
INLINE void read_quoted(struct __sk_buff *packet, struct flow *flow) {
  struct flow quoted = {0};
  __u32 at = flow->at + 8;
  if (flow->protocol == ICMP ? read4(packet, at, &quoted) : read6(packet, at, &quoted)) return;
  /* What is quoted may end behind the first 8 bytes; ports are in them. */
  read_ports(packet, &quoted);
  flow->source[0] = quoted.destination[0];
  flow->source[1] = quoted.destination[1];
  flow->destination[0] = quoted.source[0];
  flow->destination[1] = quoted.source[1];
  flow->protocol = quoted.protocol;
  flow->fragment = quoted.fragment;
  flow->has_ports = quoted.has_ports;
  /* The number of an echo stands alone, in the lower half. */
  flow->ports = quoted.protocol == ICMP || quoted.protocol == ICMP6 ? quoted.ports : swap_ports(quoted.ports);
}

/* The link that this host would send a packet by, were there no spreading; 0 when it would not. */
INLINE __u32 ordinary_link(struct __sk_buff *packet, const struct flow *flow) {
  struct bpf_fib_lookup question = {.ifindex = packet->ingress_ifindex, .l4_protocol = flow->protocol};
  if (flow->version == 4) {
    question.family = 2;
    question.ipv4_src = flow->source[0];
    question.ipv4_dst = flow->destination[0];
  } else {
    question.family = 10;
    __builtin_memcpy(question.ipv6_src, flow->source, 16);
    __builtin_memcpy(question.ipv6_dst, flow->destination, 16);
  }
  long answer = fib_lookup(packet, &question, sizeof question, 0);
  if (answer != BPF_FIB_LKUP_RET_SUCCESS && answer != BPF_FIB_LKUP_RET_NO_NEIGH) return 0;
  return question.ifindex;
}

/* A packet, and where it goes. */
struct decision {
  __u32 number; /* of the spread */
  __u32 member;
  const struct spread *spread;
  struct flow flow;
};

/* 0 when the packet is to be spread. `ways` are the flags of which a spread has to have one. */
INLINE int decide(struct __sk_buff *packet, __u32 ways, struct decision *decision) {
  struct flow *flow = &decision->flow;
  if (packet->protocol == IPV4) {
    if (read_in_place4(packet, flow) && read4(packet, 0, flow)) return -1;
  } else if (packet->protocol == IPV6) {
    if (read6(packet, 0, flow)) return -1;
  } else {
    return -1;
  }
  __u32 number = spread_of(flow);
  if (number >= MOST_SPREADS) return -1;
  const struct spread *spread = map_lookup(&spreads, &number);
  if (!spread || !(spread->flags & ways)) return -1;
  if (packet->ingress_ifindex == 0 && ways & REDIRECT && !(spread->flags & LOCAL)) return -1;
  if (spread->of) {
    __u32 link = ways & REDIRECT ? packet->ifindex : ordinary_link(packet, flow);
    if (link != spread->of) return -1;
  }
  flow->next_hop[0] = flow->destination[0];
  flow->next_hop[1] = flow->destination[1];
  if (!flow->has_ports) {
    if (is_error(packet, flow)) read_quoted(packet, flow);
    else read_ports(packet, flow);
  }
  decision->number = number;
  decision->spread = spread;
  decision->member = judge(number, spread, flow, packet->len, packet->gso_segs > 1 ? packet->gso_segs : 1);
  return decision->member ? 0 : -1;
}

INLINE void set_mark(struct __sk_buff *packet, const struct decision *decision) {
  const struct spread *spread = decision->spread;
  packet->mark = (packet->mark & ~spread->mask) | ((decision->member << (spread->shift & 31)) & spread->mask);
}

/* To the member's next hop, or to the destination itself, which is on its link then. */
INLINE int leave_by(struct __sk_buff *packet, const struct member *member, const struct decision *decision) {
  const struct flow *flow = &decision->flow;
  struct bpf_redir_neigh via = {0};
  /* What one link would carry may be anywhere: a next hop is stated, or has to be looked up. */
  if (decision->spread->of && !(member->vias & (packet->protocol == IPV4 ? 1 : 2)))
    return redirect_neigh(member->ifindex, 0, 0, 0);
  /* A next hop that is given spares the look-up of a route. */
  if (packet->protocol == IPV4) {
    via.nh_family = 2;
    __u32 hop = flow->next_hop[0];
    if (member->vias & 1) __builtin_memcpy(&hop, member->via4, 4);
    via.ipv4_nh = hop;
  } else {
    via.nh_family = 10;
    if (member->vias & 2) __builtin_memcpy(via.ipv6_nh, member->via6, 16);
    else __builtin_memcpy(via.ipv6_nh, flow->next_hop, 16);
  }
  return redirect_neigh(member->ifindex, &via, sizeof via, 0);
}

/* Length of the header behind IP's; `offset` is the byte in which TCP says its own. More than any where it is not known. */
INLINE __u32 transport_bytes(__u32 protocol, __u32 offset) {
  if (protocol == TCP) return (offset >> 4) * 4;
  return protocol == UDP ? 8 : 0xffff;
}

/* What the IP stack would do to a packet that it passes on: one hop less. 0 when that, or more, is the stack's to do. */
INLINE int pass_on(struct __sk_buff *packet, const struct member *member) {
  __u8 *at = (__u8 *)(long)packet->data, *end = (__u8 *)(long)packet->data_end;
  __u32 pieces = packet->gso_size;
  if (!pieces && packet->len - ETHERNET > member->mtu) return 0;
  if (packet->protocol == IPV4) {
    if (at + ETHERNET + 20 > end || at[12] != 0x08 || at[13] != 0) return 0;
    __u8 *ip = at + ETHERNET;
    if (ip[0] != 0x45 || ip[8] <= 1) return 0;
    /* What will be cut into pieces: each has the headers again. */
    if (pieces) {
      if (at + ETHERNET + 40 > end) return 0;
      if (pieces + 20 + transport_bytes(ip[9], ip[32]) > member->mtu) return 0;
    }
    take_hop4(ip);
    return 1;
  }
  if (at + ETHERNET + 40 > end || at[12] != 0x86 || at[13] != 0xdd) return 0;
  __u8 *ip = at + ETHERNET;
  /* Options for every router on the way are looked at by the stack. */
  if (ip[6] == HOP_BY_HOP || ip[7] <= 1) return 0;
  if (pieces) {
    if (at + ETHERNET + 60 > end) return 0;
    if (pieces + 40 + transport_bytes(ip[6], ip[52]) > member->mtu) return 0;
  }
  ip[7]--;
  return 1;
}

SECTION("tcx/ingress") int spread_ingress(struct __sk_buff *packet) {
  struct decision decision = {0};
  /* What is for a VLAN of this link comes by again, at the VLAN's own. */
  if (packet->pkt_type != TO_HOST || packet->vlan_present || packet->mark & all_marks) return NEXT;
  if (decide(packet, MARK, &decision)) return NEXT;
  set_mark(packet, &decision);
  if (!(decision.spread->flags & FAST)) return NEXT;
  /* What is not passed on here goes its way through the stack, by the same mark to the same link. */
  struct member *member = member_of(decision.number, decision.member);
  if (!member || !pass_on(packet, member)) return NEXT;
  return leave_by(packet, member, &decision);
}

SECTION("tcx/egress") int spread_egress(struct __sk_buff *packet) {
  struct decision decision = {0};
  /* Decided before: at ingress, at its socket, or a moment ago at another link. */
  if (packet->mark & all_marks) return NEXT;
  if (decide(packet, REDIRECT, &decision)) return NEXT;
  struct member *member = member_of(decision.number, decision.member);
  if (!member) return NEXT;
  set_mark(packet, &decision);
  if (member->ifindex == packet->ifindex) return NEXT;
  return leave_by(packet, member, &decision);
}

LICENSE;
