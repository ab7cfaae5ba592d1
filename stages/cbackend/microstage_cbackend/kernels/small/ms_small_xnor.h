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

enum { MS_SMALL_COUNTED = 32 };

/* counts[f] = differing bits of the `words` words of x and those of filter f. */
static inline void ms_small_count_c(const uint32_t *x, const uint32_t *w, int32_t words, int32_t filters, int32_t *counts)
{
    for (int32_t f = 0; f < filters; f++, w += words) {
        uint32_t count = 0;
        for (int32_t k = 0; k < words; k++) {
            uint32_t bits = x[k] ^ w[k];
            bits -= bits >> 1 & 0x55555555u;
            bits = (bits & 0x33333333u) + (bits >> 2 & 0x33333333u);
            bits = (bits + (bits >> 4)) & 0x0f0f0f0fu;
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

/* A patch in one piece: where it lies, or in scratch. */
MS_INLINE const uint32_t *ms_small_words(const uint64_t *x, uint64_t *to, const ms_conv_u8_shape *shape)
{
    if (shape->runs_h * shape->runs_w == 1) {
        return (const uint32_t *)(const void *)x;
    }
    const uint32_t *const patch = (const uint32_t *)(const void *)to;
    for (int32_t i = 0; i < shape->runs_h; i++) {
        for (int32_t j = 0; j < shape->runs_w; j++) {
            const uint64_t *run = x + i * shape->run_h + j * shape->run_w;
            for (int32_t k = 0; k < shape->length; k++) {
                *to++ = run[k];
            }
        }
    }
    return patch;
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

/* One position: y32 are words of 32 bits, an even number of them; limit null: sums. */
MS_INLINE void ms_small_xnor_position(const uint32_t *patch, const uint32_t *w, int32_t *counts, int32_t words, void *y, const int32_t *limit,
                                      int32_t bits, int32_t filters)
{
    const int32_t whole = limit ? (filters + 63) & ~63 : filters;
    for (int32_t f = 0; f < whole; f += MS_SMALL_COUNTED) {
        const int32_t left = filters - f, some = left < 0 ? 0 : left < MS_SMALL_COUNTED ? left : MS_SMALL_COUNTED;
        if (some) {
            ms_small_count(patch, w + f * words, words, some, counts);
        }
        if (limit) {
            ((uint32_t *)y)[f / MS_SMALL_COUNTED] = some ? ms_small_reached(counts, limit + f, some) : 0;
        } else {
            for (int32_t j = 0; j < some; j++) {
                ((int32_t *)y)[f + j] = bits - 2 * counts[j];
            }
        }
    }
}

/* All positions; `each` bytes an element of y. */
static inline void ms_small_xnor_any(const uint64_t *x, const uint64_t *w, void *y, const int32_t *limit, void *scratch, int32_t bits, int32_t each,
                                     const ms_conv_u8_shape *shape)
{
    int32_t *counts = scratch;
    uint64_t *patch = (uint64_t *)scratch + MS_SMALL_COUNTED / 2;
    const int32_t words = 2 * shape->runs_h * shape->runs_w * shape->length;
    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            const uint32_t *seen = ms_small_words(x + h * shape->x_row + v * shape->x_column, patch, shape);
            void *to = (uint8_t *)y + (h * shape->y_row + v * shape->y_column) * each;
            ms_small_xnor_position(seen, (const uint32_t *)(const void *)w, counts, words, to, limit, bits, shape->filters);
        }
    }
}

MS_INLINE void ms_small_xnor_sums(const uint64_t *x, const uint64_t *w, int32_t *y, void *scratch, int32_t bits, const ms_conv_u8_shape *shape)
{
    ms_small_xnor_any(x, w, y, 0, scratch, bits, (int32_t)sizeof *y, shape);
}

MS_INLINE void ms_small_xnor_bits(const uint64_t *x, const uint64_t *w, uint64_t *y, const int32_t *limit, void *scratch,
                                  const ms_conv_u8_shape *shape)
{
    ms_small_xnor_any(x, w, y, limit, scratch, 0, (int32_t)sizeof *y, shape);
}

#endif
