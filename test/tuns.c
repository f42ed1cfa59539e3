/*
 * Owns links without a header for tests: `tuns TYPE LINK…` makes tun links of an ARPHRD type (32 is InfiniBand's, 65534
 * none), says "ready", and then, for each line "LINK HEX" of its input, has the packet come in by the link. Whatever
 * leaves by a link is said as "LINK HEX". Ends with its input.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MOST_LINKS = 16, MOST_BYTES = 65536 };

static int open_tun(const char *name, int type) {
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  int one = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  if (one < 0 || ioctl(one, TUNSETIFF, &request) < 0 || ioctl(one, TUNSETLINK, type) < 0) {
    fprintf(stderr, "tuns: %s: %s\n", name, strerror(errno));
    exit(1);
  }
  return one;
}

int main(int count, char **words) {
  if (count < 3 || count - 2 > MOST_LINKS) return 64;
  int links = count - 2;
  struct pollfd all[MOST_LINKS + 1];
  for (int i = 0; i < links; i++) all[i] = (struct pollfd){.fd = open_tun(words[i + 2], atoi(words[1])), .events = POLLIN};
  all[links] = (struct pollfd){.fd = 0, .events = POLLIN};
  setvbuf(stdout, NULL, _IOLBF, 0);
  setvbuf(stdin, NULL, _IONBF, 0);
  puts("ready");
  static uint8_t bytes[MOST_BYTES];
  static char line[2 * MOST_BYTES + 64];
  while (poll(all, (nfds_t)links + 1, -1) > 0) {
    for (int i = 0; i < links; i++) {
      if (!(all[i].revents & POLLIN)) continue;
      ssize_t got = read(all[i].fd, bytes, sizeof bytes);
      if (got <= 0) continue;
      printf("%s ", words[i + 2]);
      for (ssize_t n = 0; n < got; n++) printf("%02x", bytes[n]);
      putchar('\n');
    }
    if (!all[links].revents) continue;
    if (!fgets(line, sizeof line, stdin)) return 0;
    char *hex = strchr(line, ' ');
    if (!hex) return 64;
    *hex++ = '\0';
    size_t length = strspn(hex, "0123456789abcdef") / 2;
    for (size_t n = 0; n < length; n++) sscanf(hex + 2 * n, "%2hhx", &bytes[n]);
    for (int i = 0; i < links; i++)
      if (strcmp(words[i + 2], line) == 0 && write(all[i].fd, bytes, length) < 0) perror(line);
  }
  return 1;
}
