/* ms_small.h: what the kernels for small machines share: shape, line, the order in which positions are walked.
 *
 * Tensors are dense, channels last, without borders: those are made where a patch is gathered. Each kernel is written in
 * portable C99 (ms_small_<kernel>_c) and, where it pays, once more per instruction set in a file of its own; ms_small_<kernel>
 * is the one for this translation unit. All give the same integers and keep the same promises:
 *
 *   order    positions are walked row by row; no output of a position is written before the patches of all positions up to it
 *            have been read whole: y may overlap x where the generator proved that what is written has been read
 *   bounds   nothing outside x is read; nothing outside y and scratch is written
 *   stack    less than 256 bytes
 */
#ifndef MS_SMALL_H
#define MS_SMALL_H

#include "ms_fast.h"

/* Which order of weights and of q this unit reads: 0 rows, 1 pairs (Armv7E-M), 2 mve, 3 quads (RV32). */
#if defined MS_SMALL_FORM
#elif defined MS_ARM_DSP && defined __GNUC__
#define MS_SMALL_FORM 1
#elif defined MS_ARM_MVE && defined __GNUC__
#define MS_SMALL_FORM 2
#elif defined MS_RV32 && defined __GNUC__
#define MS_SMALL_FORM 3
#else
#define MS_SMALL_FORM 0
#endif

/* A function of its own: it is there once for all layers, and its frame is not added to its caller's. */
#if defined __GNUC__
#define MS_SMALL_STATIC static __attribute__((noinline, unused))
#else
#define MS_SMALL_STATIC static inline
#endif

/* 2-D, 1-D, dilated, 1x1 and dense. A patch, and a row of weights, is [plane][kernel_h][kernel_w][channels].
 *
 * planes, height, width, channels  x as it lies; planes = 1: channels last; channels = 1: one plane after another
 * pad_value  what stands outside x, as the kernel sees it: 0..255
 * flip       128: x is int8_t, of which the kernel sees x + 128, and the generator took 128 * sum(w) into the bias; else 0
 * bits       of a weight: 8, 4, 2, or 1 (-1 and +1)
 * depth      weights of a row, those behind the patch included, which are 0: a multiple of 8. Depthwise: kernel_h * kernel_w.
 * together   filters that MS_SMALL_FORM 1 takes at once, in whose order its weights lie: 1 where sums may leave -2^23..2^23-1, 2, or 4
 */
typedef struct {
    int32_t planes, height, width, channels;
    int32_t out_height, out_width, filters;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
    int32_t pad_value, flip, bits, depth, together;
} ms_small_conv_shape;

/* What all filters share of a line. q[f] = (bias, multiplier): v = offset + ((sum * 2^fine + bias) * multiplier >> 32), less
 * ms_small_kink(multiplier) where v < edge, and what is stored is clamp(v >> shift, low, high) ^ flip.
 *
 * 0 <= low <= high <= 255; 0 <= multiplier; |v|, |sum * 2^fine + bias| < 2^31
 * fine   0: a line; MS_SMALL_FINE: a fine line, whose biases are in parts of a sum; depthwise lines are fine
 * edge   0: there is no kink; else the line is a bent one, and fine
 * shift  one of MS_SMALL_SHIFTS, of fine lines one of MS_SMALL_FINE_SHIFTS
 *
 * The generator proved it equal to the layer's quantiser at every sum that the layer can reach. */
typedef struct { int32_t offset, shift, low, high, flip, fine, edge; } ms_line;

enum { MS_SMALL_FINE = 8 };

/* The shifts that a line may have: kernels whose instructions hold the shift are made for each; a program has those it calls. */
#define MS_SMALL_SHIFTS(of) of(1) of(4) of(7) of(10) of(13)
#define MS_SMALL_FINE_SHIFTS(of) of(6) of(9) of(12) of(15) of(18)

/* How much lower a bent line lies below its edge: the highest bit of a multiplier, 23 bits lower. A stage that rounds twice has
 * a multiplier of 31 bits and one more shift for each channel; its first rounding is one of such parts. */
MS_INLINE int32_t ms_small_kink(int32_t multiplier)
{
    int32_t bits = multiplier >> 23;
    bits |= bits >> 1;
    bits |= bits >> 2;
    bits |= bits >> 4;
    return bits - (bits >> 1);
}

enum { MS_SMALL_POSITIONS = 4 };

/* sum * multiplier >> 32 for a multiplier >= 0, where a multiplication gives 32 bits: from four products of 16 by 16 bits. */
MS_INLINE int32_t ms_small_high_c(int32_t sum, int32_t multiplier)
{
    const int32_t sum_high = sum >> 16, high = multiplier >> 16;
    const uint32_t sum_low = (uint32_t)sum & 0xffffu, low = (uint32_t)multiplier & 0xffffu;
    const int32_t middle = sum_high * (int32_t)low + (int32_t)(sum_low * low >> 16);
    const uint32_t carried = sum_low * (uint32_t)high + ((uint32_t)middle & 0xffffu);
    return sum_high * high + (middle >> 16) + (int32_t)(carried >> 16);
}

/* sum * multiplier >> 32. */
MS_INLINE int32_t ms_small_high(int32_t sum, int32_t multiplier)
{
#if defined __ARM_ARCH_6M__ || defined __ARM_ARCH_8M_BASE__
    return ms_small_high_c(sum, multiplier);
#else
    return (int32_t)((int64_t)sum * multiplier >> 32);
#endif
}

/* What a line stores for a sum: q is that of its filter. */
MS_INLINE uint8_t ms_small_level(int32_t sum, const int32_t q[2], const ms_line *line)
{
    const int32_t value = line->offset + ms_small_high((int32_t)((uint32_t)sum << line->fine) + q[0], q[1]);
    const int32_t level = (value < line->edge ? value - ms_small_kink(q[1]) : value) >> line->shift;
    const int32_t held = level < line->low ? line->low : level > line->high ? line->high : level;
    return (uint8_t)(held ^ line->flip);
}

/* How a sum becomes what is stored: by q and line, or by a requantisation of 64 bits, or with both null as it is (int32_t). */
typedef struct { const int32_t *q; const ms_line *line; const ms_requant *requant; } ms_small_stage;

MS_INLINE void ms_small_store(void *y, int32_t at, int32_t f, int32_t sum, ms_small_stage stage)
{
    if (stage.line) {
        ((uint8_t *)y)[at] = ms_small_level(sum, stage.q + 2 * f, stage.line);
    } else if (stage.requant) {
        ((uint8_t *)y)[at] = ms_requantise(sum, f, stage.requant);
    } else {
        ((int32_t *)y)[at] = sum;
    }
}

/* What is stored for `count` sums of filter f, `step` apart: to every `y_step`-th byte of y. */
MS_INLINE void ms_small_requantise(const int32_t *sums, int32_t step, uint8_t *y, int32_t y_step, int32_t count, int32_t f, const ms_requant *q)
{
    const int32_t multiplier = q->multiplier[f], shift = q->shift - 32;
    const int64_t offset = q->offset[f];
    if (q->kink || q->even || shift < 0) {
        for (; count > 0; count--, sums += step, y += y_step) {
            *y = ms_requantise(*sums, f, q);
        }
        return;
    }
    for (; count > 0; count--, sums += step, y += y_step) {
        const int32_t level = (int32_t)(((int64_t)*sums * multiplier + offset) >> 32) >> shift;
        const int32_t held = level < q->low ? q->low : level > q->high ? q->high : level;
        *y = (uint8_t)(held ^ q->flip);
    }
}

#endif
