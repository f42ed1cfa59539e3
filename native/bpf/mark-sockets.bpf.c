/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns the marks that sockets get for who makes them. Whatever is not TCP is marked when it is made; TCP when it
 * connects, so that what a listener accepts has no mark and is answered the way it came. The hooks are on a cgroup, for
 * all that is below it, and see every network namespace: one counts.
 *
 * What is looked at is said by constants that are fixed when the program is loaded, so the kernel leaves out the rest.
 */
#include "heddle.h"

enum {
  CREDENTIALS = 1 << 0,  /* ids are the filesystem's, read from the task; otherwise they are the real ones */
  USERS = 1 << 1,
  USER_RANGES = 1 << 2,
  GROUPS = 1 << 3,
  GROUP_RANGES = 1 << 4,
  MEMBERS = 1 << 5,
  CGROUPS = 1 << 6,      /* version 2 */
  HIERARCHIES = 1 << 7,  /* version 1 */
};

enum {
  MOST_MEMBERS = 64,      /* ranges of supplementary groups */
  MOST_LEVELS = 32,       /* of cgroups */
  MOST_HIERARCHIES = 4,
  ALLOW = 1,
  VERSION_2 = 0xffffffff, /* in the place of a hierarchy's number */
  INET = 2,               /* AF_INET, AF_INET6, SOCK_STREAM, IPPROTO_TCP, SOL_SOCKET, SO_MARK: the C library's headers */
  INET6 = 10,             /* are not for this machine */
  STREAM = 1,
  TCP = 6,
  SOCKET_LEVEL = 1,
  MARK = 36,
};

/* src/host/bpf/mark-config.ts writes and reads this, by offset. Offsets of the kernel's structures are in bytes. */
struct config {
  __u64 cookie; /* of the network namespace; none has 0 */
  __u32 mask;   /* bits that are heddle's to set and to clear */
  __u32 parts;
  __u32 members; /* entries of the map */
  __u32 task_cred, cred_fsuid, cred_fsgid, cred_group_info, group_info_ngroups, group_info_gid;
  __u32 task_cgroups, css_set_subsys, css_cgroup, css_parent, cgroup_kn, kn_id;
  __u32 hierarchies; /* how many of the next */
  __u32 subsystems[MOST_HIERARCHIES]; /* numbers of enum cgroup_subsys_id */
  __u64 build; /* of which object this program is; not used here */
};

struct prefix {
  __u32 length;
  __u8 id[4]; /* most significant byte first */
};

struct range {
  __u32 first, last, bits;
};

struct cgroup_key {
  __u64 id;
  __u32 hierarchy; /* number of its subsystem, or VERSION_2 */
  __u32 zero;
};

/* How many sockets got each bit of the mark. */
struct counters {
  __u64 sockets[32];
};

const volatile struct config config SECTION(".rodata") = {0};

struct heddle_map users SECTION("maps") = {BPF_MAP_TYPE_HASH, sizeof(__u32), sizeof(__u32), 1, 0};
struct heddle_map user_ranges SECTION("maps") = {BPF_MAP_TYPE_LPM_TRIE, sizeof(struct prefix), sizeof(__u32), 1,
                                                 BPF_F_NO_PREALLOC};
struct heddle_map groups SECTION("maps") = {BPF_MAP_TYPE_HASH, sizeof(__u32), sizeof(__u32), 1, 0};
struct heddle_map group_ranges SECTION("maps") = {BPF_MAP_TYPE_LPM_TRIE, sizeof(struct prefix), sizeof(__u32), 1,
                                                  BPF_F_NO_PREALLOC};
struct heddle_map members SECTION("maps") = {BPF_MAP_TYPE_ARRAY, sizeof(__u32), sizeof(struct range), 1, 0};
struct heddle_map cgroups SECTION("maps") = {BPF_MAP_TYPE_HASH, sizeof(struct cgroup_key), sizeof(__u32), 1, 0};
struct heddle_map counters SECTION("maps") = {BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(__u32), sizeof(struct counters), 1, 0};

struct identity {
  __u32 user, group;
  __u64 group_info; /* address; 0 when it is not known */
};

INLINE int read(void *to, __u32 size, __u64 from) { return read_kernel(to, size, (const void *)from) < 0; }

INLINE void identify(struct identity *who) {
  __u64 ids = current_uid_gid();
  who->user = (__u32)ids;
  who->group = ids >> 32;
  who->group_info = 0;
  if (!(config.parts & CREDENTIALS)) return;
  __u64 cred = 0, group_info = 0;
  __u32 user = 0, group = 0;
  if (read(&cred, sizeof cred, current_task() + config.task_cred)) return;
  if (read(&user, sizeof user, cred + config.cred_fsuid)) return;
  if (read(&group, sizeof group, cred + config.cred_fsgid)) return;
  who->user = user;
  who->group = group;
  if (!(config.parts & MEMBERS)) return;
  if (read(&group_info, sizeof group_info, cred + config.cred_group_info)) return;
  who->group_info = group_info;
}

INLINE __u32 bits_of_id(void *single, void *ranges, int with_single, int with_ranges, __u32 id) {
  __u32 *bits = with_single ? map_lookup(single, &id) : 0;
  if (!bits && with_ranges) {
    struct prefix prefix = {.length = 32, .id = {id >> 24, id >> 16, id >> 8, id}};
    bits = map_lookup(ranges, &prefix);
  }
  return bits ? *bits : 0;
}

/*
 * 1 when a is below b, both less than 2^63, otherwise 0, by arithmetic: at a comparison the verifier would follow both
 * ways with all that it then knows, and in a search those double at every step.
 */
INLINE __u64 is_below(__u64 a, __u64 b) {
  __u64 difference = a - b;
  asm volatile("" : "+r"(difference));
  return difference >> 63;
}

/*
 * How many of a process's groups are below an id. The kernel keeps them sorted (groups_sort, kernel/groups.c), so it is
 * found by halves, from `half` on, where count < 2 * half.
 */
INLINE __u64 count_below(__u64 gids, __u64 count, __u64 id, __u64 half) {
  __u64 below = 0;
#pragma unroll
  for (__u64 step = half; step > 0; step >>= 1) {
    __u32 group = 0;
    __u64 inside = 1 - is_below(count, below + step);
    /* Outside, what is read does not count: before the first group are the others' number and a counter. */
    read(&group, sizeof group, gids + 4 * (below + step * inside) - 4);
    below += step * (inside & is_below(group, id));
  }
  return below;
}

INLINE __u32 bits_of_sorted(__u64 gids, __u64 count, __u64 half) {
  __u32 bits = 0;
  for (__u32 i = 0; i < MOST_MEMBERS; i++) {
    __u32 key = i, group = 0;
    if (i >= config.members) break;
    struct range *range = map_lookup(&members, &key);
    if (!range) break;
    __u64 below = count_below(gids, count, range->first, half);
    if (!is_below(below, count) || read(&group, sizeof group, gids + 4 * below)) continue;
    if (group >= range->first && group <= range->last) bits |= range->bits;
  }
  return bits;
}

INLINE __u32 bits_of_members(__u64 group_info) {
  __u32 count = 0;
  if (!group_info || read(&count, sizeof count, group_info + config.group_info_ngroups)) return 0;
  __u64 gids = group_info + config.group_info_gid;
  /* Nearly everybody is in a few groups only; the most are 65536 (NGROUPS_MAX). */
  if (count < 32) return bits_of_sorted(gids, count, 16);
  return bits_of_sorted(gids, count, 65536);
}

INLINE __u32 bits_of_cgroup(__u64 id, __u32 hierarchy) {
  struct cgroup_key key = {.id = id, .hierarchy = hierarchy};
  __u32 *bits = map_lookup(&cgroups, &key);
  return bits ? *bits : 0;
}

INLINE __u32 bits_of_cgroups(void) {
  __u32 bits = 0;
  for (int level = 0; level < MOST_LEVELS; level++) {
    __u64 id = ancestor_cgroup_id(level);
    if (!id) break;
    bits |= bits_of_cgroup(id, VERSION_2);
  }
  return bits;
}

/* The way up one hierarchy of version 1, from the task's cgroup to the root. */
INLINE __u32 bits_of_hierarchy(__u64 css_set, __u32 subsystem) {
  __u64 css = 0;
  __u32 bits = 0;
  if (read(&css, sizeof css, css_set + config.css_set_subsys + 8ull * subsystem)) return 0;
  for (int level = 0; level < MOST_LEVELS; level++) {
    __u64 cgroup = 0, node = 0, id = 0;
    if (!css) break;
    if (read(&cgroup, sizeof cgroup, css + config.css_cgroup)) break;
    if (read(&node, sizeof node, cgroup + config.cgroup_kn)) break;
    if (read(&id, sizeof id, node + config.kn_id)) break;
    bits |= bits_of_cgroup(id, subsystem);
    if (read(&css, sizeof css, css + config.css_parent)) break;
  }
  return bits;
}

INLINE __u32 bits_of_hierarchies(void) {
  __u64 css_set = 0;
  __u32 bits = 0;
  if (read(&css_set, sizeof css_set, current_task() + config.task_cgroups)) return 0;
  if (config.hierarchies > 0) bits |= bits_of_hierarchy(css_set, config.subsystems[0]);
  if (config.hierarchies > 1) bits |= bits_of_hierarchy(css_set, config.subsystems[1]);
  if (config.hierarchies > 2) bits |= bits_of_hierarchy(css_set, config.subsystems[2]);
  if (config.hierarchies > 3) bits |= bits_of_hierarchy(css_set, config.subsystems[3]);
  return bits;
}

INLINE void count(__u32 bits) {
  __u32 zero = 0;
  struct counters *all = map_lookup(&counters, &zero);
  if (!all) return;
#pragma unroll
  for (int bit = 0; bit < 32; bit++)
    if (bits & (1u << bit)) __sync_fetch_and_add(&all->sockets[bit], 1);
}

/* The mark of a socket that the current task makes or connects, given the one that it has. */
INLINE __u32 mark_for(__u32 mark) {
  __u32 bits = 0;
  if (config.parts & (USERS | USER_RANGES | GROUPS | GROUP_RANGES | MEMBERS)) {
    struct identity who;
    identify(&who);
    bits |= bits_of_id(&users, &user_ranges, config.parts & USERS, config.parts & USER_RANGES, who.user);
    bits |= bits_of_id(&groups, &group_ranges, config.parts & GROUPS, config.parts & GROUP_RANGES, who.group);
    if (config.parts & MEMBERS) bits |= bits_of_members(who.group_info);
  }
  if (config.parts & CGROUPS) bits |= bits_of_cgroups();
  if (config.parts & HIERARCHIES) bits |= bits_of_hierarchies();
  bits &= config.mask;
  if (bits) count(bits);
  return (mark & ~config.mask) | bits;
}

SECTION("cgroup/sock_create") int sock_create(struct bpf_sock *socket) {
  if (netns_cookie(socket) != config.cookie) return ALLOW;
  if (socket->family != INET && socket->family != INET6) return ALLOW;
  if (socket->type == STREAM && socket->protocol == TCP) return ALLOW;
  __u32 mark = socket->mark;
  __u32 wanted = mark_for(mark);
  if (wanted != mark) socket->mark = wanted;
  return ALLOW;
}

INLINE int connect(struct bpf_sock_addr *context) {
  if (context->type != STREAM || context->protocol != TCP) return ALLOW;
  if (netns_cookie(context) != config.cookie) return ALLOW;
  struct bpf_sock *socket = context->sk;
  if (!socket) return ALLOW;
  __u32 mark = socket->mark;
  __u32 wanted = mark_for(mark);
  if (wanted != mark) set_option(context, SOCKET_LEVEL, MARK, &wanted, sizeof wanted);
  return ALLOW;
}

/* Also where data goes along with the opening (TCP fast open): net/ipv4/tcp.c, tcp_sendmsg_fastopen. */
SECTION("cgroup/connect4") int connect4(struct bpf_sock_addr *context) { return connect(context); }
SECTION("cgroup/connect6") int connect6(struct bpf_sock_addr *context) { return connect(context); }

LICENSE;
