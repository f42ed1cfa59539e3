/* Owns what the agent needs of sockets in the file system and Node has no call for: who is at the other end, and one
 * datagram to a path, as a service tells its state to the program that started it (sd_notify(3)). */
#include "addon.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* peerCredentials(descriptor): [pid, uid, gid] of the process that connected, as it was then, or -errno. */
static napi_value peer_credentials(napi_env env, napi_callback_info call) {
  napi_value argument, answer;
  int descriptor = -1;
  struct ucred peer;
  socklen_t length = sizeof peer;
  NEED(heddle_arguments(env, call, 1, &argument));
  NEED(heddle_descriptor(env, argument, 0, &descriptor));
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return heddle_number(env, -errno);
  const int64_t numbers[] = {peer.pid, peer.uid, peer.gid};
  TRY(napi_create_array_with_length(env, 3, &answer));
  for (uint32_t i = 0; i < 3; i++) {
    napi_value number;
    TRY(napi_create_int64(env, numbers[i], &number));
    TRY(napi_set_element(env, answer, i, number));
  }
  return answer;
}

bool heddle_unix_address(napi_env env, napi_value value, struct sockaddr_un *address, socklen_t *length) {
  address->sun_family = AF_UNIX;
  if (!heddle_text(env, value, "The path of a socket", address->sun_path, sizeof address->sun_path)) return false;
  *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address->sun_path));
  if (address->sun_path[0] == '@') address->sun_path[0] = '\0';
  return true;
}

/* sendToPath(path, text): one datagram to the socket with this name. 0, or -errno. Never waits. */
static napi_value send_to_path(napi_env env, napi_callback_info call) {
  napi_value arguments[2];
  struct sockaddr_un address;
  socklen_t length = 0;
  char text[1024];
  NEED(heddle_arguments(env, call, 2, arguments));
  NEED(heddle_unix_address(env, arguments[0], &address, &length));
  NEED(heddle_text(env, arguments[1], "The text", text, sizeof text));
  int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return heddle_number(env, -errno);
  ssize_t sent = sendto(descriptor, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address, length);
  int answer = sent < 0 ? -errno : 0;
  close(descriptor);
  return heddle_number(env, answer);
}

bool heddle_define_unix(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "peerCredentials", peer_credentials) &&
         heddle_define(env, exports, "sendToPath", send_to_path);
}
