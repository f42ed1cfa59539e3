/* Owns the table of flows as JavaScript has it. */
#include "flow-calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const napi_type_tag FLOWS_TAG = {0x6865646c652d666cULL, 0x7d2c19e5b0a64f38ULL};

/* Four numbers tell of a flow: its index, packets, bytes of payload, packets that could not be sent. */
enum { TOLD = 4 };

static void finalize(napi_env env, void *pointer, void *hint) {
  struct flows *flows = pointer;
  (void)hint;
  napi_delete_reference(env, flows->sequence);
  flow_free(&flows->table);
  free(flows);
}

struct flows *heddle_flows(napi_env env, napi_value value) {
  bool tagged = false;
  void *flows = NULL;
  if (napi_check_object_type_tag(env, value, &FLOWS_TAG, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, value, &flows) == napi_ok)
    return flows;
  napi_throw_type_error(env, NULL, "A table of flows is missing.");
  return NULL;
}

static bool read_sequence(napi_env env, napi_value value, uint32_t **sequence) {
  napi_typedarray_type type;
  size_t length = 0;
  void *start = NULL;
  if (napi_get_typedarray_info(env, value, &type, &length, &start, NULL, NULL) == napi_ok &&
      type == napi_uint32_array && length == 1) {
    *sequence = start;
    return true;
  }
  napi_throw_type_error(env, NULL, "The sequence number has to be an Uint32Array of one.");
  return false;
}

/*
 * openFlows(most, kind, sequence): a table for so many flows. `kind` is a sum: 1 for native packets, 2 where they have to have
 * a right VCRC and ICRC, 4 where what is made gets a VCRC. -errno where there is no memory.
 */
static napi_value open_flows(napi_env env, napi_callback_info call) {
  napi_value arguments[3], object;
  int64_t most = 0, kind = 0;
  uint32_t *sequence = NULL;
  NEED(heddle_arguments(env, call, 3, arguments));
  NEED(heddle_integer(env, arguments[0], "The number of flows", 1, MOST_FLOWS, &most));
  NEED(heddle_integer(env, arguments[1], "The kind", 0, 7, &kind));
  NEED(read_sequence(env, arguments[2], &sequence));
  struct flows *flows = calloc(1, sizeof *flows);
  if (flows == NULL || !flow_init(&flows->table, (uint32_t)most)) {
    free(flows);
    return heddle_number(env, -ENOMEM);
  }
  flows->table.native = (kind & 1) != 0;
  flows->table.checks = (kind & 2) != 0;
  flows->table.seals = (kind & 4) != 0;
  flows->table.sequence = sequence;
  if (napi_create_object(env, &object) == napi_ok && napi_type_tag_object(env, object, &FLOWS_TAG) == napi_ok &&
      napi_create_reference(env, arguments[2], 1, &flows->sequence) == napi_ok &&
      napi_wrap(env, object, flows, finalize, NULL, NULL) == napi_ok)
    return object;
  flow_free(&flows->table);
  free(flows);
  return heddle_fail(env);
}

/* addFlow(flows, spec): the index of a new flow, or why there is none: see flow_add. */
static napi_value add_flow(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  uint8_t *bytes = NULL;
  size_t length = 0;
  struct flow_spec spec;
  NEED(heddle_arguments(env, call, 2, arguments));
  struct flows *flows = heddle_flows(env, arguments[0]);
  NEED(flows != NULL);
  NEED(heddle_bytes(env, arguments[1], "The flow", &bytes, &length));
  if (length != sizeof spec) {
    napi_throw_range_error(env, NULL, "A flow has another length.");
    return NULL;
  }
  memcpy(&spec, bytes, sizeof spec);
  flow_lock(&flows->table);
  int32_t index = flow_add(&flows->table, &spec);
  flow_unlock(&flows->table);
  return heddle_number(env, index);
}

static bool read_told(napi_env env, napi_value value, double **told, size_t *room) {
  napi_typedarray_type type;
  void *start = NULL;
  if (napi_get_typedarray_info(env, value, &type, room, &start, NULL, NULL) == napi_ok && type == napi_float64_array &&
      *room >= TOLD) {
    *told = start;
    return true;
  }
  napi_throw_type_error(env, NULL, "Counts have to be a Float64Array of four or more.");
  return false;
}

static void tell(struct flow_table *table, int32_t index, double *told) {
  struct flow *flow = &table->flows[index];
  told[0] = index;
  told[1] = (double)flow->packets;
  told[2] = (double)flow->bytes;
  told[3] = (double)flow->unsent;
  flow->packets = flow->bytes = flow->unsent = 0;
}

/* removeFlow(flows, index, told): there is no such flow any more; what it has passed on since that was told last. */
static napi_value remove_flow(napi_env env, napi_callback_info call) {
  napi_value arguments[3];
  int64_t index = 0;
  double *told = NULL;
  size_t room = 0;
  NEED(heddle_arguments(env, call, 3, arguments));
  struct flows *flows = heddle_flows(env, arguments[0]);
  NEED(flows != NULL);
  NEED(heddle_integer(env, arguments[1], "The flow", 0, (int64_t)flows->table.most - 1, &index));
  NEED(read_told(env, arguments[2], &told, &room));
  flow_lock(&flows->table);
  flow_remove(&flows->table, (int32_t)index);
  tell(&flows->table, (int32_t)index, told);
  flow_unlock(&flows->table);
  return NULL;
}

/* usedFlows(flows, told): what flows have passed on since that was told last. How many there are; more when it is full. */
static napi_value used_flows(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  double *told = NULL;
  size_t room = 0, count = 0;
  NEED(heddle_arguments(env, call, 2, arguments));
  struct flows *flows = heddle_flows(env, arguments[0]);
  NEED(flows != NULL);
  NEED(read_told(env, arguments[1], &told, &room));
  struct flow_table *table = &flows->table;
  flow_lock(table);
  while (table->used_count > 0 && count < room / TOLD) {
    int32_t index = table->used[--table->used_count];
    table->flows[index].used = false;
    if (table->flows[index].there) tell(table, index, told + TOLD * count++);
  }
  flow_unlock(table);
  return heddle_number(env, (int64_t)count);
}

/* leaseFlows(flows, untilMs): how long leased flows hold, by CLOCK_MONOTONIC. */
static napi_value lease_flows(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  double until = 0;
  NEED(heddle_arguments(env, call, 2, arguments));
  struct flows *flows = heddle_flows(env, arguments[0]);
  NEED(flows != NULL);
  TRY(napi_get_value_double(env, arguments[1], &until));
  flow_lock(&flows->table);
  flows->table.lease_ns = until > 0 && until < 1e15 ? (int64_t)(until * 1e6) : 0;
  flow_unlock(&flows->table);
  return NULL;
}

/* monotonicMs(): CLOCK_MONOTONIC. */
static napi_value monotonic_ms(napi_env env, napi_callback_info call) {
  napi_value value = NULL;
  (void)call;
  TRY(napi_create_double(env, (double)flow_now() / 1e6, &value));
  return value;
}

/* Where the packet that was made is, from the start of the frame, its length, its payload. */
static bool read_made(napi_env env, napi_value value, int32_t **made) {
  napi_typedarray_type type;
  size_t length = 0;
  void *start = NULL;
  if (napi_get_typedarray_info(env, value, &type, &length, &start, NULL, NULL) == napi_ok && type == napi_int32_array &&
      length >= 3) {
    *made = start;
    return true;
  }
  napi_throw_type_error(env, NULL, "Where the packet is has to be an Int32Array of three or more.");
  return false;
}

/*
 * passFrame(flows, bytes, at, length, made): passes one frame on in its place, as one that is relayed and sent. Its flow, or -1.
 * 64 bytes before it and 2 behind it have to be in the array.
 */
static napi_value pass_frame(napi_env env, napi_callback_info call) {
  napi_value arguments[5];
  uint8_t *bytes = NULL;
  size_t size = 0;
  int64_t at = 0, length = 0;
  int32_t *made = NULL;
  struct flow_passed passed;
  NEED(heddle_arguments(env, call, 5, arguments));
  struct flows *flows = heddle_flows(env, arguments[0]);
  NEED(flows != NULL);
  NEED(heddle_bytes(env, arguments[1], "The frame", &bytes, &size));
  NEED(heddle_integer(env, arguments[2], "Where the frame is", 64, (int64_t)size, &at));
  NEED(heddle_integer(env, arguments[3], "The length of the frame", 0, (int64_t)size - at - 2, &length));
  NEED(read_made(env, arguments[4], &made));
  flow_lock(&flows->table);
  bool known = flow_pass(&flows->table, bytes + at, (size_t)length, flow_now(), &passed);
  if (known) flow_count(&flows->table, &passed, true);
  flow_unlock(&flows->table);
  if (!known) return heddle_number(env, -1);
  made[0] = passed.start, made[1] = passed.length, made[2] = passed.payload;
  return heddle_number(env, passed.flow);
}

bool heddle_define_flows(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "openFlows", open_flows) && heddle_define(env, exports, "addFlow", add_flow) &&
         heddle_define(env, exports, "removeFlow", remove_flow) &&
         heddle_define(env, exports, "usedFlows", used_flows) &&
         heddle_define(env, exports, "leaseFlows", lease_flows) &&
         heddle_define(env, exports, "monotonicMs", monotonic_ms) &&
         heddle_define(env, exports, "passFrame", pass_frame);
}
