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

/* Patches of four positions lie byte by byte in turn, so that four loads need one address; the patch of one lies as it is. */

/* One run of a patch, the `kernel_w` pixels of one row of x from column v on, to every `step`-th byte; null: a row outside x. Returns
 * what follows it. */
MS_INLINE uint8_t *ms_small_gather_run(const uint8_t *row, uint8_t *patch, int32_t v, const ms_small_conv_shape *shape, int32_t step)
{
    const int32_t channels = shape->channels, flip = shape->flip, outside = shape->pad_value;
    for (int32_t j = 0; j < shape->kernel_w; j++, v += shape->dilation_w) {
        const int inside = row && v >= 0 && v < shape->width;
        const uint8_t *x = inside ? row + v * channels : 0;
        for (int32_t c = 0; c < channels; c++, patch += step) {
            *patch = (uint8_t)(inside ? x[c] ^ flip : outside);
        }
    }
    return patch;
}

/* The patch of position p, zeros behind it. */
MS_SMALL_STATIC void ms_small_gather_c(const uint8_t *x, uint8_t *patch, int32_t p, const ms_small_conv_shape *shape, int32_t step)
{
    const int32_t top = p / shape->out_width * shape->stride_h - shape->pad_top;
    const int32_t left = p % shape->out_width * shape->stride_w - shape->pad_left;
    const int32_t row = shape->width * shape->channels;
    uint8_t *to = patch, *const end = patch + shape->depth * step;
    for (int32_t n = 0; n < shape->planes; n++, x += shape->height * row) {
        for (int32_t i = 0; i < shape->kernel_h; i++) {
            const int32_t h = top + i * shape->dilation_h;
            to = ms_small_gather_run(h >= 0 && h < shape->height ? x + h * row : 0, to, left, shape, step);
        }
    }
    for (; to < end; to += step) {
        *to = 0;
    }
}

/* A weight of fewer than 8 bits, the field at bit t of a byte. */
MS_INLINE int32_t ms_small_weight_c(uint8_t byte, int32_t t, int32_t bits)
{
    const int32_t half = 1 << (bits - 1), field = byte >> t & (2 * half - 1);
    return ((field ^ half) << (bits == 1)) - half;
}

/* sums[r] of four patches and one row of `bytes` weights of 8 bits. */
MS_SMALL_STATIC void ms_small_dot_8_c(const uint8_t *patches, const int8_t *row, int32_t sums[MS_SMALL_POSITIONS], int32_t bytes)
{
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (const uint8_t *const end = patches + MS_SMALL_POSITIONS * bytes; patches != end; patches += MS_SMALL_POSITIONS, row++) {
        const int32_t weight = *row;
        s0 += patches[0] * weight;
        s1 += patches[1] * weight;
        s2 += patches[2] * weight;
        s3 += patches[3] * weight;
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* The same of fewer bits: field t of byte i is weight t * bytes + i. */
MS_SMALL_STATIC void ms_small_dot_fields_c(const uint8_t *patches, const uint8_t *row, int32_t sums[MS_SMALL_POSITIONS], int32_t bytes, int32_t bits)
{
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int32_t t = 0; t < 8; t += bits) {
        for (int32_t i = 0; i < bytes; i++, patches += MS_SMALL_POSITIONS) {
            const int32_t weight = ms_small_weight_c(row[i], t, bits);
            s0 += patches[0] * weight;
            s1 += patches[1] * weight;
            s2 += patches[2] * weight;
            s3 += patches[3] * weight;
        }
    }
    sums[0] = s0;
    sums[1] = s1;
    sums[2] = s2;
    sums[3] = s3;
}

/* The sum of one patch and one row of weights of 8 bits. */
MS_SMALL_STATIC int32_t ms_small_dot_one_c(const uint8_t *patch, const int8_t *row, int32_t depth)
{
    int32_t sum = 0;
    for (const uint8_t *const end = patch + depth; patch != end; patch++, row++) {
        sum += *patch * *row;
    }
    return sum;
}

/* The same of fewer bits, two fields of a byte at a time. Of one bit 0 and -1 stand for +1 and -1. */
MS_INLINE int32_t ms_small_dot_pairs_c(const uint8_t *patch, const uint8_t *row, int32_t bytes, int32_t bits)
{
    int32_t sum = 0;
    for (int32_t left = 32 - bits; left > 24; left -= 2 * bits, patch += 2 * bytes) {
        const uint8_t *const behind = patch + bytes;
        for (int32_t i = 0; i < bytes; i++) {
            const uint32_t fields = row[i];
            const int32_t first = (int32_t)(fields << left) >> (32 - bits), second = (int32_t)(fields << (left - bits)) >> (32 - bits);
            sum += patch[i] * (bits == 1 ? 2 * first + 1 : first) + behind[i] * (bits == 1 ? 2 * second + 1 : second);
        }
    }
    return sum;
}

MS_SMALL_STATIC int32_t ms_small_dot_one_field_c(const uint8_t *patch, const uint8_t *row, int32_t bytes, int32_t bits)
{
    return bits == 4 ? ms_small_dot_pairs_c(patch, row, bytes, 4) : bits == 2 ? ms_small_dot_pairs_c(patch, row, bytes, 2)
           : ms_small_dot_pairs_c(patch, row, bytes, 1);
}

/* sums[r] of four positions, or of one. */
MS_INLINE void ms_small_sums_c(const uint8_t *patches, const int8_t *row, int32_t *sums, int32_t count, int32_t bytes, int32_t bits)
{
    if (count == 1) {
        sums[0] = bits == 8 ? ms_small_dot_one_c(patches, row, bytes) : ms_small_dot_one_field_c(patches, (const uint8_t *)row, bytes, bits);
    } else if (bits == 8) {
        ms_small_dot_8_c(patches, row, sums, bytes);
    } else {
        ms_small_dot_fields_c(patches, (const uint8_t *)row, sums, bytes, bits);
    }
}

/* Four positions at a time, the rest one by one. */
MS_SMALL_STATIC void ms_small_conv_any_c(const uint8_t *x, const void *w, void *y, uint8_t *patches, const ms_small_conv_shape *shape,
                                         const ms_small_stage *stage)
{
    const int32_t positions = shape->out_height * shape->out_width, bytes = shape->depth / 8 * shape->bits;
    int32_t *sums;

    for (int32_t p = 0, count; p < positions; p += count) {
        const int8_t *row = w;
        count = positions - p < MS_SMALL_POSITIONS ? 1 : MS_SMALL_POSITIONS;
        sums = (int32_t *)(void *)(patches + count * shape->depth);
        for (int32_t r = 0; r < count; r++) {
            ms_small_gather_c(x, patches + r, p + r, shape, count);
        }
        for (int32_t f = 0; f < shape->filters; f++, row += bytes) {
            ms_small_sums_c(patches, row, sums, count, bytes, shape->bits);
            for (int32_t r = 0; r < count; r++) {
                ms_small_store(y, (p + r) * shape->filters + f, f, sums[r], *stage);
            }
        }
    }
}

MS_INLINE void ms_small_conv_c(const uint8_t *x, const void *w, const int32_t *q, uint8_t *y, void *scratch,
                               const ms_small_conv_shape *shape, const ms_line *line)
{
    const ms_small_stage stage = {q, line, 0};
    ms_small_conv_any_c(x, w, y, scratch, shape, &stage);
}

MS_INLINE void ms_small_conv_sums_c(const uint8_t *x, const void *w, int32_t *y, void *scratch, const ms_small_conv_shape *shape)
{
    const ms_small_stage stage = {0, 0, 0};
    ms_small_conv_any_c(x, w, y, scratch, shape, &stage);
}

MS_INLINE void ms_small_conv_requant_c(const uint8_t *x, const void *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                       const ms_requant *q)
{
    const ms_small_stage stage = {0, 0, q};
    ms_small_conv_any_c(x, w, y, scratch, shape, &stage);
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
