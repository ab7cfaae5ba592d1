/* msn_stages.h: what is stored for exact sums. */
#ifndef MSN_STAGES_H
#define MSN_STAGES_H

#include "msn_values.h"

/* `count` sums become what the layer's stage makes of them: of channels c, c + 1, ..., or all of channel c where `step` is 0. */
void msn_finish(const msn_work *work, int64_t *sums, int32_t count, int32_t c, int32_t step);

/* The same, stored into y from place `at` on. */
void msn_finish_into(const msn_work *work, int64_t at, int64_t *sums, int32_t count, int32_t c, int32_t step);

#endif
