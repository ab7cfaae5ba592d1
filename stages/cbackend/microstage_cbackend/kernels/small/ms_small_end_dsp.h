/* ms_small_end_dsp.h: which end a function in assembly has for Armv7E-M and Armv8-M with DSP: what it makes of sums. */
#ifndef MS_SMALL_END_DSP_H
#define MS_SMALL_END_DSP_H

#include "ms_small.h"

/* Whether the assembly requantises without a kink. */
MS_INLINE int ms_small_is_straight_dsp(const ms_requant *q)
{
    return q && !q->kink && !q->even && q->shift >= 32;
}

/* With one, of `filters` filters. */
MS_INLINE int ms_small_is_kinked_dsp(const ms_requant *q, int32_t filters)
{
    return q && q->kink && !q->even && q->shift >= 32 && (uint32_t)q->edge == 0 && filters % 2 == 0;
}

/* The shift of a line, one of MS_SMALL_SHIFTS, or: sums, which C may requantise, and requantisations: with a shift of 32, with more, with a kink. */
enum { MS_SMALL_END_SUMS = 0, MS_SMALL_END_REQUANT = -1, MS_SMALL_END_SHIFTED = -2, MS_SMALL_END_KINKED = -3 };
MS_INLINE int32_t ms_small_end_dsp(const ms_line *line, const ms_requant *requant, int32_t filters)
{
    return line ? line->shift : ms_small_is_kinked_dsp(requant, filters) ? MS_SMALL_END_KINKED
           : !ms_small_is_straight_dsp(requant) ? MS_SMALL_END_SUMS
           : requant->shift == 32 ? MS_SMALL_END_REQUANT : MS_SMALL_END_SHIFTED;
}

#endif
