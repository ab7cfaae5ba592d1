/* ms_fast.h: what the fast kernels share: instruction set, shapes, requantisation. README.md is their manual.
 *
 * Fast kernels are `static inline` and take their sizes as a constant struct: where the caller writes a literal, the
 * compiler makes a version for that very layer. Each is written once in portable C99 (ms_<kernel>_c) and, where it pays,
 * once more per instruction set; ms_<kernel> is the best one that this translation unit may use. All give the same integers.
 */
#ifndef MS_FAST_H
#define MS_FAST_H

#include <stdint.h>
#include <string.h>

#include "ms_isa.h"

/* One affine function per filter f, exact: y = clamp((sum * multiplier[f] + offset[f]) >> shift, low, high), 0 <= low <= high <= 255.
 *
 * |multiplier| < 2^31, |sum * multiplier + offset| < 2^62 and the shifted value fits int32_t (the generator proves it);
 * shift 1..62, and 32..62 where the vector kernels are to be fast. Floor: offset as it is; half-up: offset holds 2^(shift-1);
 * half-even: half-up and even = 1, where a tie goes to the value that has the parity of zero. What is stored is y ^ flip:
 * with flip = 128 an int8_t of y - 128. With a kink (else null), kink[f] is taken off sum * multiplier[f] + offset[f] where that is
 * below edge, and even is 0: what rounding twice makes of sums below zero.
 */
typedef struct {
    const int32_t *multiplier;
    const int64_t *offset;
    int32_t shift, low, high, even, zero, flip;
    const int64_t *kink;
    int64_t edge;
} ms_requant;

/* A convolution without padding (the caller's buffer holds it), 1-D, 2-D, dilated, pointwise or dense.
 *
 * The patch of position (h, w) is runs_h x runs_w runs of `length` bytes; run (i, j) starts at
 * x + h * x_row + w * x_column + i * run_h + j * run_w. Its result goes to y + h * y_row + w * y_column + filter.
 * depth = the patch's bytes padded as pack_rows does. All steps in elements. Weights have `bits` 8, 4, 2 or 1 (-1 and +1).
 */
typedef struct {
    int32_t out_height, out_width, filters;
    int32_t runs_h, runs_w, length, depth;
    int32_t run_h, run_w, x_row, x_column, y_row, y_column;
    int32_t bits;
} ms_conv_u8_shape;

/* A depthwise convolution without padding: tap (i, j) of position (h, w) is x + h * x_row + w * x_column + i * tap_h + j * tap_w + channel. */
typedef struct {
    int32_t out_height, out_width, channels;
    int32_t kernel_h, kernel_w, tap_h, tap_w, x_row, x_column, y_row, y_column;
} ms_depthwise_u8_shape;

typedef char ms_shifts_are_arithmetic[(-3 >> 1) == -2 ? 1 : -1];

/* clamp((sum * multiplier + offset) >> shift): the one definition of requantisation. */
MS_INLINE uint8_t ms_requantise(int32_t sum, int32_t f, const ms_requant *q)
{
    const int64_t straight = (int64_t)sum * q->multiplier[f] + q->offset[f];
    const int64_t value = q->kink && straight < q->edge ? straight - q->kink[f] : straight;
    int32_t y = q->shift >= 32 ? (int32_t)(value >> 32) >> (q->shift - 32) : (int32_t)(value >> q->shift);
    if (q->even) {
        const int tie = (value & (((int64_t)1 << q->shift) - 1)) == 0;
        y = (int32_t)((uint32_t)y - (uint32_t)(tie & (y ^ q->zero) & 1));
    }
    y = y < q->low ? q->low : y;
    return (uint8_t)((y > q->high ? q->high : y) ^ q->flip);
}

#if defined MS_RVV
#include "host/ms_rvv.h"
#endif

/* One row of sums of filters first...first + count - 1. */
MS_INLINE void ms_requantise_row(const int32_t *MS_RESTRICT sums, uint8_t *MS_RESTRICT y, int32_t first, int32_t count, const ms_requant *q)
{
#if defined MS_RVV
    if (!q->even && !q->kink) {
        ms_requantise_row_rvv(sums, y, first, count, q);
        return;
    }
#endif
    for (int32_t i = 0; i < count; i++) {
        y[i] = ms_requantise(sums[i], first + i, q);
    }
}

/* The same into y + at or, with q null, the sums themselves into the int32_t array y. */
MS_INLINE void ms_write_row(const int32_t *sums, void *y, int32_t at, int32_t first, int32_t count, const ms_requant *q)
{
    if (q) {
        ms_requantise_row(sums, (uint8_t *)y + at, first, count, q);
    } else {
        memcpy((int32_t *)y + at, sums, (size_t)count * sizeof *sums);
    }
}

#if defined MS_AVX512VNNI
#include "host/ms_avx512.h"
#endif

#endif
