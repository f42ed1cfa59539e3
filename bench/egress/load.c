// Owns the load of the bench of egress: packets and connections, one after the other, and what each took of the CPU.
//
//   egress-load sink ADDRESS PORT          a UDP socket that nobody reads, a TCP listener that closes what it accepts,
//                                          and on the next port one that reads what it gets
//   egress-load send ADDRESS PORT MS MOST  each kind of load for so long, or until there were so many
//
// `send` prints a line "KIND COUNT WALL_NS CPU_NS" for each. The CPU time is that of this process, softirqs that run in
// it included: over veth that is the whole way of a packet, up to the socket at the other end.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in place, reader;
static const char payload[32];

static void need(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static long long now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void connect_to(int descriptor, struct sockaddr_in *to) {
  need(connect(descriptor, (struct sockaddr *)to, sizeof *to) == 0, "connect");
}

static int datagrams, stream;

// A full queue is no error of the sender's.
static void sent(ssize_t bytes) { need(bytes == sizeof payload || errno == ENOBUFS, "send"); }

static void segment(void) { need(send(stream, payload, sizeof payload, 0) == sizeof payload, "send"); }

// Sends are not segments: what waits for the window goes together.
static long segments_sent(void) {
  struct tcp_info info = {0};
  socklen_t size = sizeof info;
  need(getsockopt(stream, IPPROTO_TCP, TCP_INFO, &info, &size) == 0, "TCP_INFO");
  return info.tcpi_segs_out;
}

static void packet_of_connection(void) { sent(send(datagrams, payload, sizeof payload, 0)); }

static void packet_by_itself(void) {
  sent(sendto(datagrams, payload, sizeof payload, 0, (struct sockaddr *)&place, sizeof place));
}

static void udp_connection(void) {
  int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
  need(descriptor >= 0, "socket");
  connect_to(descriptor, &place);
  sent(send(descriptor, payload, sizeof payload, 0));
  close(descriptor);
}

static void tcp_connection(void) {
  // By a reset: connections that wait for late packets would use up the ports.
  static const struct linger now = {1, 0};
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  need(descriptor >= 0, "socket");
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  connect_to(descriptor, &place);
  close(descriptor);
}

static const struct {
  const char *name;
  void (*once)(void);
  int connected;
} KINDS[] = {
    {"segment", segment, 0},
    {"packet", packet_of_connection, 1},
    {"routed", packet_by_itself, 0},
    {"udp", udp_connection, 0},
    {"tcp", tcp_connection, 0},
};

static void send_all(long long ns, long most) {
  int on = 1;
  stream = socket(AF_INET, SOCK_STREAM, 0);
  need(stream >= 0, "socket");
  setsockopt(stream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  connect_to(stream, &reader);
  for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
    datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    need(datagrams >= 0, "socket");
    if (KINDS[i].connected) connect_to(datagrams, &place);
    for (int warm = 0; warm < 4; warm++) KINDS[i].once();
    long count = 0, segments = segments_sent();
    long long wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    while (count < most && now(CLOCK_MONOTONIC) - wall < ns)
      for (int some = 0; some < 8; some++, count++) KINDS[i].once();
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = now(CLOCK_MONOTONIC) - wall;
    if (KINDS[i].once == segment) count = segments_sent() - segments;
    printf("%s %ld %lld %lld\n", KINDS[i].name, count, wall, cpu);
    close(datagrams);
  }
}

static int listener(struct sockaddr_in *at) {
  int on = 1, descriptor = socket(AF_INET, SOCK_STREAM, 0);
  need(descriptor >= 0, "socket");
  setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  need(bind(descriptor, (struct sockaddr *)at, sizeof *at) == 0 && listen(descriptor, 65535) == 0, "listen");
  return descriptor;
}

static void read_all(int from) {
  static char some[1 << 16];
  for (;;) {
    int accepted = accept(from, NULL, NULL);
    if (accepted < 0) continue;
    while (read(accepted, some, sizeof some) > 0) continue;
    close(accepted);
  }
}

static void sink(void) {
  int unread = socket(AF_INET, SOCK_DGRAM, 0), short_ones = listener(&place), streams = listener(&reader);
  need(unread >= 0, "socket");
  need(bind(unread, (struct sockaddr *)&place, sizeof place) == 0, "bind");
  puts("listening");
  fflush(stdout);
  pid_t child = fork();
  need(child >= 0, "fork");
  if (child == 0) read_all(streams);
  for (;;) {
    int accepted = accept(short_ones, NULL, NULL);
    if (accepted >= 0) close(accepted);
  }
}

int main(int count, char **words) {
  if (count < 4) return 64;
  place.sin_family = AF_INET;
  place.sin_port = htons((uint16_t)atoi(words[3]));
  need(inet_pton(AF_INET, words[2], &place.sin_addr) == 1, words[2]);
  reader = place;
  reader.sin_port = htons((uint16_t)(atoi(words[3]) + 1));
  if (strcmp(words[1], "sink") == 0) sink();
  if (strcmp(words[1], "send") != 0 || count != 6) return 64;
  send_all(atoll(words[4]) * 1000000, atol(words[5]));
  return 0;
}
