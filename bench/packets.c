/*
 * Owns packets for measurements: as many small UDP datagrams as asked for, of many flows, past the sender's queueing
 * discipline. On virtual links the whole way to the receiver runs in this process's softirqs, so that its own CPU time is
 * what a packet costs; wall-clock rates swing with whatever else the machine does.
 * Usage: bench-packets LINK HARDWARE-ADDRESS PACKETS FLOWS; says {"packets":N,"cpuNs":N,"wallNs":N}.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { FRAME = 60, BATCH = 64, MOST_FLOWS = 65536, DESTINATIONS = 200 };

static uint8_t frames[MOST_FLOWS][FRAME];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static uint16_t sum(const uint8_t *bytes, int length) {
  uint32_t total = 0;
  for (int i = 0; i < length; i += 2) total += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return htons((uint16_t)~total);
}

static void build(uint8_t *frame, const uint8_t *to, int flow) {
  memcpy(frame, to, 6);
  memcpy(frame + 6, "\x02\0\0\0\0\x01", 6);
  frame[12] = 0x08;
  struct iphdr *ip = (void *)(frame + 14);
  *ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(FRAME - 14)};
  ip->saddr = htonl(0x0a00010a);
  ip->daddr = htonl(0x0a00020bu + (uint32_t)(flow % DESTINATIONS));
  ip->check = sum((uint8_t *)ip, sizeof *ip);
  struct udphdr *udp = (void *)(ip + 1);
  udp->source = htons((uint16_t)(1024 + flow / DESTINATIONS));
  udp->dest = htons(7777);
  udp->len = htons(FRAME - 34);
}

static uint64_t now(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000ull + (uint64_t)time.tv_nsec;
}

int main(int count, char **words) {
  if (count != 5) return 64;
  unsigned to[6];
  if (sscanf(words[2], "%x:%x:%x:%x:%x:%x", &to[0], &to[1], &to[2], &to[3], &to[4], &to[5]) != 6) return 64;
  uint8_t address[6];
  for (int i = 0; i < 6; i++) address[i] = (uint8_t)to[i];
  long packets = strtol(words[3], NULL, 10), flows = strtol(words[4], NULL, 10);
  if (packets < 1 || flows < 1 || flows > MOST_FLOWS) return 64;
  int one = socket(AF_PACKET, SOCK_RAW, 0), bypass = 1;
  if (one < 0) die("socket");
  setsockopt(one, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof bypass);
  struct sockaddr_ll place = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(words[1])};
  if (place.sll_ifindex == 0 || bind(one, (void *)&place, sizeof place) < 0) die(words[1]);
  for (int i = 0; i < flows; i++) build(frames[i], address, i);
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < BATCH; i++) {
    parts[i].iov_len = FRAME;
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  uint64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
  long sent = 0;
  while (sent < packets) {
    for (int i = 0; i < BATCH; i++) parts[i].iov_base = frames[(sent + i) % flows];
    int done = sendmmsg(one, messages, BATCH, 0);
    if (done < 0) die("sendmmsg");
    sent += done;
  }
  printf("{\"packets\":%ld,\"cpuNs\":%llu,\"wallNs\":%llu}\n", sent,
         (unsigned long long)(now(CLOCK_PROCESS_CPUTIME_ID) - cpu), (unsigned long long)(now(CLOCK_MONOTONIC) - wall));
  return 0;
}
