/* Owns the sending of single packets by a link, below IP: announcements of addresses. */
#include "addon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

enum { MOST_BYTES = 1500, MOST_ADDRESS = 20 };

/* sockaddr_ll has room for 8 bytes of an address; InfiniBand's has 20, and the kernel takes what is longer (packet(7)). */
struct place {
  struct sockaddr_ll link;
  uint8_t more[MOST_ADDRESS - 8];
};

static int open_one(void *argument) {
  (void)argument;
  /* Protocol 0: it never receives. */
  int descriptor = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return descriptor < 0 ? -errno : descriptor;
}

/* openPacketSocket(namespace): a descriptor or -errno. To close it takes the kernel some 10 ms (packet_release). */
static napi_value open_packet_socket(napi_env env, napi_callback_info call) {
  napi_value arguments[1];
  int namespace = -1;
  NEED(heddle_arguments(env, call, 1, arguments));
  NEED(heddle_descriptor(env, arguments[0], -1, &namespace));
  return heddle_number(env, heddle_inside(namespace, open_one, NULL));
}

/* sendPacket(descriptor, link index, protocol, hardware address of the receiver, bytes): 0 or -errno. */
static napi_value send_packet(napi_env env, napi_callback_info call) {
  napi_value arguments[5];
  int64_t descriptor = -1, index = 0, protocol = 0;
  uint8_t *to = NULL, *bytes = NULL;
  size_t to_length = 0, length = 0;
  NEED(heddle_arguments(env, call, 5, arguments));
  NEED(heddle_integer(env, arguments[0], "A socket", 0, INT32_MAX, &descriptor));
  NEED(heddle_integer(env, arguments[1], "The index of a link", 1, INT32_MAX, &index));
  NEED(heddle_integer(env, arguments[2], "The protocol", 0, UINT16_MAX, &protocol));
  NEED(heddle_bytes(env, arguments[3], "The hardware address", &to, &to_length));
  NEED(heddle_bytes(env, arguments[4], "The packet", &bytes, &length));
  if (to_length > MOST_ADDRESS || length > MOST_BYTES) {
    napi_throw_range_error(env, NULL, "The packet or its address is too long.");
    return NULL;
  }
  struct place place = {0};
  place.link.sll_family = AF_PACKET;
  place.link.sll_ifindex = (int)index;
  place.link.sll_protocol = htons((uint16_t)protocol);
  place.link.sll_halen = (unsigned char)to_length;
  memcpy((uint8_t *)&place + offsetof(struct sockaddr_ll, sll_addr), to, to_length);
  ssize_t sent =
      sendto((int)descriptor, bytes, length, MSG_DONTWAIT, (struct sockaddr *)&place, sizeof place);
  return heddle_number(env, sent < 0 ? -errno : 0);
}

bool heddle_define_packet(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "openPacketSocket", open_packet_socket) &&
         heddle_define(env, exports, "sendPacket", send_packet);
}
