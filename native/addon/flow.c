/* Owns the table of flows: finding, taking in, giving up, counting. See flow.h. */
#include "flow-packet.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

bool flow_init(struct flow_table *table, uint32_t most) {
  flow_prepare();
  uint32_t buckets = 1;
  while (buckets < most) buckets *= 2;
  table->most = most;
  table->buckets = buckets;
  table->free = -1;
  table->heads = malloc(buckets * sizeof *table->heads);
  table->used = malloc(most * sizeof *table->used);
  table->flows = calloc(most, sizeof *table->flows);
  if (table->heads == NULL || table->used == NULL || table->flows == NULL) {
    flow_free(table);
    return false;
  }
  memset(table->heads, 0xff, buckets * sizeof *table->heads);
  pthread_mutex_init(&table->mutex, NULL);
  pthread_cond_init(&table->freed, NULL);
  return true;
}

void flow_free(struct flow_table *table) {
  free(table->heads);
  free(table->used);
  free(table->flows);
}

void flow_lock(struct flow_table *table) {
  atomic_fetch_add(&table->wanted, 1);
  pthread_mutex_lock(&table->mutex);
  atomic_fetch_sub(&table->wanted, 1);
}

void flow_unlock(struct flow_table *table) {
  pthread_cond_broadcast(&table->freed);
  pthread_mutex_unlock(&table->mutex);
}

int64_t flow_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static uint32_t hash_of(const uint64_t key[FLOW_WORDS]) {
  uint64_t hash = 0x9e3779b97f4a7c15ULL;
  for (int i = 0; i < FLOW_WORDS; i++) hash = (hash ^ key[i]) * 0xff51afd7ed558ccdULL, hash ^= hash >> 32;
  return (uint32_t)(hash ^ hash >> 17);
}

static int32_t find(const struct flow_table *table, const uint64_t key[FLOW_WORDS], uint32_t hash) {
  int32_t index = table->heads[hash & (table->buckets - 1)];
  while (index >= 0) {
    const struct flow *flow = &table->flows[index];
    if (flow->hash == hash && memcmp(flow->key, key, FLOW_HEAD) == 0) return index;
    index = flow->next;
  }
  return -1;
}

int32_t flow_add(struct flow_table *table, const struct flow_spec *spec) {
  const bool native = spec->from == IB_LOCAL || spec->from == IB_GLOBAL;
  const bool made = native ? spec->to == ROCE_IPV4 || spec->to == ROCE_IPV6 : spec->to == IB_GLOBAL;
  enum flow_format format;
  uint64_t key[FLOW_WORDS];
  if (native != table->native || !made || !flow_format_of(table, spec->head, FLOW_HEAD + 8, &format) ||
      format != spec->from)
    return -3;
  flow_key_of(format, spec->head, key);
  const uint32_t hash = hash_of(key);
  if (find(table, key, hash) >= 0) return -2;
  int32_t index = table->free;
  if (index >= 0) table->free = table->flows[index].next;
  else if (table->count < table->most) index = (int32_t)table->count++;
  else return -1;
  struct flow *flow = &table->flows[index];
  const bool used = flow->used; /* it is still in the list of those that were */
  int32_t *head = &table->heads[hash & (table->buckets - 1)];
  *flow = (struct flow){.spec = *spec, .hash = hash, .next = *head, .there = true, .used = used};
  memcpy(flow->key, key, sizeof key);
  *head = index;
  return index;
}

void flow_remove(struct flow_table *table, int32_t index) {
  struct flow *flow = &table->flows[index];
  if (!flow->there) return;
  int32_t *link = &table->heads[flow->hash & (table->buckets - 1)];
  while (*link != index) link = &table->flows[*link].next;
  *link = flow->next;
  flow->there = false;
  flow->next = table->free;
  table->free = index;
}

bool flow_pass(struct flow_table *table, uint8_t *frame, size_t length, int64_t now_ns, struct flow_passed *passed) {
  enum flow_format format;
  uint64_t key[FLOW_WORDS];
  if (!flow_format_of(table, frame, length, &format)) return false;
  flow_key_of(format, frame, key);
  const int32_t index = find(table, key, hash_of(key));
  if (index < 0) return false;
  const struct flow_spec *spec = &table->flows[index].spec;
  if ((spec->flags & FLOW_LEASED) && now_ns >= table->lease_ns) return false;
  passed->flow = index;
  return flow_rewrite(table, spec, frame, length, passed);
}

void flow_count(struct flow_table *table, const struct flow_passed *passed, bool sent) {
  struct flow *flow = &table->flows[passed->flow];
  if (sent) flow->packets++, flow->bytes += (uint64_t)passed->payload;
  else flow->unsent++;
  if (flow->used) return;
  flow->used = true;
  table->used[table->used_count++] = passed->flow;
}
