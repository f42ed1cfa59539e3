/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns what the programs at links share, whichever hook they are at: what tells a packet's flow, which spread it belongs
 * to, and its hash. All of them judge by these, so that a flow has one member however its packets come by.
 */
#ifndef HEDDLE_SPREAD_FLOW_H
#define HEDDLE_SPREAD_FLOW_H

#include "spread.h"

enum {
  IPV4 = 0x0008, /* as it stands in frames, and in the packet's metadata on a little-endian machine */
  IPV6 = 0xdd86,
  ETHERNET = 14, /* bytes of its header */
  FEW = 8,
  MORE_OR_OFFSET = 0xff3f, /* of the fragment word, as it stands in the packet: more fragments, or not the first */
};

enum {
  ICMP = 1, TCP = 6, UDP = 17, DCCP = 33, ESP = 50, AH = 51, ICMP6 = 58, SCTP = 132, UDP_LITE = 136,
  HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, DESTINATION = 60, MOBILITY = 135,
};

/* Where there are few IPv4 prefixes, they stand here as well, the longest first: comparing is quicker than looking up. */
const volatile struct {
  __u32 network, mask, number;
} few_prefixes[FEW] SECTION(".rodata") = {{0, 0, 0}};
const volatile __u32 few SECTION(".rodata") = 0;       /* how many of them count */
const volatile __u64 build SECTION(".rodata") = 0;     /* of which object this program is; not used here */

/* When a fragment was last seen of those whose addresses and protocol fall into the slot, ns; behind them, of any. */
struct heddle_map fragmenting SECTION("maps") = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(__u64), FRAGMENTING + 1, 0};
/* How long datagrams go with the fragments of their flow after one was seen. */
static const __u64 REMEMBER_FRAGMENTS = 30000000000ull;

struct noted_flow {
  __u8 number, version, protocol, zero;
  __u32 ports; /* as they stand in the packet */
  __u8 source[16], destination[16];
};

struct noted {
  __u64 bytes; /* of the packets that were noted */
};

struct heddle_map noted_flows SECTION("maps") = {BPF_MAP_TYPE_LRU_HASH, sizeof(struct noted_flow), sizeof(struct noted),
                                                 2048, 0};

static long (*const fib_lookup)(void *context, struct bpf_fib_lookup *question, int size, __u32 flags) =
    (void *)BPF_FUNC_fib_lookup;

/* What a packet is to be hashed by. */
struct flow {
  __u32 version;
  __u32 protocol;
  __u64 source[2], destination[2]; /* as they stand in the packet; IPv4 in the lowest 32 bits */
  __u32 ports; /* both, or what tells flows apart as ports do */
  __u32 has_ports;
  __u32 fragment;
  __u64 next_hop[2]; /* the packet's own destination, which an error's flow is not */
  __u32 at; /* where what the protocol says begins, bytes from the network header */
};

/* TCP or UDP in IPv4, whole, without options: what most packets are. `end` is behind what can be read. */
INLINE int read_plain4(const __u8 *ip, const __u8 *end, struct flow *flow) {
  if (ip + 28 > end) return -1;
  if (ip[0] != 0x45 || (ip[9] != TCP && ip[9] != UDP)) return -1;
  if (*(__u16 *)(ip + 6) & MORE_OR_OFFSET) return -1;
  flow->version = 4;
  flow->protocol = ip[9];
  flow->source[0] = *(__u32 *)(ip + 12);
  flow->destination[0] = *(__u32 *)(ip + 16);
  flow->ports = *(__u32 *)(ip + 20);
  flow->has_ports = 1;
  return 0;
}

/* The addresses of an IPv6 header. */
INLINE void read_ends6(const __u8 *header, struct flow *flow) {
  flow->version = 6;
  flow->source[0] = *(__u64 *)(header + 8);
  flow->source[1] = *(__u64 *)(header + 16);
  flow->destination[0] = *(__u64 *)(header + 24);
  flow->destination[1] = *(__u64 *)(header + 32);
}

INLINE __u32 *find_prefix4(__u32 address) {
  struct prefix4 prefix = {.length = 32};
  __builtin_memcpy(prefix.address, &address, 4);
  return map_lookup(&prefixes4, &prefix);
}

INLINE __u32 find_few4(__u32 address) {
#pragma unroll
  for (int i = 0; i < FEW; i++)
    if ((__u32)i < few && (address & few_prefixes[i].mask) == few_prefixes[i].network) return few_prefixes[i].number;
  return NO_SPREAD;
}

INLINE __u32 *find_prefix6(const __u64 address[2]) {
  struct prefix6 prefix = {.length = 128};
  __builtin_memcpy(prefix.address, address, 16);
  return map_lookup(&prefixes6, &prefix);
}

/* Datagrams go with their flow's fragments, which have no ports: otherwise some would overtake others. */
INLINE int goes_with_fragments(const struct flow *flow, __u64 hash) {
  if (flow->protocol != UDP) return flow->fragment;
  __u32 slot = (__u32)(hash >> 20) & (FRAGMENTING - 1), of_any = FRAGMENTING;
  __u64 *any = map_lookup(&fragmenting, &of_any);
  /* Where nobody sends fragments, as on most networks, the slots need not be fetched. */
  if (any && *any == 0 && !flow->fragment) return 0;
  __u64 *seen = map_lookup(&fragmenting, &slot);
  if (!seen || !any) return flow->fragment;
  if (flow->fragment) *(volatile __u64 *)any = *(volatile __u64 *)seen = now_ns();
  else if (*seen == 0 || now_ns() - *seen > REMEMBER_FRAGMENTS) return 0;
  return 1;
}

INLINE __u64 hash_flow(const struct spread *spread, const struct flow *flow) {
  __u64 hash = spread->key[0];
  if (flow->version == 4) {
    hash = mix(hash, flow->source[0] | flow->destination[0] << 32);
  } else {
    hash = mix(hash, flow->source[0]);
    hash = mix(hash, flow->source[1]);
    hash = mix(hash, flow->destination[0]);
    hash = mix(hash, flow->destination[1]);
  }
  hash = mix(hash, spread->key[1] ^ flow->protocol);
  if (goes_with_fragments(flow, hash) || !flow->has_ports) return hash;
  return mix(hash, 1ull << 32 | flow->ports);
}

/* The number of the spread that a flow's destination belongs to, NO_SPREAD for none. */
INLINE __u32 spread_of(const struct flow *flow) {
  if (flow->version == 4 && few) return find_few4(flow->destination[0]);
  const __u32 *found = flow->version == 4 ? find_prefix4(flow->destination[0]) : find_prefix6(flow->destination);
  return found ? *found : NO_SPREAD;
}

/*
 * Notes one packet of 64 of each bucket, scattered, so that the largest flows can be told. The table forgets who has not
 * been noted for longest.
 */
INLINE void note(__u32 number, const struct flow *flow, __u64 hash, const struct weight *weight) {
  __u32 bytes = weight->bytes;
  if (((weight->before ^ hash) * MULTIPLIER) >> 58) return;
  struct noted_flow key = {.number = number,
                           .version = flow->version,
                           .protocol = flow->protocol,
                           .ports = flow->has_ports ? flow->ports : 0};
  __builtin_memcpy(key.source, flow->source, 16);
  __builtin_memcpy(key.destination, flow->destination, 16);
  struct noted *noted = map_lookup(&noted_flows, &key);
  if (noted) {
    __sync_fetch_and_add(&noted->bytes, bytes);
    return;
  }
  struct noted first = {.bytes = bytes};
  map_update(&noted_flows, &key, &first, BPF_ANY);
}

/* The member that a packet of a flow goes by, 0 for none. The bucket counts it. */
INLINE __u32 judge(__u32 number, const struct spread *spread, const struct flow *flow, __u32 bytes, __u32 packets) {
  __u64 hash = hash_flow(spread, flow);
  struct weight weight = {.bytes = bytes, .packets = packets};
  __u32 member = choose(number, spread, hash, &weight);
  note(number, flow, hash, &weight);
  tell(number, bytes);
  return member;
}

INLINE struct member *member_of(__u32 number, __u32 member) {
  __u32 index = number * MOST_MEMBERS + member;
  struct member *found = map_lookup(&members, &index);
  return found && found->ifindex ? found : 0;
}

/* One hop less, and the sum that follows from it. RFC 1141: the sum grows by what the word has lost. */
INLINE void take_hop4(__u8 *ip) {
  __u32 sum = (__u32)(ip[10] << 8 | ip[11]) + 0x100;
  sum += sum >> 16;
  ip[8]--;
  ip[10] = sum >> 8;
  ip[11] = sum;
}

#endif
