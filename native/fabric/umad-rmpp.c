/*
 * Owns what the kernel below a subnet manager does and its simulation leaves out: sending a message that has several
 * datagrams (RMPP; IBA vol 1, 13.6.5). The model of a fabric loads it into OpenSM, in front of libibumad.
 *
 * OpenSM hands a whole table to its kernel; ibsim's client library would send its first 256 bytes. Nothing is sent again
 * by time: on the simulated wire little is lost, and who misses something acknowledges again what it has.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
  MAD_BYTES = 256,
  /* Of a MAD of the administrator: its common header, that of RMPP, its own, and the room for records. */
  HEADER_BYTES = 24,
  SA_HEADER = 36,
  SA_HEADER_BYTES = 20,
  SA_DATA = 56,
  SA_DATA_BYTES = 200,
  CLASS_SA = 3,
  VERSION = 1,
  TYPE_DATA = 1,
  TYPE_ACK = 2,
  ACTIVE = 1,
  FIRST = 2,
  LAST = 4,
  /* The LID of the other end in the header before a MAD, struct ib_user_mad_hdr (rdma/ib_user_mad.h). */
  UMAD_LID = 28,
  /* Tables that are under way at once; a new one takes the place of the oldest. */
  MOST_TRANSFERS = 32,
};

/* Of libibumad. */
void *umad_get_mad(void *umad);
size_t umad_size(void);
int umad_send(int port, int agent, void *umad, int length, int timeout, int retries);
int umad_recv(int port, void *umad, int *length, int timeout);

struct transfer {
  uint8_t *umad; /* the whole message behind its umad header; NULL where there is none */
  size_t length; /* of the records */
  int port, agent;
  uint32_t count, sent, acknowledged, window;
};

static struct transfer transfers[MOST_TRANSFERS];
static size_t next_transfer;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *next(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (found == NULL) abort();
  return found;
}

static int really_send(int port, int agent, void *umad, int length, int timeout, int retries) {
  int (*send)(int, int, void *, int, int, int) = NULL;
  *(void **)&send = next("umad_send");
  return send(port, agent, umad, length, timeout, retries);
}

static uint32_t get32(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put32(uint8_t *bytes, uint32_t value) {
  for (int i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Whether both are of one transaction with one port. ibsim keeps 48 bits of its number. */
static bool is_same(uint8_t *a, uint8_t *b) {
  const uint8_t *first = umad_get_mad(a), *second = umad_get_mad(b);
  return memcmp(a + UMAD_LID, b + UMAD_LID, 2) == 0 && memcmp(first + 10, second + 10, 6) == 0;
}

static int send_segment(struct transfer *one, uint32_t segment) {
  uint8_t bytes[512];
  size_t head = umad_size();
  if (head + MAD_BYTES > sizeof bytes) abort();
  const uint8_t *whole = umad_get_mad(one->umad);
  memset(bytes, 0, sizeof bytes);
  memcpy(bytes, one->umad, head);
  uint8_t *mad = umad_get_mad(bytes);
  memcpy(mad, whole, HEADER_BYTES);
  memcpy(mad + SA_HEADER, whole + SA_HEADER, SA_HEADER_BYTES);
  size_t from = (size_t)(segment - 1) * SA_DATA_BYTES, left = one->length - from;
  size_t part = left < SA_DATA_BYTES ? left : SA_DATA_BYTES;
  memcpy(mad + SA_DATA, whole + SA_DATA + from, part);
  bool first = segment == 1, last = segment == one->count;
  mad[24] = VERSION;
  mad[25] = TYPE_DATA;
  mad[26] = (uint8_t)(ACTIVE | (first ? FIRST : 0) | (last ? LAST : 0));
  put32(mad + 28, segment);
  size_t payload = last ? SA_HEADER_BYTES + part : first ? one->count * SA_HEADER_BYTES + one->length : 0;
  put32(mad + 32, (uint32_t)payload);
  return really_send(one->port, one->agent, bytes, MAD_BYTES, 0, 0);
}

static int send_due(struct transfer *one) {
  int answer = 0;
  while (answer >= 0 && one->sent < one->count && one->sent < one->window) answer = send_segment(one, ++one->sent);
  return answer;
}

static void forget(struct transfer *one) {
  free(one->umad);
  one->umad = NULL;
}

int umad_send(int port, int agent, void *umad, int length, int timeout, int retries) {
  const uint8_t *mad = umad_get_mad(umad);
  bool is_table = length >= SA_DATA && mad[1] == CLASS_SA && (mad[3] & 0x80) != 0 && (mad[26] & ACTIVE) != 0;
  if (!is_table || mad[24] != 0) return really_send(port, agent, umad, length, timeout, retries);
  uint8_t *copy = malloc(umad_size() + (size_t)length);
  if (copy == NULL) return -1;
  memcpy(copy, umad, umad_size() + (size_t)length);
  pthread_mutex_lock(&lock);
  struct transfer *one = &transfers[next_transfer++ % MOST_TRANSFERS];
  forget(one);
  /* A question that was asked again is answered anew. */
  for (size_t i = 0; i < MOST_TRANSFERS; i++)
    if (transfers[i].umad != NULL && is_same(transfers[i].umad, copy)) forget(&transfers[i]);
  size_t records = (size_t)length - SA_DATA;
  uint32_t count = records == 0 ? 1 : (uint32_t)((records + SA_DATA_BYTES - 1) / SA_DATA_BYTES);
  *one = (struct transfer){
      .umad = copy, .length = records, .port = port, .agent = agent, .count = count, .window = 1};
  int answer = send_due(one);
  pthread_mutex_unlock(&lock);
  return answer;
}

/* What the other end says of a transfer: it has got so much and takes so much more, or wants no more. */
static void take(uint8_t *umad) {
  const uint8_t *mad = umad_get_mad(umad);
  for (size_t i = 0; i < MOST_TRANSFERS; i++) {
    struct transfer *one = &transfers[i];
    if (one->umad == NULL || !is_same(one->umad, umad)) continue;
    uint32_t segment = get32(mad + 28), window = get32(mad + 32);
    if (mad[25] != TYPE_ACK || segment >= one->count) return forget(one);
    bool news = segment > one->acknowledged || window > one->window;
    if (segment > one->acknowledged) one->acknowledged = segment;
    if (window > one->window) one->window = window;
    /* The same again says that what followed was lost. */
    if (!news) one->sent = one->acknowledged;
    send_due(one);
    return;
  }
}

int umad_recv(int port, void *umad, int *length, int timeout) {
  int (*receive)(int, void *, int *, int) = NULL;
  *(void **)&receive = next("umad_recv");
  for (int room = *length;; *length = room) {
    int agent = receive(port, umad, length, timeout);
    if (agent < 0 || *length < MAD_BYTES) return agent;
    const uint8_t *mad = umad_get_mad(umad);
    if (mad[1] != CLASS_SA || (mad[26] & ACTIVE) == 0 || mad[24] != VERSION || mad[25] < TYPE_ACK) return agent;
    pthread_mutex_lock(&lock);
    take(umad);
    pthread_mutex_unlock(&lock);
  }
}
