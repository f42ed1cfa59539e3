/*
 * Owns sockets that move frames in batches: packet sockets on a link, datagrams between sockets in the file system, and
 * memberships of a link in multicast groups. Frames are JavaScript's from end to end: nothing here looks into one.
 */
#include "frames.h"

#include <uv.h>

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* linux/if_packet.h, from 4.20 on. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum { MOST_BUFFER = 1 << 28, MOST_WAIT_MS = 1000 };

static const napi_type_tag FRAMES_TAG = {0x6865646c652d6672ULL, 0x61c0d2a98f4b7715ULL};

struct frames {
  uv_poll_t poll;
  napi_env env;
  napi_ref self; /* strong while the socket is open */
  napi_async_cleanup_hook_handle cleanup;
  int descriptor; /* -1 once closed */
  bool polled, unreachable;
};

struct link_request {
  int index;
  struct sock_fprog program;
  int receive_buffer, send_buffer;
  const uint8_t *group; /* a multicast hardware address that the card is to let through, zeros for all, or NULL */
};

struct path_request {
  struct sockaddr_un own;
  socklen_t own_length;
  int receive_buffer, send_buffer;
};

static void set_buffer(int descriptor, int forced, int ordinary, int size) {
  if (setsockopt(descriptor, SOL_SOCKET, forced, &size, sizeof size) < 0)
    setsockopt(descriptor, SOL_SOCKET, ordinary, &size, sizeof size);
}

static int set_up_link(int descriptor, const struct link_request *request) {
  const int on = 1;
  set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, request->receive_buffer);
  set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, request->send_buffer);
  if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &request->program, sizeof request->program) < 0) return -errno;
  /* What this socket sends must not come back to it. */
  if (setsockopt(descriptor, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) < 0) return -errno;
  if (request->group != NULL) {
    struct packet_mreq membership = {.mr_ifindex = request->index, .mr_type = PACKET_MR_MULTICAST, .mr_alen = ETH_ALEN};
    memcpy(membership.mr_address, request->group, ETH_ALEN);
    static const uint8_t all[ETH_ALEN];
    if (memcmp(request->group, all, ETH_ALEN) == 0) membership.mr_type = PACKET_MR_ALLMULTI;
    if (setsockopt(descriptor, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &membership, sizeof membership) < 0) return -errno;
  }
  const struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = request->index};
  /* Only now does it hear anything: nothing came in before the filter stood. */
  if (bind(descriptor, (const struct sockaddr *)&address, sizeof address) < 0) return -errno;
  return descriptor;
}

static int make_link_socket(void *argument) {
  int descriptor = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -errno;
  int answer = set_up_link(descriptor, argument);
  if (answer < 0) close(descriptor);
  return answer;
}

static int make_path_socket(const struct path_request *request) {
  int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return -errno;
  set_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, request->receive_buffer);
  set_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, request->send_buffer);
  if (bind(descriptor, (const struct sockaddr *)&request->own, request->own_length) == 0) return descriptor;
  int failed = -errno;
  close(descriptor);
  return failed;
}

static void closed(uv_handle_t *handle) {
  struct frames *frames = (struct frames *)handle->data;
  frames->polled = false;
  if (frames->cleanup != NULL) napi_remove_async_cleanup_hook(frames->cleanup);
  frames->cleanup = NULL;
  if (frames->unreachable) free(frames);
}

static void close_frames(struct frames *frames) {
  if (frames->descriptor < 0) return;
  uv_poll_stop(&frames->poll);
  uv_close((uv_handle_t *)&frames->poll, closed);
  close(frames->descriptor);
  frames->descriptor = -1;
}

static void finalize(napi_env env, void *pointer, void *hint) {
  (void)hint;
  struct frames *frames = pointer;
  napi_delete_reference(env, frames->self);
  frames->unreachable = true;
  close_frames(frames);
  if (!frames->polled) free(frames);
}

static void clean_up(napi_async_cleanup_hook_handle hook, void *pointer) {
  (void)hook;
  close_frames(pointer);
}

int heddle_frames_descriptor(const struct frames *frames) { return frames->descriptor; }

/* Calls `readable` of the socket object, which takes what is there with receiveFrames. */
void heddle_frames_wake(struct frames *frames) {
  napi_env env = frames->env;
  napi_handle_scope scope;
  napi_value self, function, result;
  napi_valuetype type;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, frames->self, &self) == napi_ok && self != NULL &&
      napi_get_named_property(env, self, "readable", &function) == napi_ok &&
      napi_typeof(env, function, &type) == napi_ok && type == napi_function &&
      napi_make_callback(env, NULL, self, function, 0, NULL, &result) == napi_pending_exception) {
    napi_value thrown;
    if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
  }
  napi_close_handle_scope(env, scope);
}

static void readable(uv_poll_t *poll, int status, int events) {
  struct frames *frames = (struct frames *)poll->data;
  (void)events;
  heddle_frames_wake(frames);
  /* libuv stops watching a socket with an error, as ENETDOWN is; the link may come up again. */
  if (status < 0 && frames->descriptor >= 0) uv_poll_start(poll, UV_READABLE, readable);
}

void heddle_frames_watch(struct frames *frames, bool watched) {
  if (frames->descriptor < 0) return;
  if (watched) uv_poll_start(&frames->poll, UV_READABLE, readable);
  else uv_poll_stop(&frames->poll);
}

/* The socket object of a descriptor, which is closed where it cannot be had. */
static napi_value wrap(napi_env env, int descriptor) {
  uv_loop_t *loop = NULL;
  napi_value object;
  struct frames *frames = calloc(1, sizeof *frames);
  if (frames == NULL) {
    close(descriptor);
    return heddle_number(env, -ENOMEM);
  }
  frames->env = env;
  frames->descriptor = -1;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok || napi_create_object(env, &object) != napi_ok ||
      napi_type_tag_object(env, object, &FRAMES_TAG) != napi_ok ||
      napi_wrap(env, object, frames, finalize, NULL, &frames->self) != napi_ok) {
    close(descriptor);
    free(frames);
    return heddle_fail(env);
  }
  int failed = uv_poll_init(loop, &frames->poll, descriptor);
  if (failed) {
    close(descriptor);
    return heddle_number(env, failed);
  }
  frames->poll.data = frames;
  frames->polled = true;
  frames->descriptor = descriptor;
  failed = uv_poll_start(&frames->poll, UV_READABLE, readable);
  if (failed || napi_add_async_cleanup_hook(env, clean_up, frames, &frames->cleanup) != napi_ok ||
      napi_reference_ref(env, frames->self, NULL) != napi_ok) {
    close_frames(frames);
    return heddle_number(env, failed ? failed : -ENOMEM);
  }
  return object;
}

static bool read_buffers(napi_env env, const napi_value *arguments, int *receive_buffer, int *send_buffer) {
  int64_t receive = 0, send = 0;
  if (!heddle_integer(env, arguments[0], "The receive buffer", 1, MOST_BUFFER, &receive)) return false;
  if (!heddle_integer(env, arguments[1], "The send buffer", 1, MOST_BUFFER, &send)) return false;
  *receive_buffer = (int)receive;
  *send_buffer = (int)send;
  return true;
}

/*
 * openFrameSocket(namespace, index, program, group, receiveBuffer, sendBuffer): a socket object that hears whole frames
 * of a link, less what the classic BPF program does not want, or -errno. `group`: 6 bytes, zeros for all groups, or none.
 */
static napi_value open_frame_socket(napi_env env, napi_callback_info call) {
  napi_value arguments[6];
  struct link_request request = {0};
  int namespace = -1;
  int64_t index = 0;
  uint8_t *program = NULL, *group = NULL;
  size_t length = 0, group_length = 0;
  NEED(heddle_arguments(env, call, 6, arguments));
  NEED(heddle_descriptor(env, arguments[0], -1, &namespace));
  NEED(heddle_integer(env, arguments[1], "The index of a link", 1, INT32_MAX, &index));
  NEED(heddle_bytes(env, arguments[2], "The program", &program, &length));
  NEED(heddle_bytes(env, arguments[3], "The hardware address", &group, &group_length));
  NEED(read_buffers(env, arguments + 4, &request.receive_buffer, &request.send_buffer));
  if (length == 0 || length % sizeof(struct sock_filter) != 0 || length / sizeof(struct sock_filter) > BPF_MAXINSNS ||
      (group_length != 0 && group_length != ETH_ALEN)) {
    napi_throw_range_error(env, NULL, "The program has to be whole instructions, the address 6 bytes or none.");
    return NULL;
  }
  request.index = (int)index;
  request.program = (struct sock_fprog){.len = (unsigned short)(length / sizeof(struct sock_filter)),
                                        .filter = (struct sock_filter *)(void *)program};
  request.group = group_length == 0 ? NULL : group;
  int descriptor = heddle_inside(namespace, make_link_socket, &request);
  return descriptor < 0 ? heddle_number(env, descriptor) : wrap(env, descriptor);
}

/* openPathSocket(path, receiveBuffer, sendBuffer): a socket object for datagrams at a path that is free, or -errno. */
static napi_value open_path_socket(napi_env env, napi_callback_info call) {
  napi_value arguments[3];
  struct path_request request = {0};
  NEED(heddle_arguments(env, call, 3, arguments));
  NEED(heddle_unix_address(env, arguments[0], &request.own, &request.own_length));
  NEED(read_buffers(env, arguments + 1, &request.receive_buffer, &request.send_buffer));
  int descriptor = make_path_socket(&request);
  return descriptor < 0 ? heddle_number(env, descriptor) : wrap(env, descriptor);
}

struct frames *heddle_frames(napi_env env, napi_value value) {
  bool tagged = false;
  void *frames = NULL;
  if (napi_check_object_type_tag(env, value, &FRAMES_TAG, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, value, &frames) == napi_ok)
    return frames;
  napi_throw_type_error(env, NULL, "The first argument has to be a socket for frames.");
  return NULL;
}

/*
 * connectFrames(socket, path): where the datagrams of a path socket go from now on, and the only place that they are
 * taken from; 0, or -errno. Two sockets that are connected to each other have no limit but their buffers (unix(7)).
 */
static napi_value connect_frames(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  struct sockaddr_un peer;
  socklen_t length = 0;
  NEED(heddle_arguments(env, call, 2, arguments));
  struct frames *frames = heddle_frames(env, arguments[0]);
  NEED(frames != NULL);
  NEED(heddle_unix_address(env, arguments[1], &peer, &length));
  if (frames->descriptor < 0) return heddle_number(env, -EBADF);
  return heddle_number(env, connect(frames->descriptor, (const struct sockaddr *)&peer, length) < 0 ? -errno : 0);
}

/* An Int32Array with room for `count` numbers; false after a throw. */
static bool read_numbers(napi_env env, napi_value value, size_t count, int32_t **numbers) {
  napi_typedarray_type type;
  size_t length = 0;
  void *start = NULL;
  if (napi_get_typedarray_info(env, value, &type, &length, &start, NULL, NULL) == napi_ok && type == napi_int32_array &&
      length >= count) {
    *numbers = start;
    return true;
  }
  napi_throw_type_error(env, NULL, "Offsets and lengths have to be an Int32Array that is long enough.");
  return false;
}

/*
 * receiveFrames(socket, bytes, slot, room, lengths): what is there, a frame in each slot of `slot` bytes behind `room`
 * bytes that stay free; lengths[i] is -1 for a frame that did not fit. The number of frames, or -errno. Never waits.
 */
static napi_value receive_frames(napi_env env, napi_callback_info call) {
  napi_value arguments[5];
  uint8_t *bytes = NULL;
  size_t size = 0;
  int64_t slot = 0, room = 0;
  int32_t *lengths = NULL;
  NEED(heddle_arguments(env, call, 5, arguments));
  struct frames *frames = heddle_frames(env, arguments[0]);
  NEED(frames != NULL);
  NEED(heddle_bytes(env, arguments[1], "The arena", &bytes, &size));
  NEED(heddle_integer(env, arguments[2], "The size of a slot", 1, 1 << 20, &slot));
  NEED(heddle_integer(env, arguments[3], "The room before a frame", 0, slot - 1, &room));
  size_t slots = size / (size_t)slot;
  if (slots > MOST_FRAMES) slots = MOST_FRAMES;
  NEED(read_numbers(env, arguments[4], slots, &lengths));
  if (frames->descriptor < 0) return heddle_number(env, -EBADF);
  struct mmsghdr messages[MOST_FRAMES];
  struct iovec vectors[MOST_FRAMES];
  memset(messages, 0, slots * sizeof *messages);
  for (size_t i = 0; i < slots; i++) {
    vectors[i] = (struct iovec){.iov_base = bytes + i * (size_t)slot + room, .iov_len = (size_t)(slot - room)};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int count = recvmmsg(frames->descriptor, messages, (unsigned)slots, MSG_DONTWAIT, NULL);
  if (count < 0) return heddle_number(env, -errno);
  for (int i = 0; i < count; i++)
    lengths[i] = messages[i].msg_hdr.msg_flags & MSG_TRUNC ? FRAME_TRUNCATED : (int32_t)messages[i].msg_len;
  return heddle_number(env, count);
}

int heddle_frames_send(int descriptor, struct mmsghdr *messages, int32_t *places, int count, int wait_ms) {
  int sent = 0;
  for (int next = 0; next < count;) {
    int done = sendmmsg(descriptor, messages + next, (unsigned)(count - next), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done > 0) {
      sent += done;
      next += done;
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN && wait_ms > 0) {
      /* The other side is to catch up, and not to hold this one up for ever: once for a batch. */
      struct pollfd ready = {.fd = descriptor, .events = POLLOUT};
      if (poll(&ready, 1, wait_ms) > 0) continue;
      wait_ms = 0;
      continue;
    }
    places[2 * next++ + 1] = -errno;
  }
  return sent;
}

/*
 * sendFrames(socket, bytes, places, count, waitMs): frames that lie in one array, of which `places` has offset and length
 * in turn. How many were sent; for one that was not, its length becomes -errno. Waits a while for a full receiver.
 */
static napi_value send_frames(napi_env env, napi_callback_info call) {
  napi_value arguments[5];
  uint8_t *bytes = NULL;
  size_t size = 0;
  int32_t *places = NULL;
  int64_t count = 0, wait_ms = 0;
  NEED(heddle_arguments(env, call, 5, arguments));
  struct frames *frames = heddle_frames(env, arguments[0]);
  NEED(frames != NULL);
  NEED(heddle_bytes(env, arguments[1], "The frames", &bytes, &size));
  NEED(heddle_integer(env, arguments[3], "The number of frames", 0, MOST_FRAMES, &count));
  NEED(heddle_integer(env, arguments[4], "The time to wait", 0, MOST_WAIT_MS, &wait_ms));
  NEED(read_numbers(env, arguments[2], (size_t)count * 2, &places));
  struct mmsghdr messages[MOST_FRAMES];
  struct iovec vectors[MOST_FRAMES];
  memset(messages, 0, (size_t)count * sizeof *messages);
  for (int64_t i = 0; i < count; i++) {
    int64_t at = places[2 * i], length = places[2 * i + 1];
    if (at < 0 || length < 0 || (size_t)at + (size_t)length > size) {
      napi_throw_range_error(env, NULL, "A frame does not lie within the array.");
      return NULL;
    }
    vectors[i] = (struct iovec){.iov_base = bytes + at, .iov_len = (size_t)length};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  if (frames->descriptor < 0) return heddle_number(env, -EBADF);
  return heddle_number(env, heddle_frames_send(frames->descriptor, messages, places, (int)count, (int)wait_ms));
}

/* closeFrames(socket): may be called any number of times. */
static napi_value close_socket(napi_env env, napi_callback_info call) {
  napi_value argument;
  NEED(heddle_arguments(env, call, 1, &argument));
  struct frames *frames = heddle_frames(env, argument);
  NEED(frames != NULL);
  if (frames->descriptor < 0) return NULL;
  close_frames(frames);
  TRY(napi_reference_unref(env, frames->self, NULL));
  return NULL;
}

/* droppedFrames(socket): frames that a packet socket had no room for since this was asked last, or -errno. */
static napi_value dropped_frames(napi_env env, napi_callback_info call) {
  napi_value argument;
  struct tpacket_stats statistics = {0};
  socklen_t length = sizeof statistics;
  NEED(heddle_arguments(env, call, 1, &argument));
  struct frames *frames = heddle_frames(env, argument);
  NEED(frames != NULL);
  if (frames->descriptor < 0) return heddle_number(env, -EBADF);
  if (getsockopt(frames->descriptor, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) < 0)
    return heddle_number(env, -errno);
  return heddle_number(env, statistics.tp_drops);
}

struct membership {
  int family;
};

static int make_membership_socket(void *argument) {
  const struct membership *membership = argument;
  int descriptor = socket(membership->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return descriptor < 0 ? -errno : descriptor;
}

/* openMembership(namespace, family): descriptor of a socket that joins groups and hears nothing, or -errno. */
static napi_value open_membership(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  int namespace = -1;
  int64_t family = 4;
  NEED(heddle_arguments(env, call, 2, arguments));
  NEED(heddle_descriptor(env, arguments[0], -1, &namespace));
  NEED(heddle_integer(env, arguments[1], "An IP version", 4, 6, &family));
  struct membership membership = {.family = family == 4 ? AF_INET : AF_INET6};
  return heddle_number(env, heddle_inside(namespace, make_membership_socket, &membership));
}

/* joinGroup(descriptor, index, group): the link becomes a member as long as the descriptor is open; 0, or -errno. */
static napi_value join_group(napi_env env, napi_callback_info call) {
  napi_value arguments[3];
  int descriptor = -1;
  int64_t index = 0;
  uint8_t *group = NULL;
  size_t length = 0;
  struct group_req request;
  NEED(heddle_arguments(env, call, 3, arguments));
  NEED(heddle_descriptor(env, arguments[0], 0, &descriptor));
  NEED(heddle_integer(env, arguments[1], "The index of a link", 1, INT32_MAX, &index));
  NEED(heddle_bytes(env, arguments[2], "The group", &group, &length));
  if (length != 4 && length != 16) {
    napi_throw_range_error(env, NULL, "A group has 4 or 16 bytes.");
    return NULL;
  }
  memset(&request, 0, sizeof request);
  request.gr_interface = (uint32_t)index;
  if (length == 4) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    memcpy(&address.sin_addr, group, length);
    memcpy(&request.gr_group, &address, sizeof address);
  } else {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    memcpy(&address.sin6_addr, group, length);
    memcpy(&request.gr_group, &address, sizeof address);
  }
  int level = length == 4 ? IPPROTO_IP : IPPROTO_IPV6;
  return heddle_number(env, setsockopt(descriptor, level, MCAST_JOIN_GROUP, &request, sizeof request) < 0 ? -errno : 0);
}

bool heddle_define_frames(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "openFrameSocket", open_frame_socket) &&
         heddle_define(env, exports, "openPathSocket", open_path_socket) &&
         heddle_define(env, exports, "connectFrames", connect_frames) &&
         heddle_define(env, exports, "receiveFrames", receive_frames) &&
         heddle_define(env, exports, "sendFrames", send_frames) &&
         heddle_define(env, exports, "closeFrames", close_socket) &&
         heddle_define(env, exports, "droppedFrames", dropped_frames) &&
         heddle_define(env, exports, "openMembership", open_membership) &&
         heddle_define(env, exports, "joinGroup", join_group);
}
