/*
 * Owns what is done to one packet of a known flow: match under a mask, check the lengths that it states, put the other
 * side's headers in their place, and let the ICRC follow by the difference (docs/adr/0051, docs/adr/0100).
 *
 * The formats are those of src/rdma/codec; what a packet may be and what it becomes is in the flow, which TypeScript wrote.
 */
#include "flow-packet.h"

#include <string.h>

enum { ETHERNET = 14, IPV4 = 20, IPV6 = 40, UDP = 8, LRH = 8, GRH = 40, BTH = 12, DETH = 8, IMM = 4, ICRC = 4, VCRC = 2 };
enum { TRANSPORT_HEAD = BTH + DETH, IP_TYPE = 12, WITH_IMMEDIATE = 0x65, MOST_WORDS = 0x7ff };

/* What flows of one format have in common. */
struct format {
  size_t bth;
  /* Where its headers have what counts for the ICRC and varies, beside flags and sequence number. */
  uint8_t varies[6], variations;
  /* Bits of the headers that tell flows apart. */
  uint8_t mask[FLOW_HEAD];
};

static struct format formats[FLOW_FORMATS] = {
    [ROCE_IPV4] = {.bth = ETHERNET + IPV4 + UDP, .varies = {16, 17, 18, 19, 38, 39}, .variations = 6},
    [ROCE_IPV6] = {.bth = ETHERNET + IPV6 + UDP, .varies = {18, 19, 58, 59}, .variations = 4},
    [IB_LOCAL] = {.bth = LRH, .varies = {4, 5}, .variations = 2},
    [IB_GLOBAL] = {.bth = LRH + GRH, .varies = {12, 13}, .variations = 2},
};

/* What no flow is told by though no ICRC covers it: time to live and hop limit, checksums; and the length in an LRH. */
static const uint8_t passed_over[FLOW_FORMATS][7] = {
    [ROCE_IPV4] = {22, 24, 25, 40, 41}, [ROCE_IPV6] = {21, 60, 61}, [IB_LOCAL] = {5}, [IB_GLOBAL] = {5, 15}};

/* PLACES[n][b]: what a byte does to the register of the ICRC, n bytes before its end. */
static uint32_t places[FLOW_HEAD][256];
/* POWERS[k]: the register after 2 to the power of k zero bytes, by its four bytes. */
enum { POWERS = 13 };
static uint32_t powers[POWERS][4][256];
static uint32_t link_crc[8][256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_slices(uint32_t (*tables)[256], size_t count, uint32_t polynomial) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? polynomial : 0);
    tables[0][i] = crc;
  }
  for (size_t n = 1; n < count; n++)
    for (int i = 0; i < 256; i++) tables[n][i] = tables[n - 1][i] >> 8 ^ tables[0][tables[n - 1][i] & 255];
}

static uint32_t apply(uint32_t power[4][256], uint32_t crc) {
  return power[0][crc & 255] ^ power[1][crc >> 8 & 255] ^ power[2][crc >> 16 & 255] ^ power[3][crc >> 24];
}

static void make_tables(void) {
  make_slices(places, FLOW_HEAD, 0xedb88320u);
  make_slices(link_crc, 8, 0xd008u);
  for (int at = 0; at < 4; at++)
    for (uint32_t b = 0; b < 256; b++) {
      uint32_t crc = b << 8 * at;
      powers[0][at][b] = crc >> 8 ^ places[0][crc & 255];
    }
  for (int k = 1; k < POWERS; k++)
    for (int at = 0; at < 4; at++)
      for (int b = 0; b < 256; b++) powers[k][at][b] = apply(powers[k - 1], powers[k - 1][at][b]);
  for (int f = 0; f < FLOW_FORMATS; f++) {
    struct format *format = &formats[f];
    memset(format->mask, 0xff, format->bth + TRANSPORT_HEAD);
    for (int i = 0; i < format->variations; i++) format->mask[format->varies[i]] = 0;
    for (int i = 0; i < 7 && passed_over[f][i] != 0; i++) format->mask[passed_over[f][i]] = 0;
    if (f == IB_LOCAL || f == IB_GLOBAL) format->mask[4] = 0xf8;
    format->mask[format->bth + 1] = 0x0f; /* solicited event, migration and padding are each packet's own */
    memset(format->mask + format->bth + 9, 0, 3);
  }
}

void flow_prepare(void) { pthread_once(&once, make_tables); }

static uint32_t crc_of(uint32_t (*tables)[256], uint32_t crc, const uint8_t *bytes, size_t length) {
  for (; length >= 8; bytes += 8, length -= 8) {
    uint32_t low = crc ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24);
    crc = tables[7][low & 255] ^ tables[6][low >> 8 & 255] ^ tables[5][low >> 16 & 255] ^ tables[4][low >> 24] ^
          tables[3][bytes[4]] ^ tables[2][bytes[5]] ^ tables[1][bytes[6]] ^ tables[0][bytes[7]];
  }
  while (length-- > 0) crc = crc >> 8 ^ tables[0][(crc ^ *bytes++) & 255];
  return crc;
}

static uint32_t shift(uint32_t crc, size_t length) {
  for (int k = 0; length != 0; k++, length >>= 1)
    if (length & 1) crc = apply(powers[k], crc);
  return crc;
}

static size_t u16(const uint8_t *bytes) { return (size_t)(bytes[0] << 8 | bytes[1]); }

static void set_u16(uint8_t *bytes, size_t value) {
  bytes[0] = (uint8_t)(value >> 8);
  bytes[1] = (uint8_t)value;
}

bool flow_format_of(const struct flow_table *table, const uint8_t *frame, size_t length, enum flow_format *format) {
  if (table->native) {
    if (length < LRH || (frame[1] & 2) == 0) return false;
    *format = frame[1] & 1 ? IB_GLOBAL : IB_LOCAL;
  } else {
    if (length < ETHERNET) return false;
    size_t type = u16(frame + IP_TYPE);
    if (type != 0x0800 && type != 0x86dd) return false;
    *format = type == 0x0800 ? ROCE_IPV4 : ROCE_IPV6;
  }
  return length >= formats[*format].bth + TRANSPORT_HEAD + ICRC;
}

void flow_key_of(enum flow_format format, const uint8_t *head, uint64_t key[FLOW_WORDS]) {
  uint64_t mask[FLOW_WORDS];
  memcpy(mask, formats[format].mask, sizeof mask);
  memset(key, 0, FLOW_HEAD);
  memcpy(key, head, formats[format].bth + TRANSPORT_HEAD);
  for (int i = 0; i < FLOW_WORDS; i++) key[i] &= mask[i];
}

/* Where the packet ends by its own lengths, 0 where they differ from each other. */
static size_t end_of(enum flow_format format, const uint8_t *frame) {
  const size_t bth = formats[format].bth;
  size_t end = 0;
  switch (format) {
  case ROCE_IPV4:
    end = ETHERNET + u16(frame + 16);
    return end == ETHERNET + IPV4 + u16(frame + 38) ? end : 0;
  case ROCE_IPV6:
    end = ETHERNET + IPV6 + u16(frame + 18);
    return end == ETHERNET + IPV6 + u16(frame + 58) ? end : 0;
  case IB_LOCAL:
    return (u16(frame + 4) & MOST_WORDS) * 4;
  case IB_GLOBAL:
    end = (u16(frame + 4) & MOST_WORDS) * 4;
    return end == bth + u16(frame + 12) ? end : 0;
  default:
    return 0;
  }
}

static uint32_t sum_of(uint32_t sum, const uint8_t *bytes, size_t length) {
  for (; length >= 2; bytes += 2, length -= 2) sum += (uint32_t)u16(bytes);
  return length == 0 ? sum : sum + (uint32_t)(bytes[0] << 8);
}

static size_t folded(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  return ~(sum + (sum >> 16)) & 0xffff;
}

/* Lengths, and the checksum of IPv4; `whole` is from the start of the made packet to behind its ICRC. */
static void set_lengths(enum flow_format format, uint8_t *made, size_t whole) {
  switch (format) {
  case ROCE_IPV4:
    set_u16(made + 16, whole - ETHERNET);
    set_u16(made + 38, whole - ETHERNET - IPV4);
    set_u16(made + 24, 0);
    set_u16(made + 24, folded(sum_of(0, made + ETHERNET, IPV4)));
    break;
  case ROCE_IPV6:
    set_u16(made + 18, whole - ETHERNET - IPV6);
    set_u16(made + 58, whole - ETHERNET - IPV6);
    break;
  case IB_GLOBAL:
    set_u16(made + 12, whole - LRH - GRH);
    set_u16(made + 4, whole / 4);
    break;
  default:
    break;
  }
}

/* The UDP checksum of IPv6, which covers the ICRC (RFC 8200, 8.1). */
static void set_checksum(uint8_t *made, size_t whole) {
  const size_t length = whole - ETHERNET - IPV6;
  set_u16(made + 60, 0);
  uint32_t sum = sum_of(17 + (uint32_t)length, made + 22, 32);
  size_t checksum = folded(sum_of(sum, made + ETHERNET + IPV6, length));
  set_u16(made + 60, checksum == 0 ? 0xffff : checksum);
}

/* What the bytes that vary do to the register behind the head. */
static uint32_t variation(enum flow_format format, const uint8_t *head) {
  const struct format *one = &formats[format];
  const size_t last = one->bth + TRANSPORT_HEAD - 1;
  uint32_t crc = 0;
  for (int i = 0; i < one->variations; i++) {
    const size_t at = one->varies[i];
    crc ^= places[last - at][head[at] & (uint8_t)~one->mask[at]];
  }
  return crc;
}

static uint32_t of_number(const uint8_t *number) {
  return places[DETH + 2][number[0]] ^ places[DETH + 1][number[1]] ^ places[DETH][number[2]];
}

static bool is_whole(const struct flow_spec *spec, const uint8_t *frame, size_t length, size_t end, uint32_t varied) {
  const uint8_t *bth = frame + formats[spec->from].bth;
  if (end + VCRC > length) return false;
  uint32_t vcrc = ~crc_of(link_crc, 0xffff, frame, end) & 0xffff;
  if (frame[end] != (vcrc & 255) || frame[end + 1] != vcrc >> 8) return false;
  uint32_t crc = spec->before ^ varied ^ of_number(bth + 9) ^ places[TRANSPORT_HEAD - 2][bth[1] & 0xf0];
  crc = ~crc_of(places, crc, bth + TRANSPORT_HEAD, (size_t)(frame + end - ICRC - (bth + TRANSPORT_HEAD)));
  const uint8_t *icrc = frame + end - ICRC;
  return crc == ((uint32_t)icrc[0] | (uint32_t)icrc[1] << 8 | (uint32_t)icrc[2] << 16 | (uint32_t)icrc[3] << 24);
}

bool flow_rewrite(struct flow_table *table, const struct flow_spec *spec, uint8_t *frame, size_t length,
                  struct flow_passed *passed) {
  const enum flow_format from = spec->from, to = spec->to;
  const size_t end = end_of(from, frame), near = formats[from].bth, far = formats[to].bth;
  uint8_t *bth = frame + near;
  const size_t headers = TRANSPORT_HEAD + (bth[0] == WITH_IMMEDIATE ? IMM : 0), pad = bth[1] >> 4 & 3;
  if (end > length || end < near + headers + pad + ICRC) return false;
  const size_t transport = end - near, payload = transport - headers - pad - ICRC, whole = far + transport;
  if ((transport & 3) != 0 || payload > spec->most_payload || transport > spec->most_transport) return false;
  if (whole / 4 > MOST_WORDS) return false;
  uint32_t crc = variation(from, frame);
  if (table->checks && !is_whole(spec, frame, length, end, crc)) return false;
  crc ^= spec->before ^ spec->after;
  uint8_t flags = bth[1] & 0xf0, number[3];
  memcpy(number, bth + 9, 3);
  if (spec->flags & FLOW_NUMBERED) {
    crc ^= of_number(number);
    uint32_t next = *table->sequence;
    *table->sequence = (next + 1) & 0xffffff;
    number[0] = (uint8_t)(next >> 16), number[1] = (uint8_t)(next >> 8), number[2] = (uint8_t)next;
    crc ^= of_number(number);
  }
  uint8_t *made = bth - far;
  memcpy(made, spec->made, far + TRANSPORT_HEAD);
  bth[1] = (uint8_t)(flags | (bth[1] & 0x0f));
  memcpy(bth + 9, number, 3);
  set_lengths(to, made, whole);
  crc = shift(crc ^ variation(to, made), transport - TRANSPORT_HEAD - ICRC);
  uint8_t *icrc = made + whole - ICRC;
  for (int i = 0; i < 4; i++) icrc[i] = (uint8_t)(icrc[i] ^ crc >> 8 * i);
  if (to == ROCE_IPV6) set_checksum(made, whole);
  size_t sealed = whole;
  if (table->seals) {
    uint32_t vcrc = ~crc_of(link_crc, 0xffff, made, whole);
    made[sealed++] = (uint8_t)vcrc, made[sealed++] = (uint8_t)(vcrc >> 8);
  }
  passed->start = (int32_t)(made - frame);
  passed->length = (int32_t)sealed;
  passed->payload = (int32_t)payload;
  return true;
}
