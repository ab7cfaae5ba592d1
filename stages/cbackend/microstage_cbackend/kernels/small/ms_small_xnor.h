/* ms_small_xnor: convolution or dense layer of bipolar values, a bit each (1: +1, 0: -1), for small machines.
 *
 * x        words of 64 bits, channels last, each position a whole number of words; unused bits equal those of w (0)
 * w        pack_small_signs(...): [filters][words of a patch]
 * bits     the bipolar sum has that many products: sum = bits - 2 * differing bits
 * scratch  aligned to 8, xnor_scratch(...) bytes
 *
 * ms_small_xnor_sums  y = sum of every filter, int32_t
 * ms_small_xnor_bits  y = 1 where differing bits <= limit of the filter, 64 filters to a word
 *
 * Geometry as in ms_conv_u8_shape, all steps in words of x and elements of y; depth and bits are not used. y is apart from x.
 */
#ifndef MS_SMALL_XNOR_H
#define MS_SMALL_XNOR_H

#include "ms_small.h"

enum { MS_SMALL_COUNTED = 64 };

/* The set bits of each four of v. */
MS_INLINE uint32_t ms_small_fours(uint32_t v)
{
    v -= v >> 1 & 0x55555555u;
    return (v & 0x33333333u) + (v >> 2 & 0x33333333u);
}

/* counts[f] = differing bits of the `words` words of 32 bits of x, an even number, and those of filter f. */
MS_SMALL_STATIC void ms_small_count_c(const uint64_t *x, const uint64_t *w, int32_t words, int32_t filters, int32_t *counts)
{
    for (int32_t f = 0; f < filters; f++) {
        uint32_t count = 0;
        for (int32_t k = 0; k < words / 2; k++) {
            const uint64_t differ = x[k] ^ *w++;
            uint32_t bits = ms_small_fours((uint32_t)differ) + ms_small_fours((uint32_t)(differ >> 32));
            bits = (bits & 0x0f0f0f0fu) + (bits >> 4 & 0x0f0f0f0fu);
            count += bits * 0x01010101u >> 24;
        }
        counts[f] = (int32_t)count;
    }
}

#if defined MS_ARM_DSP
#include "ms_small_xnor_dsp.h"
#define ms_small_count ms_small_count_dsp
#else
#define ms_small_count ms_small_count_c
#endif

/* A patch in one piece: where it lies, or gathered at `to`. */
MS_SMALL_STATIC const uint64_t *ms_small_words(const uint64_t *x, uint64_t *to, const ms_conv_u8_shape *shape)
{
    uint64_t *next = to;
    if (shape->runs_h * shape->runs_w == 1) {
        return x;
    }
    for (int32_t i = 0; i < shape->runs_h; i++) {
        for (int32_t j = 0; j < shape->runs_w; j++) {
            const uint64_t *run = x + i * shape->run_h + j * shape->run_w;
            for (int32_t k = 0; k < shape->length; k++) {
                *next++ = run[k];
            }
        }
    }
    return to;
}

/* The bits of `filters` <= 32 filters. */
MS_INLINE uint32_t ms_small_reached(const int32_t *counts, const int32_t *limit, int32_t filters)
{
    uint32_t word = 0;
    for (int32_t f = filters - 1; f >= 0; f--) {
        word = word << 1 | (counts[f] <= limit[f]);
    }
    return word;
}

/* `filters` <= 64 outputs of a position: sums, or with limits the bits of a word. */
MS_SMALL_STATIC void ms_small_xnor_store(const int32_t *counts, void *y, const int32_t *limit, int32_t bits, int32_t filters)
{
    if (limit) {
        const int32_t low = filters < 32 ? filters : 32;
        const uint64_t high = ms_small_reached(counts + low, limit + low, filters - low);
        *(uint64_t *)y = high << 32 | ms_small_reached(counts, limit, low);
    } else {
        for (int32_t f = 0; f < filters; f++) {
            ((int32_t *)y)[f] = bits - 2 * counts[f];
        }
    }
}

/* All positions; `each` bytes an element of y. */
MS_SMALL_STATIC void ms_small_xnor_any(const uint64_t *x, const uint64_t *w, void *y, const int32_t *limit, void *scratch, int32_t bits, int32_t each,
                                     const ms_conv_u8_shape *shape)
{
    int32_t *counts = scratch;
    const int32_t words = shape->runs_h * shape->runs_w * shape->length;
    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            const uint64_t *patch =
                ms_small_words(x + h * shape->x_row + v * shape->x_column, (uint64_t *)scratch + MS_SMALL_COUNTED / 2, shape);
            uint8_t *to = (uint8_t *)y + (h * shape->y_row + v * shape->y_column) * each;
            for (int32_t f = 0; f < shape->filters; f += MS_SMALL_COUNTED, to += limit ? each : MS_SMALL_COUNTED * each) {
                const int32_t left = shape->filters - f, some = left < MS_SMALL_COUNTED ? left : MS_SMALL_COUNTED;
                ms_small_count(patch, w + f * words, 2 * words, some, counts);
                ms_small_xnor_store(counts, to, limit ? limit + f : 0, bits, some);
            }
        }
    }
}

MS_INLINE void ms_small_xnor_sums(const uint64_t *x, const uint64_t *w, int32_t *y, void *scratch, int32_t bits, const ms_conv_u8_shape *shape)
{
    ms_small_xnor_any(x, w, y, 0, scratch, bits, (int32_t)sizeof *y, shape);
}

MS_INLINE void ms_small_xnor_bits(const uint64_t *x, const uint64_t *w, uint64_t *y, void *scratch, const int32_t *limit,
                                  const ms_conv_u8_shape *shape)
{
    ms_small_xnor_any(x, w, y, limit, scratch, 0, (int32_t)sizeof *y, shape);
}

#endif
