/* ms_small_add: a residual add of two scales for small machines; numbers and sizes are those of ms_add_u8. y may be a or b. */
#ifndef MS_SMALL_ADD_H
#define MS_SMALL_ADD_H

#include "ms_add_u8.h"
#include "ms_small.h"

MS_INLINE void ms_small_add_c(const uint8_t *a, const uint8_t *b, uint8_t *y, const ms_add_u8_shape *shape)
{
    ms_add_u8_c(a, b, y, 0, shape);
}

#if defined MS_ARM_DSP
#include "ms_small_add_dsp.h"
#define MS_SMALL_ADD ms_small_add_dsp
#elif defined MS_ARM_MVE
#include "ms_small_add_mve.h"
#define MS_SMALL_ADD ms_small_add_mve
#else
#define MS_SMALL_ADD ms_small_add_c
#endif
#define ms_small_add MS_SMALL_ADD

#endif
