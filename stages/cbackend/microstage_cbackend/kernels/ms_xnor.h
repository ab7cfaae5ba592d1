/* ms_xnor: convolution or dense layer of bipolar values, a bit each (1: +1, 0: -1), 64 to a word.
 *
 * x        words, channels last, each position a whole number of words; unused bits equal those of w (0)
 * w        pack_signs(...): [filters / 8][words of a patch][8 filters]
 * bits     the bipolar sum has that many products: sum = bits - 2 * popcount(x ^ w)
 *
 * ms_xnor_sums  y = sum of every filter, int32_t
 * ms_xnor_bits  y = 1 where the sum reaches the filter's threshold, 64 filters to a word: popcount(x ^ w) <= limit, where
 *               limit = floor((bits - threshold) / 2). A falling function of the sum is a rising one of the negated weights.
 *
 * Geometry as in ms_conv_u8_shape, all steps in words of x and elements of y; depth and bits are not used.
 */
#ifndef MS_XNOR_H
#define MS_XNOR_H

#include "ms_fast.h"

/* Set bits of a word. */
MS_INLINE int32_t ms_popcount(uint64_t v)
{
#if defined __GNUC__ && (defined __POPCNT__ || defined MS_FEATURES || defined __aarch64__)
    return __builtin_popcountll(v);
#else
    v = v - (v >> 1 & 0x5555555555555555u);
    v = (v & 0x3333333333333333u) + (v >> 2 & 0x3333333333333333u);
    v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (int32_t)(v * 0x0101010101010101u >> 56);
#endif
}

/* counts[j] = differing bits of one patch and filter 8 * block + j. */
MS_INLINE void ms_count_differences(const uint64_t *MS_RESTRICT x, const uint64_t *MS_RESTRICT w, uint64_t *MS_RESTRICT counts,
                                    const ms_conv_u8_shape *shape)
{
    uint64_t c[8] = {0};
    for (int32_t a = 0; a < shape->runs_h; a++) {
        for (int32_t b = 0; b < shape->runs_w; b++) {
            const uint64_t *run = x + a * shape->run_h + b * shape->run_w;
            for (int32_t k = 0; k < shape->length; k++, w += 8) {
                for (int32_t j = 0; j < 8; j++) {
                    c[j] += (uint64_t)ms_popcount(run[k] ^ w[j]);
                }
            }
        }
    }
    for (int32_t j = 0; j < 8; j++) {
        counts[j] = c[j];
    }
}

MS_INLINE void ms_xnor_sums_c(const uint64_t *x, const uint64_t *w, int32_t *y, int32_t bits, const ms_conv_u8_shape *shape)
{
    const int32_t block = 8 * shape->runs_h * shape->runs_w * shape->length;
    uint64_t counts[8];
    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            int32_t *to = y + h * shape->y_row + v * shape->y_column;
            for (int32_t f = 0; f < shape->filters; f += 8) {
                ms_count_differences(x + h * shape->x_row + v * shape->x_column, w + f / 8 * block, counts, shape);
                for (int32_t j = 0; j < 8 && f + j < shape->filters; j++) {
                    to[f + j] = bits - 2 * (int32_t)counts[j];
                }
            }
        }
    }
}

MS_INLINE void ms_xnor_bits_c(const uint64_t *x, const uint64_t *w, uint64_t *y, const int32_t *limit, const ms_conv_u8_shape *shape)
{
    const int32_t block = 8 * shape->runs_h * shape->runs_w * shape->length;
    uint64_t counts[8];
    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            uint64_t *to = y + h * shape->y_row + v * shape->y_column;
            for (int32_t f = 0; f < shape->filters; f += 8) {
                ms_count_differences(x + h * shape->x_row + v * shape->x_column, w + f / 8 * block, counts, shape);
                uint64_t byte = 0;
                for (int32_t j = 0; j < 8 && f + j < shape->filters; j++) {
                    byte |= (uint64_t)((int32_t)counts[j] <= limit[f + j]) << j;
                }
                to[f / 64] = (f % 64 ? to[f / 64] : 0) | byte << f % 64;
            }
        }
    }
}

#if defined MS_AVX512VNNI && defined __AVX512VPOPCNTDQ__
#include "host/ms_xnor_avx512.h"
#define ms_xnor_sums ms_xnor_sums_avx512
#define ms_xnor_bits ms_xnor_bits_avx512
#else
#define ms_xnor_sums ms_xnor_sums_c
#define ms_xnor_bits ms_xnor_bits_c
#endif

#endif
