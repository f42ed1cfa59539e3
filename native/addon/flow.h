/*
 * Owns the table of flows: which frames are passed on with which headers, as TypeScript has written it. Frames that no flow
 * is known for, and all that are odd, are left alone.
 */
#ifndef HEDDLE_FLOW_H
#define HEDDLE_FLOW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest headers up to behind the DETH: Ethernet, IPv6, UDP, BTH, DETH, rounded up to whole words of 8 bytes. */
enum { FLOW_HEAD = 88, FLOW_WORDS = FLOW_HEAD / 8, MOST_FLOWS = 1 << 16 };

/* What a packet begins with; the numbers are those of src/rdma/bridge/flow-spec.ts. */
enum flow_format { ROCE_IPV4, ROCE_IPV6, IB_LOCAL, IB_GLOBAL, FLOW_FORMATS };

/* LEASED: passed on only while the lease of the table lasts. NUMBERED: the packet gets the table's next sequence number. */
enum flow_flags { FLOW_LEASED = 1, FLOW_NUMBERED = 2 };

/* One flow as TypeScript writes it; numbers are this machine's. */
struct flow_spec {
  uint8_t from, to, flags, unused;
  /* Registers of the ICRC behind both heads, where all that varies is zero. */
  uint32_t before, after;
  /* Bytes of payload, and from the BTH to behind the ICRC. */
  uint32_t most_payload, most_transport;
  uint8_t head[FLOW_HEAD], made[FLOW_HEAD];
};

struct flow {
  uint64_t key[FLOW_WORDS];
  struct flow_spec spec;
  uint32_t hash;
  int32_t next; /* in its bucket, or among those that are free; -1 ends */
  bool there, used;
  uint64_t packets, bytes, unsent;
};

struct flow_table {
  pthread_mutex_t mutex;
  pthread_cond_t freed;
  /* Of the thread that relays: JavaScript has the frames; how many wait for the mutex, whom it lets by. */
  bool held;
  atomic_int wanted;
  /* Native packets come with a VCRC and must be whole, and get one. */
  bool native, checks, seals;
  uint32_t *sequence;
  int64_t lease_ns; /* until when, CLOCK_MONOTONIC */
  uint32_t most, count, buckets;
  int32_t free;
  int32_t *heads, *used;
  uint32_t used_count;
  struct flow *flows;
};

/* What became of a frame: where the packet for the other side is, from the start of the frame. */
struct flow_passed {
  int32_t flow;
  int32_t start, length, payload;
};

/* False where there is no memory. */
bool flow_init(struct flow_table *table, uint32_t most);
void flow_free(struct flow_table *table);
/* The index of a new flow; -1 when the table is full, -2 when such packets have a flow, -3 for what is none. */
int32_t flow_add(struct flow_table *table, const struct flow_spec *spec);
void flow_remove(struct flow_table *table, int32_t index);
/*
 * Passes the frame of `length` bytes on in its place, if there is a flow for it: 64 bytes before it and 2 behind it are free.
 * False, and nothing is written, where there is none. Counts nothing: see flow_count.
 */
bool flow_pass(struct flow_table *table, uint8_t *frame, size_t length, int64_t now_ns, struct flow_passed *passed);
void flow_count(struct flow_table *table, const struct flow_passed *passed, bool sent);
int64_t flow_now(void);

/* Has the mutex before the thread that relays takes it again. */
void flow_lock(struct flow_table *table);
void flow_unlock(struct flow_table *table);

#endif
