/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns what the programs that spread packets over links share: their maps, how a packet becomes a bucket, and which
 * member a bucket has. src/host/bpf/spread-maps.ts lays the same structures out, and src/model/spread-hash.ts makes the
 * same hash; both by offset and by number, and tests compare them with what the programs do.
 *
 * The maps have two writers who never write the same: "spreads", "members", "placements" and the prefixes are written
 * from outside, "buckets" and "fragmenting" by programs.
 */
#ifndef HEDDLE_SPREAD_H
#define HEDDLE_SPREAD_H

#include "heddle.h"

enum {
  MOST_SPREADS = 16,
  MOST_MEMBERS = 16,  /* of one spread; number 0 is nobody */
  BUCKETS = 1024,     /* of one spread */
  MOST_PREFIXES = 4096,
  FRAGMENTING = 1024, /* slots */
};

/* What a spread does with its packets, and whose. */
enum {
  MARK = 1 << 0,      /* a mark chooses a routing table */
  REDIRECT = 1 << 1,  /* the packet leaves by another link than the one that it was about to leave by */
  FAST = 1 << 2,      /* the packet leaves at once, past the IP stack */
  LOCAL = 1 << 3,     /* what this host itself sends is meant as well */
};

/* A prefix of this value is left alone: it is an address of this host, or lies in the hole of a larger one. */
enum { NO_SPREAD = 0xffffffff };

struct spread {
  __u64 key[2]; /* of the hash */
  __u64 gap;    /* ns without a packet after which a bucket may change its member */
  __u32 flags;
  __u32 mask;  /* bits of the mark that are this spread's */
  __u32 shift; /* the number of a member, shifted, is its mark */
  __u32 up;    /* bit N: member N can carry packets */
  __u32 live;  /* how many of `order` count */
  __u32 of;    /* index of the one link whose packets are meant; 0: all that go to the prefixes */
  __u8 order[64]; /* who takes the packets of members that are down, by weight */
  char name[32];
  __u32 busy; /* ms after which whoever places buckets may have one move that does not pause; 0: never. Not used here */
  __u32 zero;
};

struct member {
  __u32 ifindex;
  __u32 weight;
  __u32 mtu;
  __u32 vias; /* bit 0: via4 counts, bit 1: via6 */
  __u8 via4[4];
  __u8 via6[16];
  char link[16];
  __u32 zero;
};

enum { AT_ONCE = 0x80 }; /* beside a member's number in a placement: the bucket moves though it does not pause */

/* Who shall have each bucket. */
struct placement {
  __u8 member[BUCKETS];
};

struct bucket {
  __u64 state; /* when its last packet came, ns, 56 bits; who has it, 8 bits. One word, so that the two never differ */
  __u64 bytes;
  __u64 packets;
  __u64 moves;
};

/* What should not happen often, by spread. */
struct totals {
  __u64 stood_in; /* packets that went by another member than theirs, which was down */
  __u64 nobody;   /* packets that went the ordinary way because no member was up */
};

struct prefix4 {
  __u32 length;
  __u8 address[4];
};

struct prefix6 {
  __u32 length;
  __u8 address[16];
};

struct heddle_map prefixes4 SECTION("maps") = {BPF_MAP_TYPE_LPM_TRIE, sizeof(struct prefix4), sizeof(__u32),
                                               MOST_PREFIXES, BPF_F_NO_PREALLOC};
struct heddle_map prefixes6 SECTION("maps") = {BPF_MAP_TYPE_LPM_TRIE, sizeof(struct prefix6), sizeof(__u32),
                                               MOST_PREFIXES, BPF_F_NO_PREALLOC};
struct heddle_map spreads SECTION("maps") = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(struct spread), MOST_SPREADS, 0};
struct heddle_map members SECTION("maps") = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(struct member),
                                             MOST_SPREADS * MOST_MEMBERS, 0};
struct heddle_map placements SECTION("maps") = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(struct placement),
                                                MOST_SPREADS, 0};
struct heddle_map buckets SECTION("maps") = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(struct bucket),
                                             MOST_SPREADS * BUCKETS, 0};

struct heddle_map totals SECTION("maps") = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(struct totals), MOST_SPREADS, 0};

static __u64 (*const now_ns)(void) = (void *)BPF_FUNC_ktime_get_ns;

#define MULTIPLIER 0x9e3779b97f4a7c15ull

INLINE __u64 mix(__u64 hash, __u64 word) {
  hash = (hash ^ word) * MULTIPLIER;
  return hash ^ (hash >> 32);
}

INLINE __u32 bucket_of(__u64 hash) { return (__u32)((hash * MULTIPLIER) >> 54); }

/* Who takes a packet whose member is down; 0 when nobody can. */
INLINE __u32 stand_in(const struct spread *spread, __u64 hash) {
  __u32 live = spread->live;
  if (live == 0) return 0;
  /* A part of the hash that the bucket's number was not made of. */
  __u32 at = (__u32)(((hash & 0xffffff) * live) >> 24);
  return spread->order[at & 63];
}

/* The same, counted. */
INLINE __u32 replace(__u32 number, const struct spread *spread, __u64 hash, __u32 packets) {
  __u32 member = stand_in(spread, hash);
  struct totals *count = map_lookup(&totals, &number);
  if (count) __sync_fetch_and_add(member ? &count->stood_in : &count->nobody, packets);
  return member;
}

/* Member 0, nobody, is never up. */
INLINE int is_up(const struct spread *spread, __u32 member) { return spread->up >> (member & 31) & 1; }

/*
 * The member that a packet goes by, 0 for none. A bucket takes a new member over at the first packet after a gap, so
 * that none of its packets can be under way on the old one; or at once when the old one is down.
 */
INLINE __u32 choose(__u32 number, const struct spread *spread, __u64 hash, __u32 bytes, __u32 packets, __u64 now) {
  __u32 at = bucket_of(hash);
  __u32 index = number * BUCKETS + at;
  const struct placement *placement = map_lookup(&placements, &number);
  struct bucket *bucket = map_lookup(&buckets, &index);
  if (!placement || !bucket) return 0;
  __u32 placed = placement->member[at & (BUCKETS - 1)], wanted = placed & ~AT_ONCE;
  __u64 state = *(volatile __u64 *)&bucket->state;
  __u32 member = state & 0xff;
  if (member != wanted && is_up(spread, wanted) &&
      (!is_up(spread, member) || placed & AT_ONCE || ((now << 8) - (state & ~0xffull)) >> 8 > spread->gap)) {
    if (member) __sync_fetch_and_add(&bucket->moves, 1);
    member = wanted;
  }
  if (!is_up(spread, member)) member = replace(number, spread, hash, packets);
  *(volatile __u64 *)&bucket->state = now << 8 | member;
  __sync_fetch_and_add(&bucket->bytes, bytes);
  __sync_fetch_and_add(&bucket->packets, packets);
  return member;
}

#endif
