/* Owns the addon's entry and the checks of every argument that comes in from JavaScript. */
#include "addon.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

napi_value heddle_fail(napi_env env) {
  bool pending = false;
  const napi_extended_error_info *reason = NULL;
  napi_get_last_error_info(env, &reason);
  const char *sentence = reason != NULL && reason->error_message != NULL ? reason->error_message : "Node-API failed";
  if (napi_is_exception_pending(env, &pending) == napi_ok && !pending) napi_throw_error(env, NULL, sentence);
  return NULL;
}

bool heddle_arguments(napi_env env, napi_callback_info call, size_t count, napi_value *arguments) {
  size_t given = count;
  if (napi_get_cb_info(env, call, &given, arguments, NULL, NULL) != napi_ok) return heddle_fail(env) != NULL;
  if (given >= count) return true;
  napi_throw_type_error(env, NULL, "An argument is missing.");
  return false;
}

static void throw_about(napi_env env, bool range, const char *name, const char *rest) {
  char sentence[160];
  snprintf(sentence, sizeof sentence, "%s %s", name, rest);
  if (range) napi_throw_range_error(env, NULL, sentence);
  else napi_throw_type_error(env, NULL, sentence);
}

bool heddle_integer(napi_env env, napi_value value, const char *name, int64_t least, int64_t most, int64_t *number) {
  double given = 0;
  if (napi_get_value_double(env, value, &given) != napi_ok || isnan(given)) {
    throw_about(env, false, name, "has to be a number.");
    return false;
  }
  if (given < (double)least || given > (double)most || given != trunc(given)) {
    char rest[96];
    snprintf(rest, sizeof rest, "has to be a whole number from %lld to %lld.", (long long)least, (long long)most);
    throw_about(env, true, name, rest);
    return false;
  }
  *number = (int64_t)given;
  return true;
}

bool heddle_descriptor(napi_env env, napi_value value, int least, int *descriptor) {
  int64_t number = 0;
  if (!heddle_integer(env, value, "A namespace", least, INT32_MAX, &number)) return false;
  *descriptor = (int)number;
  return true;
}

bool heddle_text(napi_env env, napi_value value, const char *name, char *text, size_t size) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) {
    throw_about(env, false, name, "has to be a string.");
    return false;
  }
  if (length >= size) {
    throw_about(env, true, name, "is too long.");
    return false;
  }
  if (napi_get_value_string_utf8(env, value, text, size, &length) != napi_ok) return heddle_fail(env) != NULL;
  if (strlen(text) != length) {
    throw_about(env, true, name, "must not hold a NUL character.");
    return false;
  }
  return true;
}

bool heddle_array(napi_env env, napi_value value, const char *name, uint32_t most, uint32_t *length) {
  bool is_array = false;
  if (napi_is_array(env, value, &is_array) != napi_ok || !is_array ||
      napi_get_array_length(env, value, length) != napi_ok) {
    throw_about(env, false, name, "has to be an array.");
    return false;
  }
  if (*length <= most) return true;
  throw_about(env, true, name, "has too many elements.");
  return false;
}

bool heddle_bytes(napi_env env, napi_value value, const char *name, uint8_t **bytes, size_t *length) {
  napi_typedarray_type type;
  void *start = NULL;
  if (napi_get_typedarray_info(env, value, &type, length, &start, NULL, NULL) != napi_ok || type != napi_uint8_array) {
    throw_about(env, false, name, "has to be a Uint8Array.");
    return false;
  }
  *bytes = start;
  return true;
}

napi_value heddle_number(napi_env env, int64_t number) {
  napi_value value = NULL;
  return napi_create_int64(env, number, &value) == napi_ok ? value : heddle_fail(env);
}

bool heddle_define(napi_env env, napi_value exports, const char *name, napi_callback function) {
  napi_value value = NULL;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, function, NULL, &value) == napi_ok &&
         napi_set_named_property(env, exports, name, value) == napi_ok;
}

static void free_instance(napi_env env, void *instance, void *hint) {
  (void)env;
  (void)hint;
  free(instance);
}

NAPI_MODULE_INIT() {
  struct heddle_instance *instance = calloc(1, sizeof *instance);
  if (instance == NULL) {
    napi_throw_error(env, NULL, "There is no memory for the addon.");
    return NULL;
  }
  if (napi_set_instance_data(env, instance, free_instance, NULL) != napi_ok) {
    free(instance);
    return heddle_fail(env);
  }
  if (!heddle_define_socket(env, exports) || !heddle_define_namespace(env, exports) ||
      !heddle_define_sysctl(env, exports) || !heddle_define_lock(env, exports) ||
      !heddle_define_bpf(env, exports) || !heddle_define_unix(env, exports) ||
      !heddle_define_packet(env, exports) || !heddle_define_probe(env, exports) ||
      !heddle_define_frames(env, exports) || !heddle_define_text(env, exports) ||
      !heddle_define_flows(env, exports) || !heddle_define_relay(env, exports))
    return heddle_fail(env);
  return exports;
}
