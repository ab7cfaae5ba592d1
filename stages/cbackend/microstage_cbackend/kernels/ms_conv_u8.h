/* ms_conv_u8: convolution or dense layer, uint8 activations x int8 weights, requantised to uint8.
 *
 * x        channels last; 32 / bits - 1 bytes behind the last patch may be read (their weights are 0)
 * w        pack_blocks(..., bits) where MS_BLOCKED is 1, else pack_rows(..., bits)
 * y        channels last, apart from x; ms_conv_u8_sums gives the int32_t sums themselves
 * scratch  aligned to 2; 2 * depth bytes for each of at most 4 positions and, for weights of fewer than 8 bits, 2 * depth more;
 *          the vector kernels leave it alone
 *
 * The generator proved that every partial sum, in any order, fits int32_t; with fewer than 8 bits, 128 times the sum of x does.
 */
#ifndef MS_CONV_U8_H
#define MS_CONV_U8_H

#include "ms_fast.h"

/* The type in which a compiler multiplies best: bytes where it has a byte dot product, else pairs of 16 bits. */
#if defined __AVX512VNNI__ || defined __AVXVNNI__
typedef uint8_t ms_lane;
#else
typedef int16_t ms_lane;
#endif

enum { MS_PATCHES = 4, MS_FILTERS = 64 };

MS_INLINE void ms_gather_patch(const uint8_t *MS_RESTRICT x, ms_lane *MS_RESTRICT patch, const ms_conv_u8_shape *shape)
{
    for (int32_t i = 0; i < shape->runs_h; i++) {
        for (int32_t j = 0; j < shape->runs_w; j++) {
            const uint8_t *run = x + i * shape->run_h + j * shape->run_w;
            for (int32_t k = 0; k < shape->length; k++) {
                *patch++ = run[k];
            }
        }
    }
}

/* pack_blocks: groups of 16 filters lie `step` bytes apart, 4 times 64 bytes together where 64 filters are left; the first at `start`. */
typedef struct { int32_t start, step; } ms_block;

MS_INLINE ms_block ms_block_of(int32_t f, const ms_conv_u8_shape *shape)
{
    const int32_t inputs = 32 / shape->bits, each = 4 * ((shape->length + inputs - 1) / inputs) * shape->runs_h * shape->runs_w;
    const int together = f < shape->filters / 64 * 64;
    return (ms_block){together ? f / 64 * 64 * each + f % 64 * 4 : f * each, together ? 256 : 64};
}

/* Sum of the bytes of a patch. */
MS_INLINE int32_t ms_sum_patch(const uint8_t *x, const ms_conv_u8_shape *shape)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < shape->runs_h; i++) {
        for (int32_t j = 0; j < shape->runs_w; j++) {
            const uint8_t *run = x + i * shape->run_h + j * shape->run_w;
            for (int32_t k = 0; k < shape->length; k++) {
                sum += run[k];
            }
        }
    }
    return sum;
}

/* Weights of filter f: where they lie or, of fewer than 8 bits, in `row`. Field t of byte i is weight t * bytes + i. */
MS_INLINE const int8_t *ms_row_of(const int8_t *w, int32_t f, int8_t *MS_RESTRICT row, const ms_conv_u8_shape *shape)
{
    const int32_t bits = shape->bits, bytes = shape->depth / 8 * bits, half = 1 << (bits - 1);
    const uint8_t *MS_RESTRICT packed = (const uint8_t *)w + f * bytes;
    if (bits == 8) {
        return w + f * bytes;
    }
    for (int32_t t = 0; t < 8 / bits; t++) {
        for (int32_t i = 0; i < bytes; i++) {
            const int32_t field = packed[i] >> (t * bits) & (2 * half - 1);
            row[t * bytes + i] = (int8_t)(bits == 1 ? 1 - 2 * field : (field ^ half) - half);
        }
    }
    return row;
}

/* sums[r][f] of four patches and `count` filters from `first`. */
MS_INLINE void ms_dot_patches(const ms_lane *MS_RESTRICT patch, const int8_t *w, int8_t *unpacked, int32_t (*MS_RESTRICT sums)[MS_FILTERS],
                              int32_t first, int32_t count, const ms_conv_u8_shape *shape)
{
    const int32_t depth = shape->depth;
    const ms_lane *p0 = patch, *p1 = patch + depth, *p2 = patch + 2 * depth, *p3 = patch + 3 * depth;
    for (int32_t f = 0; f < count; f++) {
        const int8_t *MS_RESTRICT row = ms_row_of(w, first + f, unpacked, shape);
        int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (int32_t k = 0; k < depth; k++) {
            s0 += p0[k] * row[k];
            s1 += p1[k] * row[k];
            s2 += p2[k] * row[k];
            s3 += p3[k] * row[k];
        }
        sums[0][f] = s0;
        sums[1][f] = s1;
        sums[2][f] = s2;
        sums[3][f] = s3;
    }
}

MS_INLINE void ms_dot_patch(const ms_lane *MS_RESTRICT patch, const int8_t *w, int8_t *unpacked, int32_t *MS_RESTRICT sums,
                            int32_t first, int32_t count, const ms_conv_u8_shape *shape)
{
    for (int32_t f = 0; f < count; f++) {
        const int8_t *MS_RESTRICT row = ms_row_of(w, first + f, unpacked, shape);
        int32_t sum = 0;
        for (int32_t k = 0; k < shape->depth; k++) {
            sum += patch[k] * row[k];
        }
        sums[f] = sum;
    }
}

/* Rows of weights. y is uint8_t or, with q null, int32_t. */
MS_INLINE void ms_conv_u8_c(const uint8_t *x, const int8_t *w, void *y, void *scratch, const ms_conv_u8_shape *shape, const ms_requant *q)
{
    const int32_t used = shape->runs_h * shape->runs_w * shape->length, positions = shape->out_height * shape->out_width;
    const int32_t most = positions < MS_PATCHES ? positions : MS_PATCHES;
    ms_lane *patches = scratch;
    int8_t *unpacked = (int8_t *)scratch + 2 * most * shape->depth;
    int32_t sums[MS_PATCHES][MS_FILTERS];

    for (int32_t r = 0; r < most; r++) {
        for (int32_t k = used; k < shape->depth; k++) {
            patches[r * shape->depth + k] = 0;
        }
    }
    for (int32_t p = 0; p < positions; p += MS_PATCHES) {
        const int32_t rows = positions - p < MS_PATCHES ? positions - p : MS_PATCHES;
        int32_t to[MS_PATCHES];
        for (int32_t r = 0; r < rows; r++) {
            const int32_t h = (p + r) / shape->out_width, v = (p + r) % shape->out_width;
            ms_gather_patch(x + h * shape->x_row + v * shape->x_column, patches + r * shape->depth, shape);
            to[r] = h * shape->y_row + v * shape->y_column;
        }
        for (int32_t f = 0; f < shape->filters; f += MS_FILTERS) {
            const int32_t count = shape->filters - f < MS_FILTERS ? shape->filters - f : MS_FILTERS;
            if (rows == MS_PATCHES) {
                ms_dot_patches(patches, w, unpacked, sums, f, count, shape);
            } else {
                for (int32_t r = 0; r < rows; r++) {
                    ms_dot_patch(patches + r * shape->depth, w, unpacked, sums[r], f, count, shape);
                }
            }
            for (int32_t r = 0; r < rows; r++) {
                ms_write_row(sums[r], y, to[r] + f, f, count, q);
            }
        }
    }
}

#if defined MS_AVX512VNNI
#include "host/ms_conv_u8_avx512.h"
#define MS_CONV_U8 ms_conv_u8_avx512
#elif defined MS_AVX2
#include "host/ms_conv_u8_avx2.h"
#define MS_CONV_U8 ms_conv_u8_avx2
#elif defined MS_NEON_DOT
#include "host/ms_conv_u8_neon.h"
#define MS_CONV_U8 ms_conv_u8_neon
#elif defined MS_RVV
#include "host/ms_conv_u8_rvv.h"
#define MS_CONV_U8 ms_conv_u8_rvv
#elif defined MS_ARM_DSP || defined MS_ARM_MVE
#include "ms_conv_u8_dsp.h"
#define MS_CONV_U8 ms_conv_u8_dsp
#else
#define MS_CONV_U8 ms_conv_u8_c
#endif

MS_INLINE void ms_conv_u8(const uint8_t *x, const int8_t *w, uint8_t *y, void *scratch, const ms_conv_u8_shape *shape, const ms_requant *q)
{
    MS_CONV_U8(x, w, y, scratch, shape, q);
}

MS_INLINE void ms_conv_u8_sums(const uint8_t *x, const int8_t *w, int32_t *y, void *scratch, const ms_conv_u8_shape *shape)
{
    MS_CONV_U8(x, w, y, scratch, shape, 0);
}

#endif
