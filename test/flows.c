/*
 * Owns traffic for tests of spreading: many flows of numbered UDP datagrams, and a receiver that says what became of the
 * numbers. `flows send ADDRESS PORT FLOWS ROUNDS SIZE PAUSE_US [BURST BURST_PAUSE_US]` sends one datagram of each flow a
 * round (from the ports FLOWS_FROM and on, where the environment has that), or as many as FLOWS says where it is a list ("1,3,20"); `flows receive PORT` counts until SIGTERM, then what is on its way, and prints a line for each flow:
 * PORT received reordered last longest-gap-us.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FLOWS = 4096, MOST_BYTES = 65000, PORTS = 65536 };

static void die(const char *what) {
  fprintf(stderr, "flows: %s: %s\n", what, strerror(errno));
  exit(1);
}

static long number(const char *text, long first, long last) {
  char *end = NULL;
  long value = strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < first || value > last) {
    fprintf(stderr, "flows: %s is not a number from %ld to %ld\n", text, first, last);
    exit(64);
  }
  return value;
}

static void rest(long us) {
  struct timespec time = {us / 1000000, us % 1000000 * 1000};
  if (us > 0) nanosleep(&time, NULL);
}

/* A socket for the flow; its source port is the one given, or the kernel's choice for 0. */
static int open_flow(const char *address, long port, long source) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
  int is_six = strchr(address, ':') != NULL;
  if (inet_pton(is_six ? AF_INET6 : AF_INET, address, is_six ? (void *)&six.sin6_addr : (void *)&four.sin_addr) != 1) {
    fprintf(stderr, "flows: %s is no address\n", address);
    exit(64);
  }
  int one = socket(is_six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
  if (one < 0) die("socket");
  int room = 4 << 20;
  setsockopt(one, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  struct sockaddr_in6 own = {.sin6_family = is_six ? AF_INET6 : AF_INET, .sin6_port = htons((uint16_t)source)};
  if (source && bind(one, (void *)&own, is_six ? sizeof six : sizeof four) < 0) die("bind");
  if (connect(one, is_six ? (void *)&six : (void *)&four, is_six ? sizeof six : sizeof four) < 0) die("connect");
  return one;
}

/* How many datagrams each flow sends a round; "64" means 64 flows of one. */
static long read_flows(char *words, long counts[]) {
  long flows = 0;
  if (strchr(words, ',') == NULL) {
    flows = number(words, 1, MOST_FLOWS);
    for (long i = 0; i < flows; i++) counts[i] = 1;
    return flows;
  }
  for (char *word = strtok(words, ","); word != NULL && flows < MOST_FLOWS; word = strtok(NULL, ","))
    counts[flows++] = number(word, 1, 1000000);
  return flows;
}

static int send_flows(int count, char **words) {
  static int sockets[MOST_FLOWS];
  static long counts[MOST_FLOWS];
  static uint32_t sent[MOST_FLOWS];
  static uint8_t bytes[MOST_BYTES];
  long port = number(words[1], 1, 65535), flows = read_flows(words[2], counts), rounds = number(words[3], 1, 100000000);
  long size = number(words[4], 4, MOST_BYTES), pause = number(words[5], 0, 10000000);
  const char *stated = getenv("FLOWS_FROM");
  long from = stated ? number(stated, 1, PORTS - MOST_FLOWS) : 0;
  long burst = count > 6 ? number(words[6], 1, 100000000) : 0;
  long burst_pause = count > 7 ? number(words[7], 0, 10000000) : 0;
  for (long i = 0; i < flows; i++) sockets[i] = open_flow(words[0], port, from ? from + i : 0);
  for (long round = 0; round < rounds; round++) {
    for (long i = 0; i < flows; i++) {
      for (long n = 0; n < counts[i]; n++, sent[i]++) {
        memcpy(bytes, &sent[i], sizeof sent[i]);
        while (send(sockets[i], bytes, (size_t)size, 0) < 0 && (errno == ENOBUFS || errno == EAGAIN)) rest(100);
      }
    }
    rest(pause);
    if (burst && (round + 1) % burst == 0) rest(burst_pause);
  }
  return 0;
}

static volatile sig_atomic_t ended;
static void end(int signal) { ended = signal; }

static int receive_flows(char **words) {
  static uint32_t received[PORTS], reordered[PORTS];
  static int64_t highest[PORTS];
  static uint64_t seen[PORTS], gap[PORTS]; /* ns */
  struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)number(words[0], 1, 65535))};
  int one = socket(AF_INET6, SOCK_DGRAM, 0), room = 64 << 20;
  if (one < 0) die("socket");
  setsockopt(one, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
  if (bind(one, (void *)&any, sizeof any) < 0) die("bind");
  memset(highest, 0xff, sizeof highest);
  signal(SIGTERM, end);
  puts("ready");
  fflush(stdout);
  struct pollfd readable = {.fd = one, .events = POLLIN};
  static uint8_t bytes[MOST_BYTES];
  while (poll(&readable, 1, ended ? 200 : 50) != 0 || !ended) {
    struct sockaddr_in6 from;
    socklen_t length = sizeof from;
    ssize_t got;
    while ((got = recvfrom(one, bytes, sizeof bytes, MSG_DONTWAIT, (void *)&from, &length)) >= 4) {
      uint32_t round;
      memcpy(&round, bytes, sizeof round);
      uint16_t port = ntohs(from.sin6_port);
      struct timespec time;
      clock_gettime(CLOCK_MONOTONIC, &time);
      uint64_t now = (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
      if (received[port] && now - seen[port] > gap[port]) gap[port] = now - seen[port];
      seen[port] = now;
      received[port]++;
      if ((int64_t)round < highest[port]) reordered[port]++;
      else highest[port] = round;
      length = sizeof from;
    }
  }
  for (int port = 0; port < PORTS; port++)
    if (received[port])
      printf("%d %u %u %lld %llu\n", port, received[port], reordered[port], (long long)highest[port],
             (unsigned long long)gap[port] / 1000);
  return 0;
}

int main(int count, char **words) {
  if (count >= 8 && strcmp(words[1], "send") == 0) return send_flows(count - 2, words + 2);
  if (count == 3 && strcmp(words[1], "receive") == 0) return receive_flows(words + 2);
  fprintf(stderr, "flows: see the head of flows.c\n");
  return 64;
}
