/* ms_add_u8: y = clamp((a * multiplier_a + b * multiplier_b + offset) >> shift, low, high): a residual add of two scales.
 *
 * a, b, y  dense, `count` bytes; y may be a or b
 *
 * Every term and the sum fit int32_t, shift is 0..30 and 0 <= low <= high <= 255. Floor: offset as it is; half-up: offset
 * holds 2^(shift-1); half-even: half-up and even = 1, where a tie goes to the value that has the parity of zero.
 * What is stored is y ^ flip: with flip = 128 an int8_t of y - 128.
 */
#ifndef MS_ADD_U8_H
#define MS_ADD_U8_H

#include "ms_fast.h"

typedef struct { int32_t count, multiplier_a, multiplier_b, offset, shift, low, high, even, zero, flip; } ms_add_u8_shape;

MS_INLINE void ms_add_u8(const uint8_t *a, const uint8_t *b, uint8_t *y, const ms_add_u8_shape *shape)
{
    for (int32_t i = 0; i < shape->count; i++) {
        const int32_t value = a[i] * shape->multiplier_a + b[i] * shape->multiplier_b + shape->offset;
        int32_t level = value >> shape->shift;
        if (shape->even && shape->shift) {
            const int32_t tie = (value & (int32_t)(((uint32_t)1 << shape->shift) - 1)) == 0;
            level -= tie & (level ^ shape->zero) & 1;
        }
        level = level < shape->low ? shape->low : level;
        y[i] = (uint8_t)((level > shape->high ? shape->high : level) ^ shape->flip);
    }
}

#endif
