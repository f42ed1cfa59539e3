/*
 * Owns the datagrams of the gateway bench. `flood serve ADDRESS PORT COUNT` answers what comes. `flood send ADDRESS PORT FLOWS` makes
 * flows, each answered once, says "ready", then reads a number of datagrams from each line of its input, sends them, and
 * writes the CPU time that one took, ns: where the whole way is veth, the kernel's work for it is done in this process.
 * `flood spread ADDRESS PORT SOURCES TARGETS` sends one datagram from each of SOURCES ports to each of TARGETS ports.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MOST_FLOWS = 4096, BATCH = 32, BYTES = 18, MOST_TARGETS = 1000 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in place(const char *address, int port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, address, &to.sin_addr) != 1) fail(address);
  return to;
}

static int bound(const char *address, int port) {
  struct sockaddr_in own = place(address, port);
  int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
  if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&own, sizeof own) != 0) fail("socket");
  return descriptor;
}

static _Noreturn void serve(const char *address, int first, int count) {
  static struct pollfd sockets[MOST_TARGETS];
  for (int i = 0; i < count; i++) sockets[i] = (struct pollfd){.fd = bound(address, first + i), .events = POLLIN};
  puts("serving");
  fflush(stdout);
  for (;;) {
    if (poll(sockets, (nfds_t)count, -1) < 0) fail("poll");
    for (int i = 0; i < count; i++) {
      if (sockets[i].revents == 0) continue;
      char bytes[64];
      struct sockaddr_in from;
      socklen_t length = sizeof from;
      ssize_t got;
      while ((got = recvfrom(sockets[i].fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &length)) >= 0)
        sendto(sockets[i].fd, bytes, (size_t)got, MSG_DONTWAIT, (struct sockaddr *)&from, length);
    }
  }
}

static double cpu_ns(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return 1e9 * (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         1e3 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static int send_flows(const char *address, int port, int flows) {
  static int sockets[MOST_FLOWS];
  char bytes[BYTES] = {0};
  struct sockaddr_in to = place(address, port);
  if (flows < 1 || flows > MOST_FLOWS) fail("flows");
  for (int i = 0; i < flows; i++) {
    sockets[i] = bound("0.0.0.0", 0);
    if (connect(sockets[i], (struct sockaddr *)&to, sizeof to) != 0) fail("connect");
    for (int tries = 0;; tries++) {
      struct pollfd wait = {.fd = sockets[i], .events = POLLIN};
      if (tries == 20) fail("no answer");
      send(sockets[i], bytes, sizeof bytes, 0);
      if (poll(&wait, 1, 200) == 1 && recv(sockets[i], bytes, sizeof bytes, MSG_DONTWAIT) > 0) break;
    }
  }
  struct iovec part = {bytes, sizeof bytes};
  struct mmsghdr batch[BATCH];
  memset(batch, 0, sizeof batch);
  for (int i = 0; i < BATCH; i++) batch[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
  puts("ready");
  fflush(stdout);
  long count;
  while (scanf("%ld", &count) == 1) {
    double before = cpu_ns();
    for (long sent = 0, turn = 0; sent < count; sent += BATCH, turn++)
      if (sendmmsg(sockets[turn % flows], batch, BATCH, 0) < 0) fail("sendmmsg");
    printf("%.1f\n", (cpu_ns() - before) / (double)count);
    fflush(stdout);
  }
  return 0;
}

static int spread(const char *address, int port, int sources, int targets) {
  for (int i = 0; i < sources; i++) {
    int descriptor = bound("0.0.0.0", 20000 + i);
    for (int j = 0; j < targets; j++) {
      struct sockaddr_in to = place(address, port + j);
      char byte[64] = "x";
      sendto(descriptor, byte, 1, 0, (struct sockaddr *)&to, sizeof to);
      while (recv(descriptor, byte, sizeof byte, MSG_DONTWAIT) >= 0) continue;
      if (j % 16 == 15) usleep(500);
    }
    close(descriptor);
  }
  puts("spread");
  return 0;
}

int main(int count, char **words) {
  const char *mode = count > 1 ? words[1] : "";
  if (strcmp(mode, "serve") == 0 && count == 5) serve(words[2], atoi(words[3]), atoi(words[4]));
  if (strcmp(mode, "send") == 0 && count == 5) return send_flows(words[2], atoi(words[3]), atoi(words[4]));
  if (strcmp(mode, "spread") == 0 && count == 6)
    return spread(words[2], atoi(words[3]), atoi(words[4]), atoi(words[5]));
  fputs("flood serve ADDRESS PORT COUNT | send ADDRESS PORT FLOWS | spread ADDRESS PORT SOURCES TARGETS\n", stderr);
  return 64;
}
