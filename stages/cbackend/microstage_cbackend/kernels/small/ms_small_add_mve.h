/* ms_small_add for Helium: four bytes at a time. */
#ifndef MS_SMALL_ADD_MVE_H
#define MS_SMALL_ADD_MVE_H

#include "ms_small.h"

/* What is taken off four levels: 1 where a tie went to the other parity than that of zero. */
MS_INLINE int32x4_t ms_add_ties_mve(int32x4_t values, int32x4_t levels, const ms_add_u8_shape *shape)
{
    const int32x4_t fraction = vandq_s32(values, vdupq_n_s32((int32_t)(((uint32_t)1 << shape->shift) - 1)));
    const int32x4_t tie = vshrq_n_s32(vsubq_n_s32(fraction, 1), 31), odd = veorq_s32(levels, vdupq_n_s32(shape->zero));
    return vandq_s32(vandq_s32(odd, vdupq_n_s32(1)), tie);
}

/* The bytes of whole vectors; returns how many. */
MS_INLINE int32_t ms_add_whole_mve(const uint8_t *a, const uint8_t *b, uint8_t *y, const int even, const ms_add_u8_shape *shape)
{
    const int32x4_t low = vdupq_n_s32(shape->low), high = vdupq_n_s32(shape->high), flip = vdupq_n_s32(shape->flip);
    const int32x4_t multiplier = vdupq_n_s32(shape->multiplier_a);
    const int32_t offset = shape->offset, multiplier_b = shape->multiplier_b, shift = -shape->shift;
    int32_t i = 0;
    for (; i + 4 <= shape->count; i += 4) {
        const int32x4_t left = vreinterpretq_s32_u32(vldrbq_u32(a + i)), right = vreinterpretq_s32_u32(vldrbq_u32(b + i));
        const int32x4_t values = vmlaq_n_s32(vmlasq_n_s32(left, multiplier, offset), right, multiplier_b);
        int32x4_t levels = vshlq_r_s32(values, shift);
        if (even) {
            levels = vsubq_s32(levels, ms_add_ties_mve(values, levels, shape));
        }
        vstrbq_s32((int8_t *)y + i, veorq_s32(vminq_s32(vmaxq_s32(levels, low), high), flip));
    }
    return i;
}

static MS_ONCE void ms_small_add_mve(const uint8_t *a, const uint8_t *b, uint8_t *y, const ms_add_u8_shape *shape)
{
    const int32_t done = shape->even && shape->shift ? ms_add_whole_mve(a, b, y, 1, shape) : ms_add_whole_mve(a, b, y, 0, shape);
    ms_add_u8_c(a, b, y, done, shape);
}

#endif
