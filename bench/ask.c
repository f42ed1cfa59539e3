/*
 * Owns the question that judges a failover: `ask answer PORT` answers datagrams; `ask ask ADDRESS PORT INTERVAL-US` sends one
 * in each interval. It reads commands: "begin" starts an observation, "report" writes the longest time between two answers
 * and how late the worst timer was, ms. Both stand for hosts of their own, which what happens at a gateway does not make
 * late: they run at a real-time priority above keepalived's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* keepalived's is 50 (src/gateway/keepalived-file.ts). */
enum { PRIORITY = 60, MOST_BYTES = 64 };

static _Noreturn void fail(const char *what) {
  perror(what);
  exit(1);
}

static double now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int datagrams(void) {
  int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  if (descriptor < 0) fail("socket");
  return descriptor;
}

static _Noreturn void answer(int port) {
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)}, from;
  struct pollfd ready = {.fd = datagrams(), .events = POLLIN};
  char bytes[MOST_BYTES];
  if (bind(ready.fd, (struct sockaddr *)&own, sizeof own) != 0) fail("bind");
  printf("serving\n");
  fflush(stdout);
  for (;;) {
    if (poll(&ready, 1, -1) < 0 && errno != EINTR) fail("poll");
    socklen_t size = sizeof from;
    ssize_t length = recvfrom(ready.fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size);
    /* An answer that cannot be sent is one that does not come. */
    if (length > 0) (void)!sendto(ready.fd, bytes, (size_t)length, 0, (struct sockaddr *)&from, size);
  }
}

/* An observation, ms. */
struct seen {
  double from, answered, worst, late, due;
};

static double longest(const struct seen *seen) {
  double since = now_ms() - (seen->answered > seen->from ? seen->answered : seen->from);
  return since > seen->worst ? since : seen->worst;
}

static void command(struct seen *seen) {
  char line[MOST_BYTES];
  if (fgets(line, sizeof line, stdin) == NULL) exit(0);
  if (strcmp(line, "begin\n") == 0) {
    seen->from = now_ms();
    seen->worst = seen->late = 0;
    printf("begun\n");
  } else if (strcmp(line, "report\n") == 0) {
    printf("{\"gapMs\": %.3f, \"lateMs\": %.3f}\n", longest(seen), seen->late);
  }
  fflush(stdout);
}

static _Noreturn void ask(struct sockaddr_in to, int interval_us) {
  struct itimerspec each = {.it_interval.tv_nsec = interval_us * 1000L, .it_value.tv_nsec = interval_us * 1000L};
  struct pollfd ready[] = {{.fd = datagrams(), .events = POLLIN},
                           {.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
  double start = now_ms();
  struct seen seen = {.from = start, .answered = start, .due = start + interval_us / 1e3};
  char bytes[MOST_BYTES];
  if (timerfd_settime(ready[1].fd, 0, &each, NULL) != 0) fail("timer");
  for (;;) {
    if (poll(ready, 3, -1) < 0 && errno != EINTR) fail("poll");
    while (recv(ready[0].fd, bytes, sizeof bytes, 0) >= 0) {
      seen.worst = longest(&seen);
      seen.answered = now_ms();
    }
    uint64_t times;
    if (read(ready[1].fd, &times, sizeof times) == sizeof times) {
      double late = now_ms() - seen.due;
      if (late > seen.late) seen.late = late;
      seen.due += (double)times * interval_us / 1e3;
      /* What cannot be sent, for want of a route or a link, is a question without an answer. */
      (void)!sendto(ready[0].fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
    }
    if (ready[2].revents) command(&seen);
  }
}

static void be_ahead(void) {
  struct sched_param priority = {.sched_priority = PRIORITY};
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0 || sched_setscheduler(0, SCHED_FIFO, &priority) != 0) fail("priority");
}

int main(int count, char **words) {
  const int is_answer = count == 3 && strcmp(words[1], "answer") == 0, is_ask = count == 5 && strcmp(words[1], "ask") == 0;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)(is_ask ? atoi(words[3]) : 0))};
  const int interval_us = is_ask ? atoi(words[4]) : 0;
  if (is_answer) {
    be_ahead();
    answer(atoi(words[2]));
  }
  if (is_ask && inet_pton(AF_INET, words[2], &to.sin_addr) == 1 && interval_us >= 100 && interval_us < 1000000) {
    be_ahead();
    ask(to, interval_us);
  }
  fprintf(stderr, "usage: ask answer PORT | ask ask ADDRESS PORT INTERVAL-US, of 100 to 999999\n");
  return 64;
}
