/*
 * Owns the relay: a thread that takes frames from one socket and sends those of known flows by another. From the first frame
 * of a batch on that no flow is known for, the batch is JavaScript's, and the thread waits until it has dealt with it: only one
 * of the two is at work, so that messages keep their order, and nobody sees half of a change (docs/adr/0100).
 */
#include "flow-calls.h"
#include "frames.h"

#include <uv.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BATCH = 64, READ_BEFORE = 1 << 16, PAUSE_MS = 10 };


static const napi_type_tag RELAY_TAG = {0x6865646c652d7279ULL, 0x4be07f3d92c51a86ULL};

struct relay {
  uv_async_t async;
  napi_env env;
  napi_ref flows_object, from_object, bytes_object, lengths_object;
  napi_async_cleanup_hook_handle cleanup;
  pthread_t thread;
  struct flow_table *table;
  struct frames *from;
  int in, out, wait_ms; /* own descriptors, so that a socket that is closed is not another's */
  uint8_t *bytes;
  size_t slot, room;
  int32_t *lengths;
  bool running, ended;
  /* Guarded by the table's mutex: frames that wait for JavaScript, and whether the thread is to end. */
  int pending;
  bool stopped;
  int last; /* frames of the batch before */
  struct flow_passed passed[BATCH];
  int32_t places[2 * BATCH];
  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
};

static uint8_t *frame_at(const struct relay *relay, int i) { return relay->bytes + (size_t)i * relay->slot + relay->room; }

/* Two bytes behind a frame stay free, for a VCRC. */
static size_t most_of(const struct relay *relay) { return relay->slot - relay->room - 2; }

static int take(struct relay *relay) {
  for (int i = 0; i < BATCH; i++)
    relay->vectors[i] = (struct iovec){.iov_base = frame_at(relay, i), .iov_len = most_of(relay)};
  int count = recvmmsg(relay->in, relay->messages, BATCH, MSG_DONTWAIT, NULL);
  if (count < 0) return -errno;
  for (int i = 0; i < count; i++)
    relay->lengths[i] = relay->messages[i].msg_hdr.msg_flags & MSG_TRUNC ? FRAME_TRUNCATED : (int32_t)relay->messages[i].msg_len;
  return count;
}

static void forward(struct relay *relay, int count) {
  for (int i = 0; i < count; i++) {
    const struct flow_passed *passed = &relay->passed[i];
    relay->vectors[i] = (struct iovec){.iov_base = frame_at(relay, i) + passed->start, .iov_len = (size_t)passed->length};
    relay->places[2 * i + 1] = passed->length;
  }
  heddle_frames_send(relay->out, relay->messages, relay->places, count, relay->wait_ms);
  for (int i = 0; i < count; i++) flow_count(relay->table, &relay->passed[i], relay->places[2 * i + 1] >= 0);
}

/* Passes on what is known at the beginning of a batch; how many frames that were. */
static int relay_batch(struct relay *relay, int count) {
  /* After they were taken, so that a thread that was held up does not take an old lease for a new one. */
  const int64_t now = flow_now();
  int known = 0;
  while (known < count && relay->lengths[known] > 0 &&
         flow_pass(relay->table, frame_at(relay, known), (size_t)relay->lengths[known], now, &relay->passed[known])) {
    /* It is not JavaScript's any more. */
    relay->lengths[known++] = 0;
  }
  if (known > 0) forward(relay, known);
  return known;
}

static void wait_for_frames(const struct relay *relay) {
  struct pollfd ready = {.fd = relay->in, .events = POLLIN};
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
  poll(&ready, 1, -1);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
}

static void *run(void *argument) {
  struct relay *relay = argument;
  struct flow_table *table = relay->table;
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  for (bool stopped = false; !stopped;) {
    /* After a full batch there is more. */
    if (relay->last < BATCH) wait_for_frames(relay);
    pthread_mutex_lock(&table->mutex);
    while ((table->held || atomic_load(&table->wanted) > 0) && !relay->stopped) pthread_cond_wait(&table->freed, &table->mutex);
    int count = relay->stopped ? 0 : take(relay);
    if (count > 0 && relay_batch(relay, count) < count) {
      relay->pending = count;
      table->held = true;
      uv_async_send(&relay->async);
      while (table->held && !relay->stopped) pthread_cond_wait(&table->freed, &table->mutex);
    }
    relay->last = count;
    stopped = relay->stopped;
    pthread_mutex_unlock(&table->mutex);
    /* A link that went down tells so once, and again when it is asked again. */
    if (count < 0 && count != -EAGAIN && count != -EINTR) poll(NULL, 0, PAUSE_MS);
  }
  return NULL;
}

static void stop(struct relay *relay) {
  if (!relay->running) return;
  relay->running = false;
  flow_lock(relay->table);
  relay->stopped = true;
  flow_unlock(relay->table);
  pthread_cancel(relay->thread);
  pthread_join(relay->thread, NULL);
  relay->table->held = false;
}

static void closed(uv_handle_t *handle) {
  struct relay *relay = (struct relay *)handle->data;
  if (relay->cleanup != NULL) napi_remove_async_cleanup_hook(relay->cleanup);
  close(relay->in);
  close(relay->out);
  free(relay);
}

static void end(struct relay *relay) {
  if (relay->ended) return;
  relay->ended = true;
  stop(relay);
  uv_close((uv_handle_t *)&relay->async, closed);
}

static void clean_up(napi_async_cleanup_hook_handle hook, void *pointer) {
  (void)hook;
  end(pointer);
}

static void wake(uv_async_t *async) {
  struct relay *relay = (struct relay *)async->data;
  if (!relay->ended) heddle_frames_wake(relay->from);
}

static struct relay *relay_of(napi_env env, napi_value value) {
  bool tagged = false;
  void *relay = NULL;
  if (napi_check_object_type_tag(env, value, &RELAY_TAG, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, value, &relay) == napi_ok)
    return relay;
  napi_throw_type_error(env, NULL, "The first argument has to be a relay that is open.");
  return NULL;
}

/* Gives the relay up where it cannot begin. */
static int start(struct relay *relay, uv_loop_t *loop) {
  sigset_t all, mask;
  int failed = relay->in < 0 || relay->out < 0 ? -errno : uv_async_init(loop, &relay->async, wake);
  if (failed) {
    if (relay->in >= 0) close(relay->in);
    if (relay->out >= 0) close(relay->out);
    free(relay);
    return failed;
  }
  relay->async.data = relay;
  for (int i = 0; i < BATCH; i++)
    relay->messages[i].msg_hdr = (struct msghdr){.msg_iov = &relay->vectors[i], .msg_iovlen = 1};
  /* Signals are the main thread's. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  failed = -pthread_create(&relay->thread, NULL, run, relay);
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  relay->running = failed == 0;
  if (failed) uv_close((uv_handle_t *)&relay->async, closed);
  return failed;
}

/*
 * openRelay(from, to, flows, bytes, slot, room, lengths, waitMs): a relay that receives as receiveFrames does, or -errno. From
 * now on only takeBatch takes from the socket; its `readable` is called when there is something to take.
 */
static napi_value open_relay(napi_env env, napi_callback_info call) {
  napi_value arguments[8], object;
  uint8_t *bytes = NULL;
  size_t size = 0, count = 0;
  int64_t slot = 0, room = 0, wait_ms = 0;
  napi_typedarray_type type;
  void *lengths = NULL;
  uv_loop_t *loop = NULL;
  NEED(heddle_arguments(env, call, 8, arguments));
  struct frames *from = heddle_frames(env, arguments[0]), *to = from == NULL ? NULL : heddle_frames(env, arguments[1]);
  struct flows *flows = to == NULL ? NULL : heddle_flows(env, arguments[2]);
  NEED(flows != NULL);
  NEED(heddle_bytes(env, arguments[3], "The arena", &bytes, &size));
  NEED(heddle_integer(env, arguments[4], "The size of a slot", 128, 1 << 20, &slot));
  NEED(heddle_integer(env, arguments[5], "The room before a frame", 64, slot - 64, &room));
  NEED(heddle_integer(env, arguments[7], "The time to wait", 0, 1000, &wait_ms));
  TRY(napi_get_typedarray_info(env, arguments[6], &type, &count, &lengths, NULL, NULL));
  if (type != napi_int32_array || count < BATCH || size < BATCH * (size_t)slot) {
    napi_throw_range_error(env, NULL, "A batch does not fit the arena and its lengths.");
    return NULL;
  }
  TRY(napi_get_uv_event_loop(env, &loop));
  struct relay *relay = calloc(1, sizeof *relay);
  if (relay == NULL) return heddle_number(env, -ENOMEM);
  *relay = (struct relay){.env = env, .table = &flows->table, .from = from, .wait_ms = (int)wait_ms, .bytes = bytes,
                          .slot = (size_t)slot, .room = (size_t)room, .lengths = lengths};
  relay->in = fcntl(heddle_frames_descriptor(from), F_DUPFD_CLOEXEC, 3);
  relay->out = fcntl(heddle_frames_descriptor(to), F_DUPFD_CLOEXEC, 3);
  int failed = start(relay, loop);
  if (failed) return heddle_number(env, failed);
  heddle_frames_watch(from, false);
  if (napi_create_object(env, &object) == napi_ok && napi_type_tag_object(env, object, &RELAY_TAG) == napi_ok &&
      napi_wrap(env, object, relay, NULL, NULL, NULL) == napi_ok &&
      napi_create_reference(env, arguments[0], 1, &relay->from_object) == napi_ok &&
      napi_create_reference(env, arguments[2], 1, &relay->flows_object) == napi_ok &&
      napi_create_reference(env, arguments[3], 1, &relay->bytes_object) == napi_ok &&
      napi_create_reference(env, arguments[6], 1, &relay->lengths_object) == napi_ok &&
      napi_add_async_cleanup_hook(env, clean_up, relay, &relay->cleanup) == napi_ok)
    return object;
  end(relay);
  return heddle_fail(env);
}

/*
 * takeBatch(relay): the frames are JavaScript's until resumeRelay; how many are in the arena, or -errno. A length of 0 is no frame.
 * 65536 is added where the thread had read them before.
 */
static napi_value take_batch(napi_env env, napi_callback_info call) {
  napi_value argument;
  NEED(heddle_arguments(env, call, 1, &argument));
  struct relay *relay = relay_of(env, argument);
  NEED(relay != NULL);
  flow_lock(relay->table);
  int count = relay->pending > 0 ? relay->pending + READ_BEFORE : take(relay);
  relay->pending = 0;
  relay->table->held = true;
  flow_unlock(relay->table);
  return heddle_number(env, count);
}

/* resumeRelay(relay): the thread goes on. */
static napi_value resume_relay(napi_env env, napi_callback_info call) {
  napi_value argument;
  NEED(heddle_arguments(env, call, 1, &argument));
  struct relay *relay = relay_of(env, argument);
  NEED(relay != NULL);
  flow_lock(relay->table);
  relay->table->held = false;
  flow_unlock(relay->table);
  return NULL;
}

/* closeRelay(relay): the socket is read by receiveFrames again. The relay must not be used any more. */
static napi_value close_relay(napi_env env, napi_callback_info call) {
  napi_value argument;
  void *removed = NULL;
  NEED(heddle_arguments(env, call, 1, &argument));
  struct relay *relay = relay_of(env, argument);
  NEED(relay != NULL);
  TRY(napi_remove_wrap(env, argument, &removed));
  stop(relay);
  heddle_frames_watch(relay->from, true);
  napi_ref references[] = {relay->from_object, relay->flows_object, relay->bytes_object, relay->lengths_object};
  for (size_t i = 0; i < sizeof references / sizeof *references; i++) napi_delete_reference(env, references[i]);
  end(relay);
  return NULL;
}

bool heddle_define_relay(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "openRelay", open_relay) && heddle_define(env, exports, "takeBatch", take_batch) &&
         heddle_define(env, exports, "resumeRelay", resume_relay) &&
         heddle_define(env, exports, "closeRelay", close_relay);
}
