/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns frames for measurements, as a network card's driver hands them to the kernel: without a socket's buffer round them.
 * The kernel runs the program on pages of its own (BPF_F_TEST_XDP_LIVE_FRAMES) and sends each by a link. Flows and
 * destinations are those of packets.c. Pages come back as others have left them, so every header is written anew.
 */
#include "heddle.h"

enum { FLOWS = 4096, DESTINATIONS = 200, UDP = 17 };

const volatile __u32 out SECTION(".rodata") = 0; /* index of the link */
const volatile __u64 to SECTION(".rodata") = 0;  /* hardware address of the receiver, in the lowest 48 bits */

struct heddle_map counter SECTION("maps") = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(__u32), 1, 0};

static long (*const redirect)(__u32 ifindex, __u64 flags) = (void *)BPF_FUNC_redirect;

SECTION("xdp") int send_frames(struct xdp_md *packet) {
  __u8 *at = (__u8 *)(long)packet->data, *end = (__u8 *)(long)packet->data_end;
  __u32 zero = 0, *count = map_lookup(&counter, &zero);
  if (!count || at + 60 > end) return XDP_DROP;
  __u32 flow = (*count)++ % FLOWS, last = 11 + flow % DESTINATIONS;
  *(__u32 *)at = to;
  *(__u16 *)(at + 4) = to >> 32;
  *(__u16 *)(at + 6) = 0x0002;
  *(__u32 *)(at + 8) = 0x01000000;
  *(__u16 *)(at + 12) = 0x0008;
  /* Version and length, 46 bytes; no fragment; 64 hops, UDP; from 10.0.1.10 to 10.0.2.11 and on. */
  __u16 words[10] = {0x4500, 46, 0, 0, 64 << 8 | UDP, 0, 0x0a00, 0x010a, 0x0a00, 0x0200 | last};
  __u32 sum = 0;
#pragma unroll
  for (int i = 0; i < 10; i++) sum += words[i];
  sum = (sum & 0xffff) + (sum >> 16);
  words[5] = ~((sum & 0xffff) + (sum >> 16));
#pragma unroll
  for (int i = 0; i < 10; i++) *(__u16 *)(at + 14 + 2 * i) = __builtin_bswap16(words[i]);
  *(__u16 *)(at + 34) = __builtin_bswap16(1024 + flow / DESTINATIONS);
  *(__u16 *)(at + 36) = __builtin_bswap16(7777);
  *(__u16 *)(at + 38) = __builtin_bswap16(26);
  *(__u16 *)(at + 40) = 0;
  return redirect(out, 0);
}

LICENSE;
