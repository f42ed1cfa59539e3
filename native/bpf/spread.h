/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns what the programs that spread packets over links share: their maps, how a packet becomes a bucket, and which
 * member a bucket has. src/host/bpf/spread-maps.ts lays the same structures out, and src/model/spread-hash.ts makes the
 * same hash; both by offset and by number, and tests compare them with what the programs do.
 *
 * The maps have two writers who never write the same: "spreads", "members", "placements" and the prefixes are written
 * from outside, "buckets" and "fragmenting" by programs. "untold" alone is written by both: see tell().
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
  __u32 takes; /* TAKES_FRAMES or 0 */
};

enum { TAKES_FRAMES = 1 }; /* the link sends frames of XDP programs */

enum { AT_ONCE = 0x80 }; /* beside a member's number in a placement: the bucket moves though it does not pause */

/* Who shall have each bucket. */
struct placement {
  __u8 member[BUCKETS];
};

struct bucket {
  /* When its last packet came, ns, 56 bits; of which clock, 1 bit; who has it, 7 bits. One word, so that they never differ. */
  __u64 state;
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

/* How many bytes may still go by before whoever places buckets is told; 0: that is not asked for. By spread. */
struct heddle_map untold SECTION("maps") = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(__u64), MOST_SPREADS, 0};
/* How it is told: that something is in it says all. Its size is a multiple of every machine's pages. */
struct heddle_map told SECTION("maps") = {BPF_MAP_TYPE_RINGBUF, 0, 0, 65536, 0};

static __u64 (*const now_ns)(void) = (void *)BPF_FUNC_ktime_get_ns;
static __u64 (*const now_about_ns)(void) = (void *)BPF_FUNC_ktime_get_coarse_ns;

const volatile __u32 has_coarse_clock SECTION(".rodata") = 0; /* 1: the kernel has bpf_ktime_get_coarse_ns (5.11) */

enum {
  ABOUT = 0x80, /* in a bucket's state: its time is the coarse clock's, which may be a tick behind */
  TICK = 10000000, /* ns, the longest that kernels are built with (CONFIG_HZ_100) */
};

#define MULTIPLIER 0x9e3779b97f4a7c15ull

INLINE __u64 mix(__u64 hash, __u64 word) {
  hash = (hash ^ word) * MULTIPLIER;
  return hash ^ (hash >> 32);
}

INLINE __u32 bucket_of(__u64 hash) { return (__u32)((hash * MULTIPLIER) >> 54); }

/*
 * Tells whoever places buckets that traffic has begun, once for each time that it is asked for. Nothing is locked: of two
 * processors that count at the same time one may be forgotten, or both may tell. Who makes it 0 always tells, so that
 * nobody waits in vain; and where there is no room to tell, something is there that was not heard yet.
 */
INLINE void tell(__u32 number, __u64 bytes) {
  __u64 *left = map_lookup(&untold, &number);
  if (!left) return;
  __u64 before = *(volatile __u64 *)left, nothing = 0;
  if (before == 0) return;
  *(volatile __u64 *)left = before > bytes ? before - bytes : 0;
  if (before <= bytes) put_in_ring(&told, &nothing, sizeof nothing, BPF_RB_FORCE_WAKEUP);
}

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

/* A packet as its bucket counts it. */
struct weight {
  __u32 bytes;
  __u32 packets; /* what is cut into pieces later counts as that many */
  __u64 before;  /* packets that the bucket has had; filled in */
};

/*
 * The member that a packet goes by, 0 for none. A bucket takes a new member over at the first packet after a gap, so
 * that none of its packets can be under way on the old one; or at once when the old one is down.
 *
 * Reading the exact clock costs as much as all the rest, so it is read only while a bucket is to move. Counts are added
 * without a lock: who loses one of some ten thousand measures no worse.
 */
INLINE __u32 choose(__u32 number, const struct spread *spread, __u64 hash, struct weight *weight) {
  __u32 at = bucket_of(hash);
  __u32 index = number * BUCKETS + at;
  const struct placement *placement = map_lookup(&placements, &number);
  struct bucket *bucket = map_lookup(&buckets, &index);
  if (!placement || !bucket) return 0;
  __u32 placed = placement->member[at & (BUCKETS - 1)], wanted = placed & ~AT_ONCE;
  __u64 state = *(volatile __u64 *)&bucket->state;
  __u32 member = state & (ABOUT - 1), clock = has_coarse_clock ? ABOUT : 0;
  __u64 now;
  if (member != wanted && is_up(spread, wanted)) {
    clock = 0;
    now = now_ns();
    __u64 gap = spread->gap + (state & ABOUT ? TICK : 0);
    if (!is_up(spread, member) || placed & AT_ONCE || ((now << 8) - (state & ~0xffull)) >> 8 > gap) {
      if (member) __sync_fetch_and_add(&bucket->moves, 1);
      member = wanted;
    }
  } else {
    now = has_coarse_clock ? now_about_ns() : now_ns();
  }
  if (!is_up(spread, member)) member = replace(number, spread, hash, weight->packets);
  *(volatile __u64 *)&bucket->state = now << 8 | clock | member;
  *(volatile __u64 *)&bucket->bytes += weight->bytes;
  weight->before = *(volatile __u64 *)&bucket->packets;
  *(volatile __u64 *)&bucket->packets = weight->before + weight->packets;
  return member;
}

#endif
