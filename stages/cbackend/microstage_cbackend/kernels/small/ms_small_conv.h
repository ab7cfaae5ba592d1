/* ms_small_conv: convolution or dense layer for small machines, uint8 or int8 activations x int8 weights.
 *
 * x        [planes][height][width][channels]
 * w        MS_SMALL_FORM 0: pack_small_rows(...); else the order of that form
 * q        [filters][2]: bias and multiplier; of other forms in their order
 * y        [out_height][out_width][filters]; may overlap x as ms_small.h says
 * scratch  aligned to 8, conv_scratch(...) bytes
 *
 * ms_small_conv          a line: eight bytes a filter
 * ms_small_conv_requant  a line of 64 bits, with ties to even or a kink: whatever has no ms_line
 * ms_small_conv_sums     the int32_t sums themselves
 *
 * The generator proved that every partial sum, in any order, fits int32_t.
 */
#ifndef MS_SMALL_CONV_H
#define MS_SMALL_CONV_H

#include "ms_small.h"

/* One run of a patch, the `kernel_w` pixels of one row of x from column v on; null: a row outside x. Returns what follows it. */
MS_INLINE uint8_t *ms_small_gather_run(const uint8_t *row, uint8_t *patch, int32_t v, const ms_small_conv_shape *shape)
{
    const int32_t channels = shape->channels;
    for (int32_t j = 0; j < shape->kernel_w; j++, v += shape->dilation_w, patch += channels) {
        if (row && v >= 0 && v < shape->width) {
            for (int32_t c = 0; c < channels; c++) {
                patch[c] = (uint8_t)(row[v * channels + c] ^ shape->flip);
            }
        } else {
            memset(patch, shape->pad_value, (size_t)channels);
        }
    }
    return patch;
}

/* The patch of position p, zeros behind it. */
static inline void ms_small_gather_c(const uint8_t *x, uint8_t *patch, int32_t p, const ms_small_conv_shape *shape)
{
    const int32_t top = p / shape->out_width * shape->stride_h - shape->pad_top;
    const int32_t left = p % shape->out_width * shape->stride_w - shape->pad_left;
    const int32_t row = shape->width * shape->channels;
    uint8_t *to = patch;
    for (int32_t n = 0; n < shape->planes; n++, x += shape->height * row) {
        for (int32_t i = 0; i < shape->kernel_h; i++) {
            const int32_t h = top + i * shape->dilation_h;
            to = ms_small_gather_run(h >= 0 && h < shape->height ? x + h * row : 0, to, left, shape);
        }
    }
    memset(to, 0, (size_t)(patch + shape->depth - to));
}

/* sums[r] of four patches and one row of weights of `bits` bits: field t of byte i is weight t * bytes + i. */
MS_INLINE void ms_small_dot_c(const uint8_t *patches, const uint8_t *row, int32_t sums[MS_SMALL_POSITIONS], int32_t depth, int32_t bits)
{
    const int32_t bytes = depth * bits / 8, half = 1 << (bits - 1);
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t t = 0; t < 8; t += bits, patches += bytes) {
        for (int32_t i = 0; i < bytes; i++) {
            const int32_t field = row[i] >> t & (2 * half - 1), weight = bits == 1 ? 1 - 2 * field : (field ^ half) - half;
            s0 += patches[i] * weight;
            s1 += patches[depth + i] * weight;
            s2 += patches[2 * depth + i] * weight;
            s3 += patches[3 * depth + i] * weight;
        }
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* The same of one patch. */
MS_INLINE int32_t ms_small_dot_one_c(const uint8_t *patch, const uint8_t *row, int32_t depth, int32_t bits)
{
    const int32_t bytes = depth * bits / 8, half = 1 << (bits - 1);
    int32_t sum = 0;
    for (int32_t t = 0; t < 8; t += bits, patch += bytes) {
        for (int32_t i = 0; i < bytes; i++) {
            const int32_t field = row[i] >> t & (2 * half - 1);
            sum += patch[i] * (bits == 1 ? 1 - 2 * field : (field ^ half) - half);
        }
    }
    return sum;
}

/* Four positions at a time, the rest one by one. */
static inline void ms_small_conv_any_c(const uint8_t *x, const void *w, void *y, void *scratch, const ms_small_conv_shape *shape, ms_small_stage stage)
{
    const int32_t positions = shape->out_height * shape->out_width, bytes = shape->depth / 8 * shape->bits;
    uint8_t *patches = scratch;
    int32_t sums[MS_SMALL_POSITIONS];

    for (int32_t p = 0, count; p < positions; p += count) {
        const uint8_t *row = w;
        count = positions - p < MS_SMALL_POSITIONS ? 1 : MS_SMALL_POSITIONS;
        for (int32_t r = 0; r < count; r++) {
            ms_small_gather_c(x, patches + r * shape->depth, p + r, shape);
        }
        for (int32_t f = 0; f < shape->filters; f++, row += bytes) {
            if (count == MS_SMALL_POSITIONS) {
                ms_small_dot_c(patches, row, sums, shape->depth, shape->bits);
            } else {
                sums[0] = ms_small_dot_one_c(patches, row, shape->depth, shape->bits);
            }
            for (int32_t r = 0; r < count; r++) {
                ms_small_store(y, (p + r) * shape->filters + f, f, sums[r], stage);
            }
        }
    }
}

MS_INLINE void ms_small_conv_c(const uint8_t *x, const void *w, const int32_t *q, uint8_t *y, void *scratch,
                               const ms_small_conv_shape *shape, const ms_line *line)
{
    ms_small_conv_any_c(x, w, y, scratch, shape, (ms_small_stage){q, line, 0});
}

MS_INLINE void ms_small_conv_sums_c(const uint8_t *x, const void *w, int32_t *y, void *scratch, const ms_small_conv_shape *shape)
{
    ms_small_conv_any_c(x, w, y, scratch, shape, (ms_small_stage){0, 0, 0});
}

MS_INLINE void ms_small_conv_requant_c(const uint8_t *x, const void *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                       const ms_requant *q)
{
    ms_small_conv_any_c(x, w, y, scratch, shape, (ms_small_stage){0, 0, q});
}

/* A form of an instruction set defines MS_SMALL_CONV(function), for example ms_small_conv_dsp of conv. */
#if MS_SMALL_FORM == 1
#include "ms_small_conv_dsp.h"
#elif MS_SMALL_FORM == 2
#include "ms_small_conv_mve.h"
#elif MS_SMALL_FORM == 3
#include "ms_small_conv_rv32.h"
#else
#define MS_SMALL_CONV(name) ms_small_##name##_c
#endif

MS_INLINE void ms_small_conv(const uint8_t *x, const void *w, const int32_t *q, uint8_t *y, void *scratch,
                             const ms_small_conv_shape *shape, const ms_line *line)
{
    MS_SMALL_CONV(conv)(x, w, q, y, scratch, shape, line);
}

MS_INLINE void ms_small_conv_sums(const uint8_t *x, const void *w, int32_t *y, void *scratch, const ms_small_conv_shape *shape)
{
    MS_SMALL_CONV(conv_sums)(x, w, y, scratch, shape);
}

MS_INLINE void ms_small_conv_requant(const uint8_t *x, const void *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                     const ms_requant *q)
{
    MS_SMALL_CONV(conv_requant)(x, w, y, scratch, shape, q);
}

#endif
