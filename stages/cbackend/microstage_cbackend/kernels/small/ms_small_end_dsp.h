/* ms_small_end_dsp.h: which end a function in assembly has for Armv7E-M and Armv8-M with DSP: what it makes of sums. */
#ifndef MS_SMALL_END_DSP_H
#define MS_SMALL_END_DSP_H

#include "ms_small.h"

/* Whether the assembly requantises; else it makes sums, and C does. */
MS_INLINE int ms_small_is_straight_dsp(const ms_requant *q)
{
    return q && !q->kink && !q->even && q->shift >= 32;
}

/* The shift of a line, one of MS_SMALL_SHIFTS, or: sums, a requantisation whose shift is 32, one whose shift is more. */
enum { MS_SMALL_END_SUMS = 0, MS_SMALL_END_REQUANT = -1, MS_SMALL_END_SHIFTED = -2 };
MS_INLINE int32_t ms_small_end_dsp(const ms_line *line, const ms_requant *requant)
{
    return line ? line->shift : !ms_small_is_straight_dsp(requant) ? MS_SMALL_END_SUMS
           : requant->shift == 32 ? MS_SMALL_END_REQUANT : MS_SMALL_END_SHIFTED;
}

#endif
