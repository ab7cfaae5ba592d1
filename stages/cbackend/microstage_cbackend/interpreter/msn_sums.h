/* msn_sums.h: sums of products of two rows of integers of any types. */
#ifndef MSN_SUMS_H
#define MSN_SUMS_H

#include "msn_values.h"

/* sums[c] = sum over d of x[x_start + d] * w[w_start + c * depth + d], for `columns` <= MSN_RUN columns.
 * `accumulator` MSN_TYPE_INT32: they wrap to 32 bits, else to 64. */
void msn_sums(int64_t *sums, msn_source x, int64_t x_start, msn_source w, int64_t w_start, int32_t depth, int32_t columns,
              uint32_t accumulator);

/* The bias of channels from `first` on is added to sums. */
void msn_add_bias(int64_t *sums, msn_source bias, int32_t first, int32_t columns);

#endif
