/* Owns what the table of flows asks of packets: see flow-packet.c. */
#ifndef HEDDLE_FLOW_PACKET_H
#define HEDDLE_FLOW_PACKET_H

#include "flow.h"

/* To be called before anything else here; any number of times. */
void flow_prepare(void);
/* What the frame begins with, if it is long enough to be in a flow. */
bool flow_format_of(const struct flow_table *table, const uint8_t *frame, size_t length, enum flow_format *format);
/* What tells flows apart, of a head of at least the format's length. */
void flow_key_of(enum flow_format format, const uint8_t *head, uint64_t key[FLOW_WORDS]);
/* Makes the packet of a flow whose key it has; false, and nothing is written, where it is not as it says or too long. */
bool flow_rewrite(struct flow_table *table, const struct flow_spec *spec, uint8_t *frame, size_t length,
                  struct flow_passed *passed);

#endif
