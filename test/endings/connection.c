/*
 * Owns connections that end badly: one side queues data and goes, the other reads slowly, holds, talks back or goes too.
 *
 *   connection send [mark=N] [source=ADDRESS port=N] ADDRESS PORT BYTES close|wait|reset|hang-up
 *   connection receive ADDRESS PORT slow|hold|leave|talk|flood
 *
 * `send` says "queued" when all bytes are with the kernel. `wait` then waits to be killed; `hang-up` sends nothing,
 * waits for the first byte from the other side and closes with the rest unread. `receive` says "listening", and "ended"
 * when the other side has closed; `hold` and `talk` then wait for SIGUSR1 before they close, or send a byte. `leave`
 * reads nothing, and closes at SIGUSR1; `flood` sends until the connection breaks.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 1 << 20, SMALL = 4096, MOST_BYTES = 190 * 1000 };

static void need(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(1);
}

static void say(const char *what) {
  puts(what);
  fflush(stdout);
}

union place {
  struct sockaddr any;
  struct sockaddr_in four;
  struct sockaddr_in6 six;
};

static union place place(const char *address, const char *port) {
  uint16_t number = htons((uint16_t)atoi(port));
  union place at;
  memset(&at, 0, sizeof at);
  at.any.sa_family = strchr(address, ':') ? AF_INET6 : AF_INET;
  void *to = at.any.sa_family == AF_INET6 ? (void *)&at.six.sin6_addr : (void *)&at.four.sin_addr;
  if (at.any.sa_family == AF_INET6) at.six.sin6_port = number;
  else at.four.sin_port = number;
  need(inet_pton(at.any.sa_family, address, to) == 1, address);
  return at;
}

static socklen_t size(union place at) {
  return at.any.sa_family == AF_INET6 ? sizeof at.six : sizeof at.four;
}

static void set(int socket, int name, int value) {
  need(setsockopt(socket, SOL_SOCKET, name, &value, sizeof value) == 0, "setsockopt");
}

/* What stands behind a word that may be left out; NULL where it is. */
static const char *stated(int *count, char ***words, const char *word) {
  size_t length = strlen(word);
  if (*count < 1 || strncmp((*words)[0], word, length) != 0) return NULL;
  (*count)--;
  return *(*words)++ + length;
}

static void send_side(int count, char **words) {
  const char *mark = stated(&count, &words, "mark="), *source = stated(&count, &words, "source=");
  const char *port = stated(&count, &words, "port=");
  if (count != 4 || !source != !port) exit(64);
  long bytes = atol(words[2]);
  if (bytes < 0 || bytes > MOST_BYTES) exit(64);
  union place to = place(words[0], words[1]);
  int client = socket(to.any.sa_family, SOCK_STREAM, 0);
  need(client >= 0, "socket");
  if (mark) set(client, SO_MARK, atoi(mark));
  if (source) {
    union place from = place(source, port);
    set(client, SO_REUSEADDR, 1);
    need(bind(client, &from.any, size(from)) == 0, "bind");
  }
  /* All of it fits, so that the process need not stay. */
  set(client, SO_SNDBUF, ROOM);
  need(connect(client, &to.any, size(to)) == 0, "connect");
  if (strcmp(words[3], "hang-up") == 0) {
    char one;
    need(read(client, &one, 1) == 1, "read");
    need(close(client) == 0, "close");
    return;
  }
  char *zeros = calloc(1, (size_t)bytes + 1);
  need(zeros != NULL, "calloc");
  need(send(client, zeros, (size_t)bytes, MSG_DONTWAIT) == bytes, "send");
  say("queued");
  if (strcmp(words[3], "wait") == 0) pause();
  if (strcmp(words[3], "reset") == 0) {
    struct linger now = {1, 0};
    need(setsockopt(client, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0, "setsockopt");
  }
  need(close(client) == 0, "close");
}

static void receive_side(char **words) {
  sigset_t told;
  int signal, on = 1;
  char some[SMALL];
  union place at = place(words[0], words[1]);
  int server = socket(at.any.sa_family, SOCK_STREAM, 0);
  sigemptyset(&told);
  sigaddset(&told, SIGUSR1);
  need(sigprocmask(SIG_BLOCK, &told, NULL) == 0, "sigprocmask");
  need(server >= 0, "socket");
  set(server, SO_REUSEADDR, on);
  set(server, SO_RCVBUF, SMALL);
  need(bind(server, &at.any, size(at)) == 0 && listen(server, 1) == 0, "listen");
  say("listening");
  int held = accept(server, NULL, NULL);
  need(held >= 0, "accept");
  if (strcmp(words[2], "flood") == 0) {
    memset(some, 0, sizeof some);
    while (send(held, some, sizeof some, MSG_NOSIGNAL) > 0) continue;
    return;
  }
  if (strcmp(words[2], "leave") == 0) {
    sigwait(&told, &signal);
    return;
  }
  int slow = strcmp(words[2], "slow") == 0;
  while (read(held, some, sizeof some) > 0)
    if (slow) nanosleep(&(struct timespec){0, 4 * 1000 * 1000}, NULL);
  say("ended");
  if (slow) return;
  sigwait(&told, &signal);
  if (strcmp(words[2], "talk") == 0) need(send(held, "x", 1, MSG_NOSIGNAL) == 1, "send");
}

int main(int count, char **words) {
  if (count > 5 && strcmp(words[1], "send") == 0) send_side(count - 2, words + 2);
  else if (count == 5 && strcmp(words[1], "receive") == 0) receive_side(words + 2);
  else return 64;
  return 0;
}
