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

MS_INLINE void ms_add_all_mve(const uint8_t *a, const uint8_t *b, uint8_t *y, const int even, const ms_add_u8_shape *shape)
{
    const int32x4_t low = vdupq_n_s32(shape->low), high = vdupq_n_s32(shape->high), flip = vdupq_n_s32(shape->flip);
    const int32x4_t multiplier = vdupq_n_s32(shape->multiplier_a);
    const int32_t offset = shape->offset, multiplier_b = shape->multiplier_b, shift = -shape->shift;
    for (int32_t left = shape->count; left > 0; left -= 4, a += 4, b += 4, y += 4) {
        const mve_pred16_t some = vctp32q((uint32_t)left);
        const int32x4_t first = vreinterpretq_s32_u32(vldrbq_z_u32(a, some)), second = vreinterpretq_s32_u32(vldrbq_z_u32(b, some));
        const int32x4_t values = vmlaq_n_s32(vmlasq_n_s32(first, multiplier, offset), second, multiplier_b);
        int32x4_t levels = vshlq_r_s32(values, shift);
        if (even) {
            levels = vsubq_s32(levels, ms_add_ties_mve(values, levels, shape));
        }
        vstrbq_p_s32((int8_t *)y, veorq_s32(vminq_s32(vmaxq_s32(levels, low), high), flip), some);
    }
}

static MS_ONCE void ms_add_even_mve(const uint8_t *a, const uint8_t *b, uint8_t *y, const ms_add_u8_shape *shape)
{
    ms_add_all_mve(a, b, y, 1, shape);
}

static MS_ONCE void ms_add_plain_mve(const uint8_t *a, const uint8_t *b, uint8_t *y, const ms_add_u8_shape *shape)
{
    ms_add_all_mve(a, b, y, 0, shape);
}

MS_INLINE void ms_small_add_mve(const uint8_t *a, const uint8_t *b, uint8_t *y, const ms_add_u8_shape *shape)
{
    (shape->even && shape->shift ? ms_add_even_mve : ms_add_plain_mve)(a, b, y, shape);
}

#endif
