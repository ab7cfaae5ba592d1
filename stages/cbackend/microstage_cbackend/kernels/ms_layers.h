/* Shapes of the fused kernels, and the stages that turn a sum into what is stored. Sizes and steps in elements. */
#ifndef MS_LAYERS_H
#define MS_LAYERS_H

#include <stdint.h>

typedef char ms_right_shift_keeps_the_sign[(-3 >> 1) == -2 ? 1 : -1];
typedef char ms_int_has_32_bits[sizeof(int) >= 4 ? 1 : -1];

typedef struct { int32_t rows, depth, columns; } ms_linear_shape;

/* Channels last. x [height][width][channels], w [filters][kernel_h][kernel_w][channels / groups]. */
typedef struct {
    int32_t height, width, channels, out_height, out_width, filters, groups;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, pad_value;
} ms_conv2d_shape;

typedef struct {
    int32_t outer, height, width, inner, out_height, out_width;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
} ms_sum_pool_shape;

typedef struct { int32_t outer, channels, inner; } ms_stage_shape;

typedef struct { int32_t count, low; } ms_table_shape;

typedef struct { int32_t count; } ms_gather_shape;

typedef struct { int32_t outer, depth, count, bits; } ms_softmax_shape;

typedef struct { int32_t size[4], x_step[4], w_step[4]; int64_t x_multiplier, w_multiplier; } ms_blend_shape;

typedef struct { int32_t outer, count, inner, keep, last; } ms_top_shape;

typedef struct { int32_t outer, count, inner, keep; } ms_take_shape;

/* Stages: what is stored for the exact sum of channel c. The generator proved each equal to the network's own
 * quantiser at every sum that the layer can reach, and that no step below leaves its type. */

typedef struct { char none; } ms_raw32, ms_raw64;

static inline int32_t ms_finish_raw32(const ms_raw32 *s, int32_t c, int32_t sum) { (void)s; (void)c; return sum; }
static inline int64_t ms_finish_raw64(const ms_raw64 *s, int32_t c, int64_t sum) { (void)s; (void)c; return sum; }

static inline int32_t ms_clamp(int64_t value, int32_t low, int32_t high)
{
    return (int32_t)(value < low ? low : value > high ? high : value);
}

/* (sum * multiplier + offset) >> shift, held to low..high: rounds down, halves are in the offset. */
typedef struct { const int32_t *multiplier; const int32_t *offset; int32_t shift, low, high; } ms_affine32;
typedef struct { const int32_t *multiplier; const int64_t *offset; int32_t shift, low, high; } ms_affine64;

static inline int32_t ms_finish_affine32(const ms_affine32 *s, int32_t c, int32_t sum)
{
    const int32_t value = (sum * s->multiplier[c] + s->offset[c]) >> s->shift;
    return value < s->low ? s->low : value > s->high ? s->high : value;
}
static inline int32_t ms_finish_affine64(const ms_affine64 *s, int32_t c, int64_t sum)
{
    return ms_clamp((sum * s->multiplier[c] + s->offset[c]) >> s->shift, s->low, s->high);
}

/* The same, rounded to the nearest, halves to the even neighbour or, with odd = 1, to the odd one; shift >= 1. */
typedef struct { const int32_t *multiplier; const int64_t *offset; int32_t shift, low, high, odd; } ms_even64;

static inline int32_t ms_finish_even64(const ms_even64 *s, int32_t c, int64_t sum)
{
    const int64_t value = sum * s->multiplier[c] + s->offset[c];
    return ms_clamp((value + ((int64_t)1 << (s->shift - 1)) - 1 + ((value >> s->shift & 1) ^ s->odd)) >> s->shift, s->low, s->high);
}

/* ms_affine64, where the line lies lower by kink[c] below edge. */
typedef struct { const int32_t *multiplier; const int64_t *offset, *kink; int64_t edge; int32_t shift, low, high; } ms_kink64;

static inline int32_t ms_finish_kink64(const ms_kink64 *s, int32_t c, int64_t sum)
{
    const int64_t value = sum * s->multiplier[c] + s->offset[c];
    return ms_clamp((value < s->edge ? value - s->kink[c] : value) >> s->shift, s->low, s->high);
}

/* (sum * multiplier + addend) >> shift for multipliers of up to 55 bits: upper * 2^24 + lower, or upper with lower = 0. Where what is
 * shifted out is less than ties, an odd level (with odd = 1 an even one) is taken one down: halves to the even neighbour. */
typedef struct {
    const int64_t *upper, *addend;
    const int32_t *lower, *fine;
    int32_t shift, low, high, odd;
    int64_t ties;
} ms_wide64;

static inline int32_t ms_finish_wide64(const ms_wide64 *s, int32_t c, int64_t sum)
{
    const int64_t value = sum * s->upper[c] + s->addend[c] + ((sum * s->lower[c] + s->fine[c]) >> 24);
    const int64_t level = value >> s->shift, fraction = value & (((int64_t)1 << s->shift) - 1);
    return ms_clamp(level - ((fraction < s->ties) & (level ^ s->odd) & 1), s->low, s->high);
}

/* bias + scale * (number of thresholds that the sum reaches); rows of `levels` ascending thresholds, one or per channel. */
typedef struct { const int16_t *thresholds; int32_t rows, levels, scale, bias; } ms_search16;
typedef struct { const int32_t *thresholds; int32_t rows, levels, scale, bias; } ms_search32;
typedef struct { const int64_t *thresholds; int32_t rows, levels, scale, bias; } ms_search64;

/* A search without branches that depend on data: halves the part that can hold the answer, levels in all. */
#define MS_SEARCH(type, sum_type)                                                                       \
    static inline int32_t ms_finish_##type(const ms_##type *s, int32_t c, sum_type sum)                 \
    {                                                                                                   \
        const int32_t start = s->rows == 1 ? 0 : c * s->levels;                                         \
        int32_t reached = 0, left = s->levels;                                                          \
        while (left > 0) {                                                                              \
            const int32_t half = (left + 1) / 2;                                                        \
            reached += sum >= s->thresholds[start + reached + half - 1] ? half : 0;                     \
            left -= half;                                                                               \
        }                                                                                               \
        return s->bias + s->scale * reached;                                                            \
    }
MS_SEARCH(search16, int32_t)
MS_SEARCH(search32, int32_t)
MS_SEARCH(search64, int64_t)

/* bias + number of thresholds that (sum << shift) + offset[c] reaches: channels that share one row of ascending thresholds. */
typedef struct { const int32_t *thresholds; const int32_t *offset; int32_t levels, shift, bias; } ms_shared32;

static inline int32_t ms_finish_shared32(const ms_shared32 *s, int32_t c, int32_t sum)
{
    const int32_t value = sum * (1 << s->shift) + s->offset[c];
    int32_t reached = 0, left = s->levels;
    while (left > 0) {
        const int32_t half = (left + 1) / 2;
        reached += value >= s->thresholds[reached + half - 1] ? half : 0;
        left -= half;
    }
    return s->bias + reached;
}

#endif
