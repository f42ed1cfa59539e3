/*
 * Owns the relays that the bridge is measured beside, with the same calls to the kernel: one that copies what it gets, and
 * one that makes a native packet of it and computes its ICRC over everything.
 * Usage: relay copy|rewrite LINK OWN-SOCKET FAR-SOCKET; SIGUSR2 prints the CPU time so far, in microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BATCH = 64, ROOM = 64, SLOT = 4352, ETHERNET = 14, IPV4 = 20, UDP = 8, LRH = 8, GRH = 40, BTH = 12 };

static uint32_t table[8][256];

static void make_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
    table[0][i] = crc;
  }
  for (int slice = 1; slice < 8; slice++)
    for (int i = 0; i < 256; i++) table[slice][i] = (table[slice - 1][i] >> 8) ^ table[0][table[slice - 1][i] & 255];
}

static uint32_t crc_of(uint32_t crc, const uint8_t *bytes, size_t length) {
  for (; length >= 8; bytes += 8, length -= 8) {
    uint32_t low, high;
    memcpy(&low, bytes, 4);
    memcpy(&high, bytes + 4, 4);
    low ^= crc;
    crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^ table[4][low >> 24] ^
          table[3][high & 255] ^ table[2][high >> 8 & 255] ^ table[1][high >> 16 & 255] ^ table[0][high >> 24];
  }
  while (length-- > 0) crc = crc >> 8 ^ table[0][(crc ^ *bytes++) & 255];
  return crc;
}

/* Makes a native packet of the RoCEv2 frame at `bytes`. Gives its length and moves the start; 0 for what is none. */
static size_t rewrite(uint8_t **bytes, size_t length) {
  uint8_t *frame = *bytes;
  if (length < ETHERNET + IPV4 + UDP + BTH + 12 || frame[12] != 8 || frame[13] != 0 || frame[23] != 17) return 0;
  if (frame[36] != 0x12 || frame[37] != 0xb7) return 0;
  size_t end = ETHERNET + (frame[16] << 8 | frame[17]);
  if (end > length) return 0;
  uint8_t *bth = frame + ETHERNET + IPV4 + UDP, *start = bth - GRH - LRH;
  size_t transport = frame + end - bth, whole = LRH + GRH + transport;
  uint8_t tos = frame[15];
  start[0] = 0, start[1] = 3, start[2] = 0, start[3] = 9;
  start[4] = whole >> 10 & 7, start[5] = whole >> 2, start[6] = 0, start[7] = 7;
  uint8_t *grh = start + LRH;
  memset(grh, 0, GRH);
  grh[0] = 0x60 | tos >> 4, grh[1] = tos << 4, grh[4] = transport >> 8, grh[5] = transport, grh[6] = 0x1b, grh[7] = 64;
  grh[8] = grh[24] = 0xfe, grh[9] = grh[25] = 0x80, grh[23] = 7, grh[39] = 9;
  bth[21 - 4] = 0x40;
  uint8_t masked[LRH + GRH + BTH];
  memcpy(masked, start, sizeof masked);
  memset(masked, 0xff, LRH);
  masked[LRH] |= 0x0f;
  memset(masked + LRH + 1, 0xff, 3);
  masked[LRH + 7] = masked[LRH + GRH + 4] = 0xff;
  uint32_t crc = crc_of(0xffffffff, masked, sizeof masked);
  crc = ~crc_of(crc, bth + BTH, transport - BTH - 4);
  memcpy(start + whole - 4, &crc, 4);
  *bytes = start;
  return whole;
}

static void tell(int signal) {
  (void)signal;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  char text[64];
  long us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  int length = snprintf(text, sizeof text, "%ld\n", us);
  if (write(1, text, length) < 0) _exit(1);
}

int main(int count, char **words) {
  static uint8_t slots[BATCH][SLOT];
  if (count != 5) return 64;
  int rewrites = strcmp(words[1], "rewrite") == 0;
  make_table();
  signal(SIGUSR2, tell);
  int in = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), out = socket(AF_UNIX, SOCK_DGRAM, 0), one = 1, size = 32 << 20;
  struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = if_nametoindex(words[2])};
  struct sockaddr_un own = {.sun_family = AF_UNIX}, far = {.sun_family = AF_UNIX};
  snprintf(own.sun_path, sizeof own.sun_path, "%s", words[3]);
  snprintf(far.sun_path, sizeof far.sun_path, "%s", words[4]);
  unlink(own.sun_path);
  setsockopt(in, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
  setsockopt(in, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  size = 8 << 20;
  setsockopt(out, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  if (bind(in, (void *)&link, sizeof link) < 0 || bind(out, (void *)&own, sizeof own) < 0 ||
      connect(out, (void *)&far, sizeof far) < 0) {
    perror("relay");
    return 1;
  }
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    struct pollfd ready = {.fd = in, .events = POLLIN};
    if (poll(&ready, 1, -1) < 0) continue;
    struct iovec vectors[BATCH];
    struct mmsghdr got[BATCH] = {0}, sent[BATCH] = {0};
    for (int i = 0; i < BATCH; i++) {
      vectors[i] = (struct iovec){slots[i] + ROOM, SLOT - ROOM};
      got[i].msg_hdr.msg_iov = &vectors[i], got[i].msg_hdr.msg_iovlen = 1;
    }
    int received = recvmmsg(in, got, BATCH, MSG_DONTWAIT, NULL), queued = 0;
    for (int i = 0; i < received; i++) {
      uint8_t *bytes = slots[i] + ROOM;
      size_t length = rewrites ? rewrite(&bytes, got[i].msg_len) : got[i].msg_len;
      if (length == 0) continue;
      vectors[i] = (struct iovec){bytes, length};
      sent[queued].msg_hdr.msg_iov = &vectors[i], sent[queued++].msg_hdr.msg_iovlen = 1;
    }
    for (int done = 0; done < queued;) {
      int now = sendmmsg(out, sent + done, queued - done, MSG_DONTWAIT);
      if (now > 0) done += now;
      else if (errno == EAGAIN || errno == ENOBUFS) {
        struct pollfd room = {.fd = out, .events = POLLOUT};
        if (poll(&room, 1, 20) <= 0) break;
      } else break;
    }
  }
}
