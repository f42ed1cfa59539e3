/* Owns network namespaces: short threads that enter one, new ones, their identity, and what a link's driver is called. */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* include/uapi/asm-generic/socket.h, from 5.14 on. */
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

enum { MOST_NAMES = 65536, PATH_SIZE = 4096, FRESH = -2, STACK_SIZE = 256 * 1024 };

struct visit {
  int namespace;
  int (*run)(void *);
  void *argument;
  int answer;
};

static void *enter(void *argument) {
  struct visit *visit = argument;
  int failed = visit->namespace == FRESH ? unshare(CLONE_NEWNET) : setns(visit->namespace, CLONE_NEWNET);
  visit->answer = failed ? -errno : visit->run(visit->argument);
  return NULL;
}

static int run_thread(struct visit *visit) {
  pthread_t thread;
  pthread_attr_t attributes;
  sigset_t all, before;
  int failed = pthread_attr_init(&attributes);
  if (failed) return -failed;
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  /* A signal handler of Node's must not run on this thread. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  failed = pthread_create(&thread, &attributes, enter, visit);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (failed) return -failed;
  pthread_join(thread, NULL);
  return visit->answer;
}

int heddle_inside(int namespace, int (*run)(void *), void *argument) {
  if (namespace < 0) return run(argument);
  struct visit visit = {.namespace = namespace, .run = run, .argument = argument};
  return run_thread(&visit);
}

int heddle_inside_new(int (*run)(void *), void *argument) {
  struct visit visit = {.namespace = FRESH, .run = run, .argument = argument};
  return run_thread(&visit);
}

static int open_own(void *argument) {
  (void)argument;
  int descriptor = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

/* newNamespace(): descriptor of a fresh network namespace, which lives as long as the descriptor; or -errno. */
static napi_value new_namespace(napi_env env, napi_callback_info call) {
  (void)call;
  return heddle_number(env, heddle_inside_new(open_own, NULL));
}

static int check_namespace(int descriptor) {
  int type = ioctl(descriptor, NS_GET_NSTYPE);
  if (type < 0) return errno == ENOTTY ? -EINVAL : -errno;
  return type == CLONE_NEWNET ? 0 : -EINVAL;
}

/* openNamespace(path): descriptor; or -errno, -EINVAL when the path is not a network namespace. */
static napi_value open_namespace(napi_env env, napi_callback_info call) {
  napi_value path_value;
  char path[PATH_SIZE];
  NEED(heddle_arguments(env, call, 1, &path_value));
  NEED(heddle_text(env, path_value, "The path of a namespace", path, sizeof path));
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return heddle_number(env, -errno);
  int failed = check_namespace(descriptor);
  if (failed) close(descriptor);
  return heddle_number(env, failed ? failed : descriptor);
}

/* namespaceId(descriptor): inode number of the namespace, its identity on this host; or -errno. */
static napi_value namespace_id(napi_env env, napi_callback_info call) {
  napi_value value;
  int descriptor = -1;
  NEED(heddle_arguments(env, call, 1, &value));
  NEED(heddle_descriptor(env, value, 0, &descriptor));
  struct stat status;
  int failed = check_namespace(descriptor);
  if (failed) return heddle_number(env, failed);
  if (fstat(descriptor, &status) < 0) return heddle_number(env, -errno);
  return heddle_number(env, (int64_t)status.st_ino);
}

struct drivers {
  uint32_t count;
  char (*names)[IFNAMSIZ];
  char (*drivers)[sizeof(((struct ethtool_drvinfo *)0)->driver)];
  int *failed;
};

static int ask_drivers(void *argument) {
  struct drivers *asked = argument;
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  for (uint32_t i = 0; i < asked->count; i++) {
    struct ethtool_drvinfo answer = {.cmd = ETHTOOL_GDRVINFO};
    struct ifreq request;
    memset(&request, 0, sizeof request);
    memcpy(request.ifr_name, asked->names[i], IFNAMSIZ);
    request.ifr_data = (void *)&answer;
    asked->failed[i] = ioctl(descriptor, SIOCETHTOOL, &request) < 0 ? -errno : 0;
    memcpy(asked->drivers[i], answer.driver, sizeof answer.driver);
    asked->drivers[i][sizeof answer.driver - 1] = 0;
  }
  close(descriptor);
  return 0;
}

/* driverNames(namespace, names): for each link the name of its driver, or -errno; or one -errno for all. */
static napi_value driver_names(napi_env env, napi_callback_info call) {
  napi_value arguments[2], result = NULL;
  int namespace = -1;
  struct drivers asked = {0};
  NEED(heddle_arguments(env, call, 2, arguments));
  NEED(heddle_descriptor(env, arguments[0], -1, &namespace));
  NEED(heddle_array(env, arguments[1], "The list of link names", MOST_NAMES, &asked.count));
  asked.names = calloc(asked.count + 1u, sizeof *asked.names);
  asked.drivers = calloc(asked.count + 1u, sizeof *asked.drivers);
  asked.failed = calloc(asked.count + 1u, sizeof *asked.failed);
  if (asked.names == NULL || asked.drivers == NULL || asked.failed == NULL) {
    result = heddle_number(env, -ENOMEM);
    goto done;
  }
  for (uint32_t i = 0; i < asked.count; i++) {
    napi_value name;
    if (napi_get_element(env, arguments[1], i, &name) != napi_ok) goto done;
    if (!heddle_text(env, name, "The name of a link", asked.names[i], IFNAMSIZ)) goto done;
  }
  int answer = heddle_inside(namespace, ask_drivers, &asked);
  if (answer < 0) {
    result = heddle_number(env, answer);
    goto done;
  }
  napi_value list;
  if (napi_create_array_with_length(env, asked.count, &list) != napi_ok) goto done;
  for (uint32_t i = 0; i < asked.count; i++) {
    napi_value element = NULL;
    if (asked.failed[i]) element = heddle_number(env, asked.failed[i]);
    else if (napi_create_string_utf8(env, asked.drivers[i], NAPI_AUTO_LENGTH, &element) != napi_ok) goto done;
    if (element == NULL || napi_set_element(env, list, i, element) != napi_ok) goto done;
  }
  result = list;
done:
  free(asked.names);
  free(asked.drivers);
  free(asked.failed);
  return result;
}

struct cookie {
  uint64_t value;
};

static int ask_cookie(void *argument) {
  struct cookie *cookie = argument;
  socklen_t size = sizeof cookie->value;
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  int failed = getsockopt(descriptor, SOL_SOCKET, SO_NETNS_COOKIE, &cookie->value, &size) < 0 ? -errno : 0;
  close(descriptor);
  return failed;
}

/* namespaceCookie(namespace): the number as text, or -errno. Never given twice in one boot, as inode numbers are. */
static napi_value namespace_cookie(napi_env env, napi_callback_info call) {
  napi_value argument, text = NULL;
  int namespace = -1;
  struct cookie cookie = {0};
  char digits[24];
  NEED(heddle_arguments(env, call, 1, &argument));
  NEED(heddle_descriptor(env, argument, -1, &namespace));
  int answer = heddle_inside(namespace, ask_cookie, &cookie);
  if (answer < 0) return heddle_number(env, answer);
  snprintf(digits, sizeof digits, "%llu", (unsigned long long)cookie.value);
  TRY(napi_create_string_utf8(env, digits, NAPI_AUTO_LENGTH, &text));
  return text;
}

bool heddle_define_namespace(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "newNamespace", new_namespace) &&
         heddle_define(env, exports, "openNamespace", open_namespace) &&
         heddle_define(env, exports, "namespaceId", namespace_id) &&
         heddle_define(env, exports, "namespaceCookie", namespace_cookie) &&
         heddle_define(env, exports, "driverNames", driver_names);
}
