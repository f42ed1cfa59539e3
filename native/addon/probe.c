/*
 * Owns what probes need of sockets that Node's own cannot do: a TCP connection that leaves by one link with one mark,
 * packets of one kind that come in by a link, and being told when a descriptor is ready.
 */
#include "addon.h"

#include <uv.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_BYTES = 65536 };

static const napi_type_tag WATCH_TAG = {0x6865646c652d7763ULL, 0x51d0c3b7a96e4f28ULL};

struct watch {
  uv_poll_t poll;
  napi_env env;
  napi_ref self; /* strong while it watches: whoever is to be told is not collected */
  napi_async_cleanup_hook_handle cleanup;
  bool polled;      /* libuv knows `poll`: it has to be closed before the memory goes */
  bool watching, writable;
  bool unreachable; /* JavaScript has let go */
};

struct ends {
  char link[IFNAMSIZ];
  uint32_t mark;
  struct sockaddr_storage from, to;
  bool bound;
};

struct hearing {
  int index, protocol;
  struct sock_fprog program;
};

static socklen_t size_of(const struct sockaddr_storage *address) {
  return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static int set_ends(int descriptor, const struct ends *ends) {
  socklen_t length = (socklen_t)strlen(ends->link);
  /* Closed without a farewell: it leaves nothing to remember, neither here (TIME_WAIT) nor at a gateway that translates. */
  const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
  if (setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) < 0) return -errno;
  if (length > 0 && setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, ends->link, length) < 0) return -errno;
  if (ends->mark != 0 && setsockopt(descriptor, SOL_SOCKET, SO_MARK, &ends->mark, sizeof ends->mark) < 0) return -errno;
  if (ends->bound && bind(descriptor, (const struct sockaddr *)&ends->from, size_of(&ends->from)) < 0) return -errno;
  if (connect(descriptor, (const struct sockaddr *)&ends->to, size_of(&ends->to)) < 0 && errno != EINPROGRESS)
    return -errno;
  return descriptor;
}

static int begin_connection(void *argument) {
  const struct ends *ends = argument;
  int descriptor = socket(ends->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
  if (descriptor < 0) return -errno;
  int answer = set_ends(descriptor, ends);
  if (answer < 0) close(descriptor);
  return answer;
}

static bool read_address(napi_env env, napi_value value, int64_t port, struct sockaddr_storage *address) {
  uint8_t *bytes = NULL;
  size_t length = 0;
  if (!heddle_bytes(env, value, "An address", &bytes, &length)) return false;
  if (length == 4) {
    struct sockaddr_in *four = (struct sockaddr_in *)address;
    four->sin_family = AF_INET;
    four->sin_port = htons((uint16_t)port);
    memcpy(&four->sin_addr, bytes, length);
    return true;
  }
  if (length == 16) {
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)address;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    memcpy(&six->sin6_addr, bytes, length);
    return true;
  }
  if (length == 0) return true;
  napi_throw_range_error(env, NULL, "An address has 4 or 16 bytes.");
  return false;
}

/*
 * beginConnection(namespace, link or "", mark or 0, source or no bytes, destination, port): a descriptor whose TCP
 * connection is on its way, or -errno.
 */
static napi_value begin(napi_env env, napi_callback_info call) {
  napi_value arguments[6];
  struct ends ends = {0};
  int namespace = -1;
  int64_t mark = 0, port = 0;
  NEED(heddle_arguments(env, call, 6, arguments));
  NEED(heddle_descriptor(env, arguments[0], -1, &namespace));
  NEED(heddle_text(env, arguments[1], "The name of a link", ends.link, sizeof ends.link));
  NEED(heddle_integer(env, arguments[2], "The mark", 0, UINT32_MAX, &mark));
  NEED(heddle_integer(env, arguments[5], "The port", 1, UINT16_MAX, &port));
  NEED(read_address(env, arguments[3], 0, &ends.from));
  NEED(read_address(env, arguments[4], port, &ends.to));
  if (ends.to.ss_family == 0 || (ends.from.ss_family != 0 && ends.from.ss_family != ends.to.ss_family)) {
    napi_throw_range_error(env, NULL, "Both addresses have to be of one IP version.");
    return NULL;
  }
  ends.mark = (uint32_t)mark;
  ends.bound = ends.from.ss_family != 0;
  return heddle_number(env, heddle_inside(namespace, begin_connection, &ends));
}

/* takeError(descriptor): what has become of a socket, as -errno; 0 where nothing is wrong. */
static napi_value take_error(napi_env env, napi_callback_info call) {
  napi_value argument;
  int64_t descriptor = -1;
  int error = 0;
  socklen_t length = sizeof error;
  NEED(heddle_arguments(env, call, 1, &argument));
  NEED(heddle_integer(env, argument, "A socket", 0, INT32_MAX, &descriptor));
  if (getsockopt((int)descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
  return heddle_number(env, -error);
}

static int set_hearing(int descriptor, const struct hearing *hearing) {
  /* Before it is bound, so that nothing else ever comes in. */
  if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &hearing->program, sizeof hearing->program) < 0)
    return -errno;
  const struct sockaddr_ll place = {
      .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)hearing->protocol), .sll_ifindex = hearing->index};
  if (bind(descriptor, (const struct sockaddr *)&place, sizeof place) < 0) return -errno;
  const struct packet_mreq all = {.mr_ifindex = hearing->index, .mr_type = PACKET_MR_ALLMULTI};
  if (setsockopt(descriptor, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0) return -errno;
  return descriptor;
}

static int begin_hearing(void *argument) {
  int descriptor = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -errno;
  int answer = set_hearing(descriptor, argument);
  if (answer < 0) close(descriptor);
  return answer;
}

/*
 * hearPackets(namespace, link index, protocol, program): a descriptor that takes in the packets of a protocol on a link,
 * groups' too, that a classic BPF program lets through; or -errno. Packets begin behind the header of the link layer.
 */
static napi_value hear(napi_env env, napi_callback_info call) {
  napi_value arguments[4];
  struct hearing hearing = {0};
  int namespace = -1;
  int64_t index = 0, protocol = 0;
  uint8_t *bytes = NULL;
  size_t length = 0;
  NEED(heddle_arguments(env, call, 4, arguments));
  NEED(heddle_descriptor(env, arguments[0], -1, &namespace));
  NEED(heddle_integer(env, arguments[1], "The index of a link", 1, INT32_MAX, &index));
  NEED(heddle_integer(env, arguments[2], "The protocol", 1, UINT16_MAX, &protocol));
  NEED(heddle_bytes(env, arguments[3], "The program", &bytes, &length));
  if (length == 0 || length % sizeof(struct sock_filter) != 0 || length / sizeof(struct sock_filter) > BPF_MAXINSNS) {
    napi_throw_type_error(env, NULL, "The program has to consist of whole instructions.");
    return NULL;
  }
  hearing.index = (int)index;
  hearing.protocol = (int)protocol;
  hearing.program.len = (unsigned short)(length / sizeof(struct sock_filter));
  hearing.program.filter = (struct sock_filter *)(void *)bytes;
  return heddle_number(env, heddle_inside(namespace, begin_hearing, &hearing));
}

/* takePacket(descriptor, bytes): the length of one packet, of which the first bytes are there, or -errno. */
static napi_value take_packet(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  int64_t descriptor = -1;
  uint8_t *bytes = NULL;
  size_t length = 0;
  NEED(heddle_arguments(env, call, 2, arguments));
  NEED(heddle_integer(env, arguments[0], "A socket", 0, INT32_MAX, &descriptor));
  NEED(heddle_bytes(env, arguments[1], "The room for a packet", &bytes, &length));
  ssize_t taken = recv((int)descriptor, bytes, length > MOST_BYTES ? MOST_BYTES : length, MSG_DONTWAIT | MSG_TRUNC);
  return heddle_number(env, taken < 0 ? -errno : taken);
}

static void closed(uv_handle_t *handle) {
  struct watch *watch = handle->data;
  watch->polled = false;
  if (watch->cleanup != NULL) napi_remove_async_cleanup_hook(watch->cleanup);
  watch->cleanup = NULL;
  if (watch->unreachable) free(watch);
}

static void end_watch(struct watch *watch) {
  if (!watch->watching) return;
  watch->watching = false;
  uv_poll_stop(&watch->poll);
  uv_close((uv_handle_t *)&watch->poll, closed);
}

static void finalize(napi_env env, void *pointer, void *hint) {
  struct watch *watch = pointer;
  (void)hint;
  napi_delete_reference(env, watch->self);
  watch->unreachable = true;
  end_watch(watch);
  if (!watch->polled) free(watch);
}

static void clean_up(napi_async_cleanup_hook_handle hook, void *pointer) {
  (void)hook;
  end_watch(pointer);
}

static void ready(uv_poll_t *poll, int status, int events) {
  struct watch *watch = poll->data;
  napi_env env = watch->env;
  napi_handle_scope scope;
  napi_value self, function, result;
  (void)events;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, watch->self, &self) == napi_ok && self != NULL &&
      napi_get_named_property(env, self, "ready", &function) == napi_ok &&
      napi_make_callback(env, NULL, self, function, 0, NULL, &result) == napi_pending_exception) {
    napi_value thrown;
    if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
  }
  /* libuv stops watching a socket that has an error to tell; whoever goes on watching has taken it. */
  if (status < 0 && watch->watching) uv_poll_start(poll, watch->writable ? UV_WRITABLE : UV_READABLE, ready);
  napi_close_handle_scope(env, scope);
}

/*
 * watchDescriptor(descriptor, writable, ready): an object; `ready` is called, as its method, whenever the descriptor can
 * be written (or read). It has to be ended by unwatch before the descriptor is closed, and does not keep the process
 * alive. Or -errno.
 */
static napi_value watch_descriptor(napi_env env, napi_callback_info call) {
  napi_value arguments[3], object;
  int64_t descriptor = -1;
  bool writable = false;
  uv_loop_t *loop = NULL;
  NEED(heddle_arguments(env, call, 3, arguments));
  NEED(heddle_integer(env, arguments[0], "A descriptor", 0, INT32_MAX, &descriptor));
  TRY(napi_get_value_bool(env, arguments[1], &writable));
  TRY(napi_get_uv_event_loop(env, &loop));
  TRY(napi_create_object(env, &object));
  TRY(napi_set_named_property(env, object, "ready", arguments[2]));
  TRY(napi_type_tag_object(env, object, &WATCH_TAG));
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return heddle_number(env, -ENOMEM);
  watch->env = env;
  if (napi_wrap(env, object, watch, finalize, NULL, &watch->self) != napi_ok) {
    free(watch);
    return heddle_fail(env);
  }
  int failed = uv_poll_init(loop, &watch->poll, (int)descriptor);
  if (failed) return heddle_number(env, failed);
  watch->poll.data = watch;
  watch->polled = true;
  watch->watching = true;
  watch->writable = writable;
  failed = uv_poll_start(&watch->poll, writable ? UV_WRITABLE : UV_READABLE, ready);
  uv_unref((uv_handle_t *)&watch->poll);
  if (failed || napi_add_async_cleanup_hook(env, clean_up, watch, &watch->cleanup) != napi_ok) {
    end_watch(watch);
    return heddle_number(env, failed ? failed : -ENOMEM);
  }
  TRY(napi_reference_ref(env, watch->self, NULL));
  return object;
}

/* unwatch(object): may be called any number of times. The descriptor stays open. */
static napi_value unwatch(napi_env env, napi_callback_info call) {
  napi_value argument;
  bool tagged = false;
  void *pointer = NULL;
  NEED(heddle_arguments(env, call, 1, &argument));
  if (napi_check_object_type_tag(env, argument, &WATCH_TAG, &tagged) != napi_ok || !tagged ||
      napi_unwrap(env, argument, &pointer) != napi_ok) {
    napi_throw_type_error(env, NULL, "The first argument has to be a watch.");
    return NULL;
  }
  struct watch *watch = pointer;
  if (!watch->watching) return NULL;
  end_watch(watch);
  TRY(napi_reference_unref(env, watch->self, NULL));
  return NULL;
}

bool heddle_define_probe(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "beginConnection", begin) &&
         heddle_define(env, exports, "takeError", take_error) &&
         heddle_define(env, exports, "hearPackets", hear) &&
         heddle_define(env, exports, "takePacket", take_packet) &&
         heddle_define(env, exports, "watchDescriptor", watch_descriptor) &&
         heddle_define(env, exports, "unwatch", unwatch);
}
