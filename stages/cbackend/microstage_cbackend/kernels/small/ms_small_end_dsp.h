/* ms_small_end_dsp.h: which end a function in assembly has for Armv7E-M and Armv8-M with DSP: what it makes of sums. */
#ifndef MS_SMALL_END_DSP_H
#define MS_SMALL_END_DSP_H

#include "ms_small.h"

/* The shift of a line, and what kind of line it is; or sums, which C may requantise. */
enum { MS_SMALL_END_SUMS = 0, MS_SMALL_END_FINE = 32, MS_SMALL_END_BENT = 64 };
MS_INLINE int32_t ms_small_end_dsp(const ms_line *line)
{
    return !line ? MS_SMALL_END_SUMS : !line->fine ? line->shift
           : line->shift + (line->edge ? MS_SMALL_END_BENT : MS_SMALL_END_FINE);
}

/* <function>_<kind of line>_<shift> of an end, or <function>_sums. */
#define MS_DSP_END(function, end) \
    ((end) == MS_SMALL_END_SUMS ? function##_sums \
     : (end) < MS_SMALL_END_FINE ? MS_DSP_SHIFTED(function##_line, end) \
     : MS_DSP_FINE_END(function, end))
#define MS_DSP_FINE_END(function, end) \
    ((end) < MS_SMALL_END_BENT ? MS_DSP_FINE_SHIFTED(function##_fine, (end) - MS_SMALL_END_FINE) \
     : MS_DSP_FINE_SHIFTED(function##_bent, (end) - MS_SMALL_END_BENT))
#define MS_DSP_FINE_SHIFTED(function, shift) \
    ((shift) == 6 ? function##_6 : (shift) == 9 ? function##_9 : (shift) == 12 ? function##_12 : (shift) == 15 ? function##_15 : function##_18)
#define MS_DSP_SHIFTED(function, shift) \
    ((shift) == 1 ? function##_1 : (shift) == 4 ? function##_4 : (shift) == 7 ? function##_7 : (shift) == 10 ? function##_10 : function##_13)

#endif
