/* States that follow a gain from step to step: exact, and defined for every value. */
#ifndef MS_SETTLE_H
#define MS_SETTLE_H

#include <stdint.h>

enum { MS_FURTHEST = 31 }; /* places: nothing is left of 31 bits one further down, or they are beyond every `most` */

/* floor(value / 2^shift + 1/2) of a value of 32 bits, held to -most..most. */
static inline int64_t ms_rescaled(int64_t value, int32_t shift, int64_t most)
{
    const int32_t down = shift < 0 ? 0 : shift > MS_FURTHEST + 1 ? MS_FURTHEST + 1 : shift;
    const int32_t up = shift > 0 ? 0 : shift < -MS_FURTHEST ? MS_FURTHEST : -shift;
    const int64_t half = ((int64_t)1 << down) >> 1;
    const int64_t found = (value * ((int64_t)1 << up) + half) >> down;
    return found > most ? most : found < -most ? -most : found;
}

#endif
