/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Owns what heddle's BPF programs share: how they declare maps (src/host/bpf/elf.ts reads that), and those of the
 * kernel's helper functions that they call (their numbers and meaning: include/uapi/linux/bpf.h, bpf-helpers(7)).
 */
#ifndef HEDDLE_BPF_H
#define HEDDLE_BPF_H

#include <linux/bpf.h>
#include <linux/types.h>

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define LICENSE char stated_license[] SECTION("license") = "Dual BSD/GPL"

/* Declared with SECTION("maps"); sizes in bytes. */
struct heddle_map {
  __u32 type;
  __u32 key_size;
  __u32 value_size;
  __u32 max_entries;
  __u32 flags;
};

static void *(*const map_lookup)(const void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const map_update)(const void *map, const void *key, const void *value, __u64 flags) =
    (void *)BPF_FUNC_map_update_elem;
static __u64 (*const current_uid_gid)(void) = (void *)BPF_FUNC_get_current_uid_gid;
static __u64 (*const current_pid_tgid)(void) = (void *)BPF_FUNC_get_current_pid_tgid;
static __u64 (*const current_task)(void) = (void *)BPF_FUNC_get_current_task;
static long (*const read_kernel)(void *to, __u32 size, const void *from) = (void *)BPF_FUNC_probe_read_kernel;
static __u64 (*const netns_cookie)(void *context) = (void *)BPF_FUNC_get_netns_cookie;
static __u64 (*const ancestor_cgroup_id)(int level) = (void *)BPF_FUNC_get_current_ancestor_cgroup_id;
static long (*const put_in_ring)(const void *ring, const void *data, __u64 size, __u64 flags) =
    (void *)BPF_FUNC_ringbuf_output;
static long (*const set_option)(void *context, int level, int name, void *value, int size) =
    (void *)BPF_FUNC_setsockopt;

#endif
