/*
 * Owns the load of the bridge's measurements: frames of a file sent again and again by a link, and what comes of them at a
 * socket, with the time that each took.
 * Usage: load LINK SOCKET RELAY-SOCKET FRAMES RATE SECONDS OFFSET-IN OFFSET-OUT KNOWN; RATE 0 is as fast as possible. FRAMES: 4 bytes of
 * length (least significant first) before each. The time is written 8 bytes long at OFFSET-IN, and read at OFFSET-OUT.
 * Says "ready"; after a line of input sends KNOWN frames, of flows that are to be known, and says "known"; after another
 * line sends the load, and prints {"sent", "received", "seconds", "p50us", "p99us"}.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32, MOST = 4000000, KNOWN_PER_SECOND = 1000, MOST_SECONDS = 10, REST_US = 500000 };

static volatile int stop;
static int in;
static size_t offset_out;
static _Atomic long received;
static uint32_t *took;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void *receive(void *argument) {
  static uint8_t slots[BATCH][4352];
  (void)argument;
  while (!stop) {
    struct iovec vectors[BATCH];
    struct mmsghdr got[BATCH] = {0};
    for (int i = 0; i < BATCH; i++) {
      vectors[i] = (struct iovec){slots[i], sizeof slots[i]};
      got[i].msg_hdr.msg_iov = &vectors[i], got[i].msg_hdr.msg_iovlen = 1;
    }
    struct timespec patience = {0, 100000000};
    int count = recvmmsg(in, got, BATCH, MSG_WAITFORONE, &patience);
    uint64_t at = now();
    for (int i = 0; i < count; i++) {
      uint64_t sent;
      if (got[i].msg_len < offset_out + 8) continue;
      memcpy(&sent, slots[i] + offset_out, 8);
      if (received < MOST) took[received] = at - sent > 0xffffffffu ? 0xffffffffu : at - sent;
      received++;
    }
  }
  return NULL;
}

/* Frames, sent again and again. */
struct frames {
  uint8_t *bytes;
  size_t size, at, offset_in;
  int out;
};

/* At a rate, 0 for as fast as possible, until the time is over or so many are sent; how many were. */
static long send_frames(struct frames *frames, double rate, double seconds, long most) {
  const uint64_t start = now(), end = start + seconds * 1e9;
  long sent = 0;
  while (now() < end && sent < most) {
    if (rate > 0) {
      int64_t early = start + (int64_t)(sent * 1e9 / rate) - (int64_t)now();
      struct timespec rest = {0, early};
      if (early > 0) nanosleep(&rest, NULL);
    }
    uint32_t length;
    uint8_t *frame = frames->bytes + frames->at + sizeof length;
    memcpy(&length, frames->bytes + frames->at, sizeof length);
    uint64_t time = now();
    memcpy(frame + frames->offset_in, &time, sizeof time);
    if (send(frames->out, frame, length, 0) > 0) sent++;
    frames->at += sizeof length + length;
    if (frames->at >= frames->size) frames->at = 0;
  }
  return sent;
}

/* Waits for a line; whoever has gone wants nothing more. */
static void say(const char *word) {
  printf("%s\n", word);
  fflush(stdout);
  if (getchar() == EOF) exit(1);
}

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

int main(int count, char **words) {
  if (count != 10) return 64;
  FILE *file = fopen(words[4], "r");
  struct stat stat;
  if (!file || fstat(fileno(file), &stat) < 0) return 1;
  struct frames frames = {.bytes = malloc(stat.st_size), .size = stat.st_size, .offset_in = atoi(words[7])};
  if (fread(frames.bytes, 1, frames.size, file) != frames.size) return 1;
  double rate = atof(words[5]), seconds = atof(words[6]);
  long known = atol(words[9]);
  offset_out = atoi(words[8]);
  took = malloc(MOST * sizeof *took);
  int size = 8 << 20, one = 1;
  frames.out = socket(AF_PACKET, SOCK_RAW, 0);
  struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(words[1])};
  setsockopt(frames.out, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
  struct sockaddr_un own = {.sun_family = AF_UNIX};
  snprintf(own.sun_path, sizeof own.sun_path, "%s", words[2]);
  in = socket(AF_UNIX, SOCK_DGRAM, 0);
  unlink(own.sun_path);
  setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  struct timeval wake = {0, 200000};
  setsockopt(in, SOL_SOCKET, SO_RCVTIMEO, &wake, sizeof wake);
  if (bind(frames.out, (void *)&link, sizeof link) < 0 || bind(in, (void *)&own, sizeof own) < 0) {
    perror("load");
    return 1;
  }
  /* Whoever relays connects to the socket now. */
  say("ready");
  /* Sockets that are connected to each other are limited by their buffers alone. */
  struct sockaddr_un relay = {.sun_family = AF_UNIX};
  snprintf(relay.sun_path, sizeof relay.sun_path, "%s", words[3]);
  if (connect(in, (void *)&relay, sizeof relay) < 0) return 1;
  pthread_t thread;
  pthread_create(&thread, NULL, receive, NULL);
  send_frames(&frames, KNOWN_PER_SECOND, MOST_SECONDS, known);
  usleep(REST_US);
  say("known");
  received = 0;
  uint64_t start = now();
  long sent = send_frames(&frames, rate, seconds, MOST);
  double lasted = (now() - start) / 1e9;
  usleep(REST_US);
  stop = 1;
  pthread_join(thread, NULL);
  long timed = received < MOST ? received : MOST;
  qsort(took, timed, sizeof *took, compare);
  printf("{\"sent\":%ld,\"received\":%ld,\"seconds\":%.3f,\"p50us\":%.1f,\"p99us\":%.1f}\n", sent, received, lasted,
         timed ? took[timed / 2] / 1e3 : 0, timed ? took[timed * 99 / 100] / 1e3 : 0);
}
