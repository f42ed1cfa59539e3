/* Owns the advisory lock of an open file, which Node has no call for. */
#include "addon.h"

#include <errno.h>
#include <sys/file.h>

/* tryLock(descriptor): 0, or -errno; -EWOULDBLOCK when somebody else holds the lock. Never waits. */
static napi_value try_lock(napi_env env, napi_callback_info call) {
  napi_value argument;
  int descriptor = -1;
  NEED(heddle_arguments(env, call, 1, &argument));
  NEED(heddle_descriptor(env, argument, 0, &descriptor));
  return heddle_number(env, flock(descriptor, LOCK_EX | LOCK_NB) < 0 ? -errno : 0);
}

bool heddle_define_lock(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "tryLock", try_lock);
}
