/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns the spreading of what this host itself sends, where packets are told apart by marks: a socket gets a member when
 * it is made or connects, before its route and its source address are looked up. TCP gets it as it connects, when it is
 * known where to. A socket that is bound to an address or a link keeps to that. Marks that are no spread's are others'.
 */
#include "spread.h"

enum {
  ALLOW = 1,
  INET = 2, /* AF_INET, AF_INET6, SOCK_STREAM, IPPROTO_TCP, SOL_SOCKET, SO_MARK: the C library's are not for this machine */
  INET6 = 10,
  STREAM = 1,
  TCP = 6,
  SOCKET_LEVEL = 1,
  SOCKET_MARK = 36,
};

/* What a new flow counts for where bytes are counted until somebody is told: a few of them are worth a look. */
enum { NEW_FLOW = 4096 };

const volatile __u64 cookie SECTION(".rodata") = 0; /* of the network namespace; none has 0 */
const volatile __u64 build SECTION(".rodata") = 0;  /* of which object this program is; not used here */

static __u32 (*const random_number)(void) = (void *)BPF_FUNC_get_prandom_u32;

/* A member for a new flow. Buckets have members in the shares that are wanted, so that any of them will do. */
INLINE __u32 draw(__u32 number, const struct spread *spread) {
  __u32 random = random_number();
  const struct placement *placement = map_lookup(&placements, &number);
  if (!placement) return 0;
  __u32 member = placement->member[random & (BUCKETS - 1)] & ~AT_ONCE;
  tell(number, NEW_FLOW);
  return is_up(spread, member) ? member : stand_in(spread, random >> 10);
}

/* Which link it would take otherwise cannot be asked here, so spreads of what one link would carry mean no sockets. */
INLINE int means_sockets(const struct spread *spread) {
  return (spread->flags & (MARK | LOCAL)) == (MARK | LOCAL) && !spread->of;
}

INLINE __u32 with_mark(__u32 mark, const struct spread *spread, __u32 member) {
  return (mark & ~spread->mask) | ((member << (spread->shift & 31)) & spread->mask);
}

/* Where it will send to is not known yet. The table of a member has only what is spread, so the mark harms nothing else. */
SECTION("cgroup/sock_create") int sock_create(struct bpf_sock *socket) {
  if (netns_cookie(socket) != cookie) return ALLOW;
  if (socket->family != INET && socket->family != INET6) return ALLOW;
  if (socket->type == STREAM && socket->protocol == TCP) return ALLOW;
  __u32 before = socket->mark, mark = before;
  for (__u32 i = 0; i < MOST_SPREADS; i++) {
    __u32 number = i;
    const struct spread *spread = map_lookup(&spreads, &number);
    if (spread && means_sockets(spread)) mark = with_mark(mark, spread, draw(number, spread));
  }
  if (mark != before) socket->mark = mark;
  return ALLOW;
}

INLINE int connect(struct bpf_sock_addr *context, const __u32 *found) {
  struct bpf_sock *socket = context->sk;
  if (!found || *found >= MOST_SPREADS || !socket || socket->bound_dev_if) return ALLOW;
  __u32 number = *found;
  const struct spread *spread = map_lookup(&spreads, &number);
  if (!spread || !means_sockets(spread)) return ALLOW;
  __u32 bound = socket->src_ip4 | socket->src_ip6[0] | socket->src_ip6[1] | socket->src_ip6[2] | socket->src_ip6[3];
  __u32 before = socket->mark;
  __u32 mark = with_mark(before, spread, bound ? 0 : draw(number, spread));
  if (mark != before) set_option(context, SOCKET_LEVEL, SOCKET_MARK, &mark, sizeof mark);
  return ALLOW;
}

SECTION("cgroup/connect4") int connect4(struct bpf_sock_addr *context) {
  struct prefix4 to = {.length = 32};
  __u32 address = context->user_ip4;
  if (netns_cookie(context) != cookie) return ALLOW;
  __builtin_memcpy(to.address, &address, 4);
  return connect(context, map_lookup(&prefixes4, &to));
}

SECTION("cgroup/connect6") int connect6(struct bpf_sock_addr *context) {
  struct prefix6 to = {.length = 128};
  __u32 address[4] = {context->user_ip6[0], context->user_ip6[1], context->user_ip6[2], context->user_ip6[3]};
  if (netns_cookie(context) != cookie) return ALLOW;
  /* IPv4 through a socket of IPv6 (RFC 4291, 2.5.5.2). */
  if (address[0] == 0 && address[1] == 0 && address[2] == 0xffff0000) {
    struct prefix4 mapped = {.length = 32};
    __builtin_memcpy(mapped.address, &address[3], 4);
    return connect(context, map_lookup(&prefixes4, &mapped));
  }
  __builtin_memcpy(to.address, address, 16);
  return connect(context, map_lookup(&prefixes6, &to));
}

LICENSE;
