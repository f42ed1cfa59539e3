/*
 * Owns netlink sockets: opening them, inside a namespace where asked, sending, and receiving on the event loop.
 *
 * Datagrams are received into one arena for each environment, an ArrayBuffer that JavaScript sees too: first the
 * lengths (32-bit, one for each slot), then the slots. It is valid during a socket's callback only; the next wake-up of
 * any socket overwrites it.
 */
#include "addon.h"

#include <uv.h>

#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

enum {
  SLOTS = 64,
  SLOT_SIZE = 65536, /* the kernel's dumps fill 32 kB; more only for links with very many virtual functions */
  ARENA_SIZE = SLOTS * (int)sizeof(int32_t) + SLOTS * SLOT_SIZE,
  TRUNCATED = -1,
  MOST_ROUNDS = 4096,
  MOST_GROUPS = 64,
  MOST_BUFFER = 1 << 28
};

static const napi_type_tag SOCKET_TAG = {0x6865646c652d6e6cULL, 0x9f1c5a7a4be34d02ULL};

struct netlink {
  uv_poll_t poll;
  napi_env env;
  napi_ref self; /* weak, unless JavaScript has asked for the event loop to hold the socket */
  napi_async_cleanup_hook_handle cleanup;
  int descriptor; /* -1 once closed */
  bool held;
  bool polled;     /* libuv knows `poll`: it has to be closed before the memory goes */
  bool unreachable; /* JavaScript has let go */
};

struct request {
  int protocol;
  uint32_t groups[MOST_GROUPS];
  uint32_t group_count;
  int receive_buffer, send_buffer;
  uint32_t port;
};

static void set_buffer(int descriptor, int forced, int ordinary, int *size) {
  if (setsockopt(descriptor, SOL_SOCKET, forced, size, sizeof *size) < 0)
    setsockopt(descriptor, SOL_SOCKET, ordinary, size, sizeof *size);
  socklen_t length = sizeof *size;
  getsockopt(descriptor, SOL_SOCKET, ordinary, size, &length);
}

static int set_up(int descriptor, struct request *request) {
  static const int options[] = {NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK};
  const int on = 1;
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    /* A kernel without the option answers less precisely, which the caller can live with. */
    if (setsockopt(descriptor, SOL_NETLINK, options[i], &on, sizeof on) < 0 && errno != ENOPROTOOPT) return -errno;
  }
  set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, &request->receive_buffer);
  set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, &request->send_buffer);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  socklen_t length = sizeof address;
  if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) return -errno;
  if (getsockname(descriptor, (struct sockaddr *)&address, &length) < 0) return -errno;
  request->port = address.nl_pid;
  for (uint32_t i = 0; i < request->group_count; i++) {
    if (setsockopt(descriptor, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &request->groups[i], sizeof(uint32_t)) < 0)
      return -errno;
  }
  return descriptor;
}

static int make_socket(void *argument) {
  struct request *request = argument;
  int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, request->protocol);
  if (descriptor < 0) return -errno;
  int answer = set_up(descriptor, request);
  if (answer < 0) close(descriptor);
  return answer;
}

static void closed(uv_handle_t *handle) {
  struct netlink *netlink = (struct netlink *)handle->data;
  netlink->polled = false;
  if (netlink->cleanup != NULL) napi_remove_async_cleanup_hook(netlink->cleanup);
  netlink->cleanup = NULL;
  if (netlink->unreachable) free(netlink);
}

static void close_netlink(struct netlink *netlink) {
  if (netlink->descriptor < 0) return;
  uv_poll_stop(&netlink->poll);
  uv_close((uv_handle_t *)&netlink->poll, closed);
  close(netlink->descriptor);
  netlink->descriptor = -1;
}

static void finalize(napi_env env, void *pointer, void *hint) {
  (void)hint;
  struct netlink *netlink = pointer;
  napi_delete_reference(env, netlink->self);
  netlink->unreachable = true;
  close_netlink(netlink);
  if (!netlink->polled) free(netlink);
}

static void clean_up(napi_async_cleanup_hook_handle hook, void *pointer) {
  struct netlink *netlink = pointer;
  (void)hook;
  close_netlink(netlink);
}

/* The arena's bytes; made anew should JavaScript have detached it. */
static napi_status arena_of(napi_env env, napi_value *buffer, unsigned char **bytes) {
  struct heddle_instance *instance = NULL;
  size_t size = 0;
  void *start = NULL;
  napi_status status = napi_get_instance_data(env, (void **)&instance);
  if (status != napi_ok) return status;
  if (instance->arena != NULL) {
    status = napi_get_reference_value(env, instance->arena, buffer);
    if (status == napi_ok) status = napi_get_arraybuffer_info(env, *buffer, &start, &size);
    if (status != napi_ok || size == ARENA_SIZE) {
      *bytes = start;
      return status;
    }
    napi_delete_reference(env, instance->arena);
    instance->arena = NULL;
  }
  status = napi_create_arraybuffer(env, ARENA_SIZE, &start, buffer);
  if (status == napi_ok) status = napi_create_reference(env, *buffer, 1, &instance->arena);
  *bytes = start;
  return status;
}

/* Receives what one system call gives; the number of datagrams, or -errno. */
static int receive(int descriptor, unsigned char *arena) {
  int32_t *lengths = (int32_t *)(void *)arena;
  unsigned char *slots = arena + SLOTS * sizeof *lengths;
  struct mmsghdr messages[SLOTS];
  struct iovec vectors[SLOTS];
  struct sockaddr_nl senders[SLOTS];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < SLOTS; i++) {
    vectors[i] = (struct iovec){.iov_base = slots + (size_t)i * SLOT_SIZE, .iov_len = SLOT_SIZE};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = &senders[i];
    messages[i].msg_hdr.msg_namelen = sizeof senders[i];
  }
  int count = recvmmsg(descriptor, messages, SLOTS, MSG_DONTWAIT, NULL);
  if (count < 0) return -errno;
  for (int i = 0; i < count; i++) {
    /* Only the kernel is believed: another process may send to our port. */
    bool kernel = messages[i].msg_hdr.msg_namelen >= sizeof senders[i] && senders[i].nl_pid == 0;
    bool whole = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) == 0;
    lengths[i] = !kernel ? 0 : whole ? (int32_t)messages[i].msg_len : TRUNCATED;
  }
  return count;
}

/* Calls `receive` of the socket object with a number of datagrams, or with -errno. */
static void call_back(struct netlink *netlink, napi_env env, int count) {
  napi_value self, function, arguments[2], result;
  napi_valuetype type;
  if (napi_get_reference_value(env, netlink->self, &self) != napi_ok || self == NULL) return;
  if (napi_get_named_property(env, self, "receive", &function) != napi_ok) return;
  if (napi_typeof(env, function, &type) != napi_ok || type != napi_function) return;
  if (napi_create_int32(env, count < 0 ? count : 0, &arguments[0]) != napi_ok) return;
  if (napi_create_int32(env, count < 0 ? 0 : count, &arguments[1]) != napi_ok) return;
  if (napi_make_callback(env, NULL, self, function, 2, arguments, &result) == napi_pending_exception) {
    napi_value thrown;
    if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
  }
}

/* Receives once and hands over what came, except that an overrun is left to the caller. */
static int hand_over(struct netlink *netlink, napi_env env) {
  napi_handle_scope scope;
  napi_value buffer;
  unsigned char *bytes = NULL;
  int count = -ENOMEM;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return count;
  if (arena_of(env, &buffer, &bytes) == napi_ok && bytes != NULL) count = receive(netlink->descriptor, bytes);
  if (count != -EAGAIN && count != -EINTR && count != -ENOBUFS) call_back(netlink, env, count);
  napi_close_handle_scope(env, scope);
  return count;
}

/*
 * Hands over what is there. After an overrun (ENOBUFS) the kernel drops messages, without a further word, until the
 * socket is empty: so it is emptied first and the overrun told last, when whoever looks anew misses nothing.
 */
static void drain(struct netlink *netlink, napi_env env) {
  bool overrun = false;
  int count = SLOTS;
  for (int round = 0; round < MOST_ROUNDS && netlink->descriptor >= 0; round++) {
    count = hand_over(netlink, env);
    if (count == -ENOBUFS) overrun = true;
    else if (!overrun || count < SLOTS) break;
  }
  if (overrun && netlink->descriptor >= 0) call_back(netlink, env, -ENOBUFS);
}

static void readable(uv_poll_t *poll, int status, int events) {
  struct netlink *netlink = (struct netlink *)poll->data;
  napi_handle_scope scope;
  (void)events;
  if (napi_open_handle_scope(netlink->env, &scope) != napi_ok) return;
  drain(netlink, netlink->env);
  /* libuv stops watching a socket that has an error to tell, as ENOBUFS is; here it is told and over. */
  if (status < 0 && netlink->descriptor >= 0) uv_poll_start(poll, UV_READABLE, readable);
  napi_close_handle_scope(netlink->env, scope);
}

static bool read_request(napi_env env, const napi_value *arguments, struct request *request, int *namespace) {
  int64_t protocol = 0, receive_buffer = 0, send_buffer = 0;
  if (!heddle_integer(env, arguments[0], "A netlink protocol", 0, MAX_LINKS - 1, &protocol)) return false;
  if (!heddle_array(env, arguments[1], "The list of groups", MOST_GROUPS, &request->group_count)) return false;
  for (uint32_t i = 0; i < request->group_count; i++) {
    napi_value element;
    int64_t group = 0;
    if (napi_get_element(env, arguments[1], i, &element) != napi_ok) return heddle_fail(env) != NULL;
    if (!heddle_integer(env, element, "A multicast group", 1, INT32_MAX, &group)) return false;
    request->groups[i] = (uint32_t)group;
  }
  if (!heddle_descriptor(env, arguments[2], -1, namespace)) return false;
  if (!heddle_integer(env, arguments[3], "The receive buffer", 1, MOST_BUFFER, &receive_buffer)) return false;
  if (!heddle_integer(env, arguments[4], "The send buffer", 1, MOST_BUFFER, &send_buffer)) return false;
  request->protocol = (int)protocol;
  request->receive_buffer = (int)receive_buffer;
  request->send_buffer = (int)send_buffer;
  return true;
}

static napi_status describe(napi_env env, napi_value object, const struct request *request) {
  const struct {
    const char *name;
    int64_t number;
  } rows[] = {{"receiveBuffer", request->receive_buffer}, {"sendBuffer", request->send_buffer}, {"port", request->port}};
  napi_status status = napi_ok;
  for (size_t i = 0; i < sizeof rows / sizeof *rows && status == napi_ok; i++) {
    napi_value number;
    status = napi_create_int64(env, rows[i].number, &number);
    if (status == napi_ok) status = napi_set_named_property(env, object, rows[i].name, number);
  }
  return status;
}

/*
 * openSocket(protocol, groups, namespace, receiveBuffer, sendBuffer): a socket object, or -errno. Its property
 * `receive` is called with (0, number of datagrams in the arena) or (-errno, 0). It does not keep the process alive.
 */
static napi_value open_socket(napi_env env, napi_callback_info call) {
  napi_value arguments[5], object;
  struct request request = {0};
  int namespace = -1;
  uv_loop_t *loop = NULL;
  NEED(heddle_arguments(env, call, 5, arguments));
  NEED(read_request(env, arguments, &request, &namespace));
  TRY(napi_get_uv_event_loop(env, &loop));
  TRY(napi_create_object(env, &object));
  TRY(napi_type_tag_object(env, object, &SOCKET_TAG));
  struct netlink *netlink = calloc(1, sizeof *netlink);
  if (netlink == NULL) return heddle_number(env, -ENOMEM);
  netlink->env = env;
  netlink->descriptor = -1;
  if (napi_wrap(env, object, netlink, finalize, NULL, &netlink->self) != napi_ok) {
    free(netlink);
    return heddle_fail(env);
  }
  int descriptor = heddle_inside(namespace, make_socket, &request);
  if (descriptor < 0) return heddle_number(env, descriptor);
  int failed = uv_poll_init(loop, &netlink->poll, descriptor);
  if (failed) {
    close(descriptor);
    return heddle_number(env, failed);
  }
  netlink->poll.data = netlink;
  netlink->polled = true;
  netlink->descriptor = descriptor;
  failed = uv_poll_start(&netlink->poll, UV_READABLE, readable);
  uv_unref((uv_handle_t *)&netlink->poll);
  if (failed || napi_add_async_cleanup_hook(env, clean_up, netlink, &netlink->cleanup) != napi_ok) {
    close_netlink(netlink);
    return heddle_number(env, failed ? failed : -ENOMEM);
  }
  TRY(describe(env, object, &request));
  return object;
}

static struct netlink *socket_of(napi_env env, napi_value value) {
  bool tagged = false;
  void *netlink = NULL;
  if (napi_check_object_type_tag(env, value, &SOCKET_TAG, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, value, &netlink) == napi_ok)
    return netlink;
  napi_throw_type_error(env, NULL, "The first argument has to be a netlink socket.");
  return NULL;
}

/* send(socket, bytes): one datagram to the kernel; the number of bytes, or -errno (-EBADF once closed). */
static napi_value send_datagram(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  size_t length = 0;
  uint8_t *bytes = NULL;
  NEED(heddle_arguments(env, call, 2, arguments));
  struct netlink *netlink = socket_of(env, arguments[0]);
  NEED(netlink != NULL);
  NEED(heddle_bytes(env, arguments[1], "The datagram to send", &bytes, &length));
  if (netlink->descriptor < 0) return heddle_number(env, -EBADF);
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  ssize_t sent;
  do {
    sent = sendto(netlink->descriptor, bytes, length, MSG_DONTWAIT, (const struct sockaddr *)&kernel, sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  return heddle_number(env, sent < 0 ? -errno : sent);
}

/*
 * filterSocket(socket, program): lets the kernel drop, before they wake anybody, the datagrams that a classic BPF
 * program (struct sock_filter, one after the other) does not want. 0, or -errno.
 */
static napi_value filter_socket(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  napi_typedarray_type type;
  size_t length = 0;
  void *bytes = NULL;
  NEED(heddle_arguments(env, call, 2, arguments));
  struct netlink *netlink = socket_of(env, arguments[0]);
  NEED(netlink != NULL);
  if (napi_get_typedarray_info(env, arguments[1], &type, &length, &bytes, NULL, NULL) != napi_ok ||
      type != napi_uint8_array || length == 0 || length % sizeof(struct sock_filter) != 0 ||
      length / sizeof(struct sock_filter) > BPF_MAXINSNS) {
    napi_throw_type_error(env, NULL, "The program has to be a Uint8Array of whole instructions.");
    return NULL;
  }
  if (netlink->descriptor < 0) return heddle_number(env, -EBADF);
  const struct sock_fprog program = {.len = (unsigned short)(length / sizeof(struct sock_filter)), .filter = bytes};
  int failed = setsockopt(netlink->descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  return heddle_number(env, failed < 0 ? -errno : 0);
}

/* closeSocket(socket): may be called any number of times. */
static napi_value close_socket(napi_env env, napi_callback_info call) {
  napi_value argument;
  NEED(heddle_arguments(env, call, 1, &argument));
  struct netlink *netlink = socket_of(env, argument);
  NEED(netlink != NULL);
  close_netlink(netlink);
  if (netlink->held) TRY(napi_reference_unref(env, netlink->self, NULL));
  netlink->held = false;
  return NULL;
}

/*
 * holdSocket(socket, held): while held, the event loop keeps the socket and the socket keeps the process alive.
 * Otherwise it lives as long as JavaScript refers to it.
 */
static napi_value hold_socket(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  bool held = false;
  NEED(heddle_arguments(env, call, 2, arguments));
  struct netlink *netlink = socket_of(env, arguments[0]);
  NEED(netlink != NULL);
  TRY(napi_get_value_bool(env, arguments[1], &held));
  if (held == netlink->held || netlink->descriptor < 0) return NULL;
  if (held) {
    TRY(napi_reference_ref(env, netlink->self, NULL));
    uv_ref((uv_handle_t *)&netlink->poll);
  } else {
    TRY(napi_reference_unref(env, netlink->self, NULL));
    uv_unref((uv_handle_t *)&netlink->poll);
  }
  netlink->held = held;
  return NULL;
}

/* arena(): the ArrayBuffer of this environment that datagrams are received into. */
static napi_value arena(napi_env env, napi_callback_info call) {
  napi_value buffer;
  unsigned char *bytes;
  (void)call;
  TRY(arena_of(env, &buffer, &bytes));
  return buffer;
}

bool heddle_define_socket(napi_env env, napi_value exports) {
  napi_value slots;
  return heddle_define(env, exports, "openSocket", open_socket) &&
         heddle_define(env, exports, "send", send_datagram) &&
         heddle_define(env, exports, "filterSocket", filter_socket) &&
         heddle_define(env, exports, "closeSocket", close_socket) &&
         heddle_define(env, exports, "holdSocket", hold_socket) && heddle_define(env, exports, "arena", arena) &&
         napi_create_uint32(env, SLOTS, &slots) == napi_ok &&
         napi_set_named_property(env, exports, "slots", slots) == napi_ok;
}
