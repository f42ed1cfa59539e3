/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns the peer that the bench compares with: a program at egress as a write-up of such a router describes it. It hashes
 * the two IPv4 addresses and sends every second hash to another link, as the frame stands. PRINTS says what it prints.
 */
#include "heddle.h"

enum { NEXT = 0, IPV4 = 0x0008 };

const volatile __u32 target SECTION(".rodata") = 0; /* index of the other link */
const volatile __u32 network SECTION(".rodata") = 0, netmask SECTION(".rodata") = 0;

static long (*const redirect)(__u32 ifindex, __u64 flags) = (void *)BPF_FUNC_redirect;
static long (*const trace)(const char *format, __u32 size, ...) = (void *)BPF_FUNC_trace_printk;

#ifdef PRINTS
#define SAY(text, ...) ({ static const char format[] SECTION(".rodata") = text; trace(format, sizeof format, ##__VA_ARGS__); })
#else
#define SAY(text, ...) ((void)0)
#endif

/* The 32 bits of xxHash of eight bytes (github.com/Cyan4973/xxHash, doc/xxhash_spec.md), seed 0. */
INLINE __u32 rotated(__u32 value, int bits) { return value << bits | value >> (32 - bits); }
INLINE __u32 hash(__u32 one, __u32 two) {
  __u32 sum = 374761393u + 8;
  sum = rotated(sum + one * 3266489917u, 17) * 668265263u;
  sum = rotated(sum + two * 3266489917u, 17) * 668265263u;
  sum = (sum ^ sum >> 15) * 2246822519u;
  sum = (sum ^ sum >> 13) * 3266489917u;
  return sum ^ sum >> 16;
}

SECTION("tcx/egress") int written_up(struct __sk_buff *packet) {
  __u8 *at = (__u8 *)(long)packet->data, *end = (__u8 *)(long)packet->data_end;
  SAY("---------------<BEGIN>---------------\n");
  if (at + 34 > end) return NEXT;
  SAY("redirect: checking ethernet header for IPv4 proto. result: %x\n", *(__u16 *)(at + 12));
  if (*(__u16 *)(at + 12) != IPV4) return NEXT;
  __u32 source = *(__u32 *)(at + 26), destination = *(__u32 *)(at + 30);
  SAY("redirect: destination address %x\n", destination);
  if ((destination & netmask) != network) return NEXT;
  __u32 key = hash(__builtin_bswap32(source), __builtin_bswap32(destination)) % 2;
  int answer = NEXT;
  SAY("redirect: flow based key: %d\n", key);
  if (key) {
    SAY("redirect: performing redirect\n");
    answer = (int)redirect(target, 0);
  } else {
    SAY("redirect: NOT performing redirect\n");
  }
  SAY("redirect: result: %d\n", answer);
  SAY("---------------<END>---------------\n");
  return answer;
}

LICENSE;
