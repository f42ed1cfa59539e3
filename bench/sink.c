/*
 * Owns links that take whatever they are given and drop it when nobody asks: what a network card costs that is fast enough.
 * `bench-sink LINK…` makes tap links, says "ready", and for each line of its input says how many packets have come to
 * each since the last one. A link keeps as many packets as its queue is long, and drops the others. Ends with its input.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MOST_LINKS = 16, MOST_BYTES = 65536 };

int main(int count, char **names) {
  static char packet[MOST_BYTES];
  char line[16];
  int links[MOST_LINKS];
  if (count < 2 || count > MOST_LINKS) return 64;
  for (int i = 1; i < count; i++) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    strncpy(request.ifr_name, names[i], IFNAMSIZ - 1);
    links[i] = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (links[i] < 0 || ioctl(links[i], TUNSETIFF, &request) < 0) {
      fprintf(stderr, "bench-sink: %s: %s\n", names[i], strerror(errno));
      return 1;
    }
  }
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    for (int i = 1; i < count; i++) {
      long packets = 0;
      while (read(links[i], packet, sizeof packet) > 0) packets++;
      printf("%ld%c", packets, i + 1 < count ? ' ' : '\n');
    }
    fflush(stdout);
  }
  return 0;
}
