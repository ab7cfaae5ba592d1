/* msn_values.h: integers of any type to and from int64_t, a run at a time. */
#ifndef MSN_VALUES_H
#define MSN_VALUES_H

#include "msn_work.h"

/* Values that are taken at once. */
enum { MSN_RUN = 64 };

/* Bytes of one element; 0 of what is no type. */
uint32_t msn_type_bytes(uint32_t type);

/* `count` elements from place `start` on, `step` apart. */
void msn_load(int64_t *to, msn_source from, int64_t start, int64_t step, int32_t count);

/* The same into memory, each wrapped to its type. */
void msn_store(msn_target to, int64_t start, int64_t step, const int64_t *from, int32_t count);

/* `count` times `value`. */
void msn_fill(msn_target to, int64_t start, int64_t value, int64_t count);

/* Element `place`. */
int64_t msn_value(msn_source from, int64_t place);

/* How many of `left` are taken at once. */
int32_t msn_run_of(int64_t left);

/* Sums and products that wrap instead of overflowing. */
static inline int64_t msn_wrapped_sum(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static inline int64_t msn_wrapped_product(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }

#endif
