/* Owns what the parts of the addon share: reading arguments, reporting errors, running inside a namespace. */
#ifndef HEDDLE_ADDON_H
#define HEDDLE_ADDON_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define NAPI_VERSION 9
#include <node_api.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Leaves the function with undefined as its answer; a call that fails has left its exception pending. */
#define TRY(call)                                                                                                      \
  do {                                                                                                                 \
    if ((call) != napi_ok) return heddle_fail(env);                                                                    \
  } while (0)
#define NEED(condition)                                                                                                \
  do {                                                                                                                 \
    if (!(condition)) return NULL;                                                                                     \
  } while (0)

/* What one environment (main thread or worker) shares among its sockets: where datagrams are received. */
struct heddle_instance {
  napi_ref arena;
};

napi_value heddle_fail(napi_env env);
bool heddle_arguments(napi_env env, napi_callback_info call, size_t count, napi_value *arguments);
/* A whole number within the bounds; throws TypeError or RangeError, naming it, and gives false otherwise. */
bool heddle_integer(napi_env env, napi_value value, const char *name, int64_t least, int64_t most, int64_t *number);
/* A file descriptor, or -1 for "the namespace of this process". */
bool heddle_descriptor(napi_env env, napi_value value, int least, int *descriptor);
/* Text shorter than `size` bytes without NUL characters, copied to `text` with a closing NUL; false after a throw. */
bool heddle_text(napi_env env, napi_value value, const char *name, char *text, size_t size);
/* The address of a socket by its path; one that begins with "@" is no file's (unix(7), abstract). False after a throw. */
bool heddle_unix_address(napi_env env, napi_value value, struct sockaddr_un *address, socklen_t *length);
/* Length of an array of at most `most` elements; false after a throw. */
bool heddle_array(napi_env env, napi_value value, const char *name, uint32_t most, uint32_t *length);
/* The bytes of a Uint8Array, which are JavaScript's and stay so; false after a throw. */
bool heddle_bytes(napi_env env, napi_value value, const char *name, uint8_t **bytes, size_t *length);
napi_value heddle_number(napi_env env, int64_t number);

/*
 * Calls run(argument) in a short thread that has entered the namespace, or right here when the namespace is -1: the
 * calling thread never changes its own, because libuv's pool threads inherit whichever one it had. Gives run's answer,
 * or -errno where the thread could not be had.
 */
int heddle_inside(int namespace, int (*run)(void *), void *argument);
/* The same in a fresh network namespace. */
int heddle_inside_new(int (*run)(void *), void *argument);

bool heddle_define(napi_env env, napi_value exports, const char *name, napi_callback function);
bool heddle_define_socket(napi_env env, napi_value exports);
bool heddle_define_namespace(napi_env env, napi_value exports);
bool heddle_define_sysctl(napi_env env, napi_value exports);
bool heddle_define_lock(napi_env env, napi_value exports);
bool heddle_define_bpf(napi_env env, napi_value exports);
bool heddle_define_unix(napi_env env, napi_value exports);
bool heddle_define_frames(napi_env env, napi_value exports);
bool heddle_define_text(napi_env env, napi_value exports);
bool heddle_define_flows(napi_env env, napi_value exports);
bool heddle_define_relay(napi_env env, napi_value exports);
bool heddle_define_packet(napi_env env, napi_value exports);
bool heddle_define_probe(napi_env env, napi_value exports);

#endif
