/* Owns the sending of single packets by a link, below IP: announcements of addresses. */
#include "addon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_BYTES = 1500, MOST_ADDRESS = 20 };

/* sockaddr_ll has room for 8 bytes of an address; InfiniBand's has 20, and the kernel takes what is longer (packet(7)). */
struct place {
  struct sockaddr_ll link;
  uint8_t more[MOST_ADDRESS - 8];
};

struct packet {
  struct place to;
  const uint8_t *bytes;
  size_t length;
};

static int send_one(void *argument) {
  struct packet *packet = argument;
  int descriptor = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return -errno;
  ssize_t sent = sendto(descriptor, packet->bytes, packet->length, MSG_DONTWAIT, (struct sockaddr *)&packet->to,
                        sizeof packet->to);
  int answer = sent < 0 ? -errno : 0;
  close(descriptor);
  return answer;
}

/* sendPacket(namespace, link index, protocol, hardware address of the receiver, bytes): 0 or -errno. */
static napi_value send_packet(napi_env env, napi_callback_info call) {
  napi_value arguments[5];
  int namespace = -1;
  int64_t index = 0, protocol = 0;
  uint8_t *to = NULL, *bytes = NULL;
  size_t to_length = 0, length = 0;
  NEED(heddle_arguments(env, call, 5, arguments));
  NEED(heddle_descriptor(env, arguments[0], -1, &namespace));
  NEED(heddle_integer(env, arguments[1], "The index of a link", 1, INT32_MAX, &index));
  NEED(heddle_integer(env, arguments[2], "The protocol", 0, UINT16_MAX, &protocol));
  NEED(heddle_bytes(env, arguments[3], "The hardware address", &to, &to_length));
  NEED(heddle_bytes(env, arguments[4], "The packet", &bytes, &length));
  if (to_length > MOST_ADDRESS || length > MOST_BYTES) {
    napi_throw_range_error(env, NULL, "The packet or its address is too long.");
    return NULL;
  }
  struct packet packet = {.bytes = bytes, .length = length};
  packet.to.link.sll_family = AF_PACKET;
  packet.to.link.sll_ifindex = (int)index;
  packet.to.link.sll_protocol = htons((uint16_t)protocol);
  packet.to.link.sll_halen = (unsigned char)to_length;
  memcpy((uint8_t *)&packet.to + offsetof(struct sockaddr_ll, sll_addr), to, to_length);
  return heddle_number(env, heddle_inside(namespace, send_one, &packet));
}

bool heddle_define_packet(napi_env env, napi_value exports) {
  return heddle_define(env, exports, "sendPacket", send_packet);
}
