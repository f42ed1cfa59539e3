/* Owns reads and writes of /proc/sys/net in batches, inside a namespace: what stands there follows the thread. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_OPERATIONS = 65536, PATH_SIZE = 256, VALUE_SIZE = 4096, MOST_READ = 65536 };

struct operation {
  char path[PATH_SIZE];
  char *text; /* what to write, or what was read */
  size_t length;
  bool write;
  int failed;
};

struct batch {
  struct operation *operations;
  uint32_t count;
  char *scratch; /* MOST_READ + 1 bytes */
};

static int write_one(struct operation *operation, int descriptor) {
  ssize_t written = write(descriptor, operation->text, operation->length);
  if (written < 0) return -errno;
  return (size_t)written == operation->length ? 0 : -EIO;
}

static int read_one(struct operation *operation, int descriptor, char *scratch) {
  size_t length = 0;
  for (;;) {
    ssize_t got = read(descriptor, scratch + length, MOST_READ + 1 - length);
    if (got < 0) return -errno;
    if (got == 0) break;
    length += (size_t)got;
    if (length > MOST_READ) return -EFBIG;
  }
  operation->text = malloc(length + 1);
  if (operation->text == NULL) return -ENOMEM;
  memcpy(operation->text, scratch, length);
  operation->length = length;
  return 0;
}

static int perform(void *argument) {
  struct batch *batch = argument;
  for (uint32_t i = 0; i < batch->count; i++) {
    struct operation *operation = &batch->operations[i];
    char path[PATH_SIZE + 16];
    snprintf(path, sizeof path, "/proc/sys/%s", operation->path);
    int descriptor = open(path, (operation->write ? O_WRONLY : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) {
      operation->failed = -errno;
      continue;
    }
    operation->failed =
        operation->write ? write_one(operation, descriptor) : read_one(operation, descriptor, batch->scratch);
    close(descriptor);
  }
  return 0;
}

/* The real validation is done where the paths are made; this keeps a bug there from leaving /proc/sys/net. */
static bool below_net(const char *path) {
  if (strncmp(path, "net/", 4) != 0) return false;
  /* A whole part ".." would lead out; a link may be called "a..b". */
  for (const char *part = path; part != NULL; part = strchr(part, '/')) {
    if (*part == '/') part++;
    if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == 0)) return false;
  }
  return true;
}

static bool read_operation(napi_env env, napi_value from, struct operation *operation) {
  napi_value path, value;
  napi_valuetype type;
  char text[VALUE_SIZE];
  if (napi_get_named_property(env, from, "path", &path) != napi_ok ||
      napi_get_named_property(env, from, "value", &value) != napi_ok || napi_typeof(env, value, &type) != napi_ok)
    return heddle_fail(env) != NULL;
  if (!heddle_text(env, path, "The path of a sysctl", operation->path, sizeof operation->path)) return false;
  if (!below_net(operation->path)) {
    napi_throw_range_error(env, NULL, "The path of a sysctl has to begin with net/ and must not hold a part that is two dots.");
    return false;
  }
  if (type == napi_undefined) return true;
  if (!heddle_text(env, value, "The value of a sysctl", text, sizeof text)) return false;
  operation->write = true;
  operation->length = strlen(text);
  operation->text = strdup(text);
  if (operation->text == NULL) napi_throw_error(env, NULL, "There is no memory for the value of a sysctl.");
  return operation->text != NULL;
}

/*
 * sysctl(namespace, [{ path, value? }]): for each, in order, the text that was read, 0 for a write that was done, or
 * -errno; or one -errno for all when the namespace could not be entered.
 */
static napi_value sysctl(napi_env env, napi_callback_info call) {
  napi_value arguments[2], result = NULL;
  int namespace = -1;
  struct batch batch = {0};
  NEED(heddle_arguments(env, call, 2, arguments));
  NEED(heddle_descriptor(env, arguments[0], -1, &namespace));
  NEED(heddle_array(env, arguments[1], "The list of sysctls", MOST_OPERATIONS, &batch.count));
  batch.operations = calloc(batch.count + 1u, sizeof *batch.operations);
  batch.scratch = malloc(MOST_READ + 1);
  if (batch.operations == NULL || batch.scratch == NULL) {
    result = heddle_number(env, -ENOMEM);
    goto done;
  }
  for (uint32_t i = 0; i < batch.count; i++) {
    napi_value from;
    if (napi_get_element(env, arguments[1], i, &from) != napi_ok) goto done;
    if (!read_operation(env, from, &batch.operations[i])) goto done;
  }
  int answer = heddle_inside(namespace, perform, &batch);
  if (answer < 0) {
    result = heddle_number(env, answer);
    goto done;
  }
  napi_value list;
  if (napi_create_array_with_length(env, batch.count, &list) != napi_ok) goto done;
  for (uint32_t i = 0; i < batch.count; i++) {
    struct operation *operation = &batch.operations[i];
    napi_value element = NULL;
    if (operation->failed || operation->write) element = heddle_number(env, operation->failed);
    else if (napi_create_string_utf8(env, operation->text, operation->length, &element) != napi_ok) goto done;
    if (element == NULL || napi_set_element(env, list, i, element) != napi_ok) goto done;
  }
  result = list;
done:
  for (uint32_t i = 0; batch.operations != NULL && i < batch.count; i++) free(batch.operations[i].text);
  free(batch.operations);
  free(batch.scratch);
  return result;
}

bool heddle_define_sysctl(napi_env env, napi_value exports) { return heddle_define(env, exports, "sysctl", sysctl); }
