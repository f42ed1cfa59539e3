/*
 * Owns sockets of every sort whose marks a test wants to know: sockets SORT… prints one line "SORT MARK" for each, the
 * mark in hexadecimal, or "SORT errno N". Before them may stand "fsuid=N", "fsgid=N", and "loop=MS", which does the sorts
 * over and over for so long and prints each mark that was seen once.
 * Everything happens on the loopback addresses of the network namespace that it is started in.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

struct address {
  struct sockaddr_storage storage;
  socklen_t length;
};

static struct address loopback(int family, int mapped) {
  struct address made = {0};
  if (family == AF_INET) {
    struct sockaddr_in *in = (struct sockaddr_in *)&made.storage;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    made.length = sizeof *in;
  } else {
    struct sockaddr_in6 *in = (struct sockaddr_in6 *)&made.storage;
    in->sin6_family = AF_INET6;
    inet_pton(AF_INET6, mapped ? "::ffff:127.0.0.1" : "::1", &in->sin6_addr);
    made.length = sizeof *in;
  }
  return made;
}

static int failed(int descriptor) {
  int was = errno;
  if (descriptor >= 0) close(descriptor);
  errno = was;
  return -1;
}

/* A listener on a port of the kernel's choice, and where it is. */
static int listener(int family, int protocol, struct address *at) {
  int on = 16, descriptor = socket(family, SOCK_STREAM, protocol);
  *at = loopback(family, 0);
  if (descriptor < 0) return -1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_FASTOPEN, &on, sizeof on);
  if (bind(descriptor, (struct sockaddr *)&at->storage, at->length) < 0 || listen(descriptor, 16) < 0 ||
      getsockname(descriptor, (struct sockaddr *)&at->storage, &at->length) < 0)
    return failed(descriptor);
  return descriptor;
}

enum how { LISTENS, UNCONNECTED, CONNECTS, ACCEPTED, FAST, FAST_CONNECT, MAPPED };

static int stream(int family, int protocol, enum how how) {
  struct address at;
  int on = 1;
  int server = listener(how == MAPPED ? AF_INET : family, protocol, &at);
  if (server < 0 || how == LISTENS) return server;
  int client = socket(family, SOCK_STREAM, protocol);
  if (client < 0 || how == UNCONNECTED) return close(server), client;
  if (how == MAPPED) {
    struct sockaddr_in port = *(struct sockaddr_in *)&at.storage;
    at = loopback(AF_INET6, 1);
    ((struct sockaddr_in6 *)&at.storage)->sin6_port = port.sin_port;
  }
  if (how == FAST_CONNECT) setsockopt(client, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on);
  ssize_t done = how == FAST ? sendto(client, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&at.storage, at.length)
                             : connect(client, (struct sockaddr *)&at.storage, at.length);
  if (done < 0) return failed(server), failed(client);
  if (how != ACCEPTED) return close(server), client;
  int accepted = accept(server, NULL, NULL);
  close(client);
  close(server);
  return accepted;
}

static const struct {
  const char *name;
  int family, type, protocol;
  enum how how;
} SORTS[] = {
    {"udp4", AF_INET, SOCK_DGRAM, 0, 0},
    {"udp6", AF_INET6, SOCK_DGRAM, 0, 0},
    {"udplite4", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, 0},
    {"ping4", AF_INET, SOCK_DGRAM, IPPROTO_ICMP, 0},
    {"ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, 0},
    {"raw4", AF_INET, SOCK_RAW, IPPROTO_ICMP, 0},
    {"raw6", AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, 0},
    {"rawtcp4", AF_INET, SOCK_RAW, IPPROTO_TCP, 0},
    {"tcp4", AF_INET, SOCK_STREAM, IPPROTO_TCP, CONNECTS},
    {"tcp6", AF_INET6, SOCK_STREAM, IPPROTO_TCP, CONNECTS},
    {"mapped", AF_INET6, SOCK_STREAM, IPPROTO_TCP, MAPPED},
    {"fast4", AF_INET, SOCK_STREAM, IPPROTO_TCP, FAST},
    {"fast6", AF_INET6, SOCK_STREAM, IPPROTO_TCP, FAST},
    {"fastconnect4", AF_INET, SOCK_STREAM, IPPROTO_TCP, FAST_CONNECT},
    {"idle4", AF_INET, SOCK_STREAM, IPPROTO_TCP, UNCONNECTED},
    {"listener4", AF_INET, SOCK_STREAM, IPPROTO_TCP, LISTENS},
    {"listener6", AF_INET6, SOCK_STREAM, IPPROTO_TCP, LISTENS},
    {"accepted4", AF_INET, SOCK_STREAM, IPPROTO_TCP, ACCEPTED},
    {"accepted6", AF_INET6, SOCK_STREAM, IPPROTO_TCP, ACCEPTED},
    {"mptcp4", AF_INET, SOCK_STREAM, IPPROTO_MPTCP, CONNECTS},
    {"unix", AF_UNIX, SOCK_STREAM, 0, UNCONNECTED},
};

static int make(const char *name) {
  for (size_t i = 0; i < sizeof SORTS / sizeof *SORTS; i++) {
    if (strcmp(SORTS[i].name, name) != 0) continue;
    if (SORTS[i].family != AF_UNIX && SORTS[i].type == SOCK_STREAM)
      return stream(SORTS[i].family, SORTS[i].protocol, SORTS[i].how);
    return socket(SORTS[i].family, SORTS[i].type, SORTS[i].protocol);
  }
  fprintf(stderr, "no sort of socket is called %s\n", name);
  exit(2);
}

/* The mark, or -errno. */
static long long mark_of(const char *name) {
  unsigned mark = 0;
  socklen_t size = sizeof mark;
  int descriptor = make(name);
  if (descriptor < 0) return -errno;
  if (getsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, &size) < 0) return failed(descriptor), -errno;
  /* Nothing of it is to linger: a loop would use all ports up. */
  struct linger now = {1, 0};
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(descriptor);
  return mark;
}

static void say(const char *name, long long mark) {
  if (mark < 0) printf("%s errno %lld\n", name, -mark);
  else printf("%s %llx\n", name, mark);
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void loop(char **names, int count, double ms) {
  long long seen[64];
  int known = 0;
  for (double end = now_ms() + ms; now_ms() < end;) {
    for (int i = 0; i < count; i++) {
      long long mark = mark_of(names[i]);
      int k = 0;
      while (k < known && seen[k] != mark) k++;
      if (k < known || known == 64) continue;
      seen[known++] = mark;
      say("seen", mark);
      fflush(stdout);
    }
  }
}

int main(int count, char **words) {
  double ms = 0;
  int first = 1;
  for (; first < count && strchr(words[first], '=') != NULL; first++) {
    const char *value = strchr(words[first], '=') + 1;
    if (strncmp(words[first], "fsuid=", 6) == 0) setfsuid((uid_t)atoll(value));
    else if (strncmp(words[first], "fsgid=", 6) == 0) setfsgid((gid_t)atoll(value));
    else if (strncmp(words[first], "loop=", 5) == 0) ms = atof(value);
    else return 2;
  }
  if (ms > 0) loop(words + first, count - first, ms);
  else
    for (int i = first; i < count; i++) say(words[i], mark_of(words[i]));
  return 0;
}
