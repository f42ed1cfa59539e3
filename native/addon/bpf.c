/*
 * Owns bpf(2). What a call points to is copied to memory that ends where a page ends, before a page that nothing may
 * touch: however sizes are mistaken, the kernel answers EFAULT instead of writing over the process.
 */
#include "addon.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ATTRIBUTES_SIZE = 256, MOST_POINTERS = 8, MOST_MAPS = 64, NOWHERE = 0xffff };
static const size_t MOST_BYTES = (size_t)1 << 26;

/*
 * Where union bpf_attr (include/uapi/linux/bpf.h) holds addresses, for each command that may be called. As numbers,
 * because the headers of the machine that builds may be older than the kernel that runs.
 */
static const struct {
  int command;
  uint16_t pointers[MOST_POINTERS];
} COMMANDS[] = {
    {0, {80, NOWHERE}},                                  /* MAP_CREATE: excl_prog_hash */
    {1, {8, 16, NOWHERE}},                               /* MAP_LOOKUP_ELEM: key, value */
    {2, {8, 16, NOWHERE}},                               /* MAP_UPDATE_ELEM */
    {3, {8, 16, NOWHERE}},                               /* MAP_DELETE_ELEM */
    {4, {8, 16, NOWHERE}},                               /* MAP_GET_NEXT_KEY: key, next_key */
    {5, {8, 16, 32, 80, 96, 120, 128, 152}},             /* PROG_LOAD: insns, license, log_buf, func_info, line_info, … */
    {6, {0, NOWHERE}},                                   /* OBJ_PIN: pathname */
    {7, {0, NOWHERE}},                                   /* OBJ_GET */
    {8, {NOWHERE}},                                      /* PROG_ATTACH */
    {9, {NOWHERE}},                                      /* PROG_DETACH */
    {10, {16, 24, 48, 56, NOWHERE}},                     /* PROG_TEST_RUN: data_in, data_out, ctx_in, ctx_out */
    {13, {NOWHERE}},                                     /* PROG_GET_FD_BY_ID */
    {14, {NOWHERE}},                                     /* MAP_GET_FD_BY_ID */
    {BPF_OBJ_GET_INFO_BY_FD, {8, NOWHERE}},              /* info */
    {16, {16, 32, 40, 48, NOWHERE}},                     /* PROG_QUERY: prog_ids, prog_attach_flags, link_ids, … */
    {22, {NOWHERE}},                                     /* MAP_FREEZE */
    {24, {0, 8, 16, 24, NOWHERE}},                       /* MAP_LOOKUP_BATCH: in_batch, out_batch, keys, values */
    {25, {0, 8, 16, 24, NOWHERE}},                       /* MAP_LOOKUP_AND_DELETE_BATCH */
    {26, {0, 8, 16, 24, NOWHERE}},                       /* MAP_UPDATE_BATCH */
    {27, {0, 8, 16, 24, NOWHERE}},                       /* MAP_DELETE_BATCH */
    {28, {NOWHERE}},                                     /* LINK_CREATE */
    {29, {NOWHERE}},                                     /* LINK_UPDATE */
    {30, {NOWHERE}},                                     /* LINK_GET_FD_BY_ID */
    {34, {NOWHERE}},                                     /* LINK_DETACH */
};

struct buffer {
  uint32_t offset; /* in the attributes, where its address goes */
  uint8_t *script; /* JavaScript's own bytes */
  size_t length;
  void *mapping;
  size_t mapped;
  uint8_t *copy; /* what the kernel sees, up to the last byte of a page */
};

struct call {
  int command;
  _Alignas(8) uint8_t attributes[ATTRIBUTES_SIZE];
  uint32_t size;
  struct buffer buffers[MOST_POINTERS];
  uint32_t count;
};

static const uint16_t *pointers_of(int64_t command) {
  for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++)
    if (COMMANDS[i].command == command) return COMMANDS[i].pointers;
  return NULL;
}

static bool may_point(const uint16_t *pointers, int64_t offset) {
  for (int i = 0; i < MOST_POINTERS && pointers[i] != NOWHERE; i++)
    if (pointers[i] == offset) return true;
  return false;
}

/* An address that JavaScript made up would let the kernel write anywhere. */
static bool holds_address(const struct call *call, const uint16_t *pointers) {
  for (int i = 0; i < MOST_POINTERS && pointers[i] != NOWHERE; i++)
    for (uint32_t at = pointers[i]; at < pointers[i] + 8u && at < call->size; at++)
      if (call->attributes[at] != 0) return true;
  return false;
}

/* What the kernel tells of an object may hold further addresses, which it would follow. */
static bool holds_anything(const struct buffer *buffer) {
  for (size_t i = 0; i < buffer->length; i++)
    if (buffer->script[i] != 0) return true;
  return false;
}

static bool read_buffer(napi_env env, napi_value from, struct call *call, const uint16_t *pointers) {
  napi_value offset, bytes;
  int64_t at = 0;
  struct buffer *buffer = &call->buffers[call->count];
  if (napi_get_named_property(env, from, "offset", &offset) != napi_ok ||
      napi_get_named_property(env, from, "bytes", &bytes) != napi_ok)
    return heddle_fail(env) != NULL;
  if (!heddle_integer(env, offset, "The offset of a pointer", 0, ATTRIBUTES_SIZE, &at)) return false;
  if (!heddle_bytes(env, bytes, "What a pointer points to", &buffer->script, &buffer->length)) return false;
  if (buffer->length > MOST_BYTES || !may_point(pointers, at) || at + 8 > call->size) {
    napi_throw_range_error(env, NULL, "The command has no pointer there, or it points to too much.");
    return false;
  }
  for (uint32_t i = 0; i < call->count; i++) {
    if (call->buffers[i].offset != at) continue;
    napi_throw_range_error(env, NULL, "A pointer is given twice.");
    return false;
  }
  if (call->command == BPF_OBJ_GET_INFO_BY_FD && holds_anything(buffer)) {
    napi_throw_range_error(env, NULL, "Room for what is asked of an object has to be empty.");
    return false;
  }
  buffer->offset = (uint32_t)at;
  call->count++;
  return true;
}

static int guard(struct call *call) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (uint32_t i = 0; i < call->count; i++) {
    struct buffer *buffer = &call->buffers[i];
    size_t whole = (buffer->length + page - 1) / page * page;
    void *mapping = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) return -errno;
    buffer->mapping = mapping;
    buffer->mapped = whole + page;
    if (mprotect((uint8_t *)mapping + whole, page, PROT_NONE) < 0) return -errno;
    buffer->copy = (uint8_t *)mapping + whole - buffer->length;
    if (buffer->length > 0) memcpy(buffer->copy, buffer->script, buffer->length);
    uint64_t address = (uint64_t)(uintptr_t)buffer->copy;
    memcpy(call->attributes + buffer->offset, &address, sizeof address);
  }
  return 0;
}

/* Everything goes back, but the addresses. */
static void bring_back(struct call *call, uint8_t *script) {
  for (uint32_t i = 0; i < call->count; i++) {
    struct buffer *buffer = &call->buffers[i];
    if (buffer->length > 0) memcpy(buffer->script, buffer->copy, buffer->length);
    memset(call->attributes + buffer->offset, 0, 8);
  }
  memcpy(script, call->attributes, call->size);
}

static int ask_kernel(void *argument) {
  struct call *call = argument;
  long answer = syscall(SYS_bpf, call->command, call->attributes, call->size);
  return answer < 0 ? -errno : (int)answer;
}

/*
 * bpf(namespace, command, attributes, [{ offset, bytes }]): the kernel's answer, or -errno. The attributes and the bytes
 * are brought up to date.
 */
static napi_value bpf(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  int namespace = -1;
  int64_t command = 0;
  uint32_t count = 0;
  uint8_t *script = NULL;
  size_t size = 0;
  struct call call = {0};
  NEED(heddle_arguments(env, info, 4, arguments));
  NEED(heddle_descriptor(env, arguments[0], -1, &namespace));
  NEED(heddle_integer(env, arguments[1], "A bpf command", 0, INT32_MAX, &command));
  NEED(heddle_bytes(env, arguments[2], "The attributes of a bpf command", &script, &size));
  NEED(heddle_array(env, arguments[3], "The list of pointers", MOST_POINTERS, &count));
  const uint16_t *pointers = pointers_of(command);
  if (pointers == NULL || size > ATTRIBUTES_SIZE) {
    napi_throw_range_error(env, NULL, "The bpf command is not one of those that can be called, or is too long.");
    return NULL;
  }
  call.command = (int)command;
  call.size = (uint32_t)size;
  if (size > 0) memcpy(call.attributes, script, size);
  if (holds_address(&call, pointers)) {
    napi_throw_range_error(env, NULL, "The attributes must not hold addresses.");
    return NULL;
  }
  for (uint32_t i = 0; i < count; i++) {
    napi_value from;
    TRY(napi_get_element(env, arguments[3], i, &from));
    NEED(read_buffer(env, from, &call, pointers));
  }
  int answer = guard(&call);
  if (answer == 0) {
    answer = heddle_inside(namespace, ask_kernel, &call);
    bring_back(&call, script);
  }
  for (uint32_t i = 0; i < call.count; i++)
    if (call.buffers[i].mapping != NULL) munmap(call.buffers[i].mapping, call.buffers[i].mapped);
  return heddle_number(env, answer);
}

/* programMaps(descriptor): the ids of the maps that a program uses, or -errno. Its question holds an address. */
static napi_value program_maps(napi_env env, napi_callback_info info) {
  napi_value argument, list;
  int descriptor = -1;
  uint32_t ids[MOST_MAPS] = {0};
  NEED(heddle_arguments(env, info, 1, &argument));
  NEED(heddle_descriptor(env, argument, 0, &descriptor));
  /* The same command answers for maps and links, whose answers have other things there. */
  struct bpf_prog_info program = {.nr_map_ids = MOST_MAPS, .map_ids = (uint64_t)(uintptr_t)ids};
  union bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.info.bpf_fd = (uint32_t)descriptor;
  attributes.info.info_len = sizeof program;
  attributes.info.info = (uint64_t)(uintptr_t)&program;
  if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attributes, sizeof attributes) < 0) return heddle_number(env, -errno);
  if (program.map_ids != (uint64_t)(uintptr_t)ids) return heddle_number(env, -EINVAL);
  if (program.nr_map_ids > MOST_MAPS) return heddle_number(env, -E2BIG);
  TRY(napi_create_array_with_length(env, program.nr_map_ids, &list));
  for (uint32_t i = 0; i < program.nr_map_ids; i++) {
    napi_value id = heddle_number(env, ids[i]);
    NEED(id != NULL);
    TRY(napi_set_element(env, list, i, id));
  }
  return list;
}

/*
 * emptyRing(descriptor): takes everything out of a ring buffer, unread (Documentation/bpf/ringbuf.rst: the consumer's
 * position has the first page, the producer's the second); 0 or -errno.
 */
static napi_value empty_ring(napi_env env, napi_callback_info info) {
  napi_value argument;
  int descriptor = -1;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  NEED(heddle_arguments(env, info, 1, &argument));
  NEED(heddle_descriptor(env, argument, 0, &descriptor));
  unsigned long *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (consumer == MAP_FAILED) return heddle_number(env, -errno);
  const unsigned long *producer = mmap(NULL, page, PROT_READ, MAP_SHARED, descriptor, (off_t)page);
  int failed = producer == MAP_FAILED ? errno : 0;
  if (!failed) {
    __atomic_store_n(consumer, __atomic_load_n(producer, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
    munmap((void *)producer, page);
  }
  munmap(consumer, page);
  return heddle_number(env, -failed);
}

/* raiseLockedMemory(): lets this process lock any amount of memory, which maps count as before 5.11; 0 or -errno. */
static napi_value raise_locked_memory(napi_env env, napi_callback_info info) {
  (void)info;
  const struct rlimit any = {RLIM_INFINITY, RLIM_INFINITY};
  return heddle_number(env, setrlimit(RLIMIT_MEMLOCK, &any) < 0 ? -errno : 0);
}

bool heddle_define_bpf(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "bpf", bpf) && heddle_define(env, exports, "programMaps", program_maps) &&
         heddle_define(env, exports, "emptyRing", empty_ring) &&
         heddle_define(env, exports, "raiseLockedMemory", raise_locked_memory);
}
