/* ms_small_depthwise: one filter per channel for small machines, uint8 or int8 activations x int8 weights.
 *
 * x        [height][width][channels]; shape->planes = 1 and filters = channels
 * w        [channels][kernel_h][kernel_w] or, with another MS_SMALL_DEPTHWISE_FORM, the order of that form
 * q        [channels][2]: bias and multiplier
 * y        [out_height][out_width][channels]; x itself or apart from it
 * scratch  aligned to 8, depthwise_scratch(...) bytes
 *
 * ms_small_depthwise          a line: eight bytes a channel
 * ms_small_depthwise_requant  a line of 64 bits, with ties to even or a kink: whatever has no ms_line
 *
 * Channels are walked outermost; the rows of one lie in scratch before the outputs that see them are written: y may be x where the
 * generator proved that no row is overwritten before it lies there. It proved too that every partial sum fits int32_t.
 */
#ifndef MS_SMALL_DEPTHWISE_H
#define MS_SMALL_DEPTHWISE_H

#include "ms_small.h"

/* Which order of depthwise weights and of their q this unit reads: 0 that of this file, 2 mve. */
#if defined MS_ARM_MVE
#define MS_SMALL_DEPTHWISE_FORM 2
#else
#define MS_SMALL_DEPTHWISE_FORM 0
#endif

/* Row h of channel c with its borders, `columns` bytes. */
MS_INLINE void ms_small_depthwise_row_c(const uint8_t *x, uint8_t *to, int32_t h, int32_t c, int32_t columns, const ms_small_conv_shape *shape)
{
    memset(to, shape->pad_value, (size_t)columns);
    if (h >= 0 && h < shape->height) {
        for (int32_t v = 0; v < shape->width && v + shape->pad_left < columns; v++) {
            to[v + shape->pad_left] = (uint8_t)(x[(h * shape->width + v) * shape->channels + c] ^ shape->flip);
        }
    }
}

/* The sum of one window; rows lie in a ring of `span` rows, of which row `first` is the topmost. */
MS_INLINE int32_t ms_small_depthwise_sum_c(const uint8_t *ring, const int8_t *w, int32_t first, int32_t span, int32_t columns,
                                           const ms_small_conv_shape *shape)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < shape->kernel_h; i++) {
        const uint8_t *row = ring + (first + i * shape->dilation_h) % span * columns;
        for (int32_t j = 0; j < shape->kernel_w; j++) {
            sum += row[j * shape->dilation_w] * *w++;
        }
    }
    return sum;
}

static inline void ms_small_depthwise_any_c(const uint8_t *x, const int8_t *w, uint8_t *y, uint8_t *ring, const ms_small_conv_shape *shape,
                                            ms_small_stage stage)
{
    const int32_t span = (shape->kernel_h - 1) * shape->dilation_h + 1, taps = shape->kernel_h * shape->kernel_w;
    const int32_t columns = (shape->out_width - 1) * shape->stride_w + (shape->kernel_w - 1) * shape->dilation_w + 1;

    for (int32_t c = 0; c < shape->channels; c++, w += taps) {
        int32_t there = 0; /* rows that have been read, borders included */
        for (int32_t h = 0; h < shape->out_height; h++) {
            const int32_t first = h * shape->stride_h;
            for (there = there < first ? first : there; there < first + span; there++) {
                ms_small_depthwise_row_c(x, ring + there % span * columns, there - shape->pad_top, c, columns, shape);
            }
            for (int32_t v = 0; v < shape->out_width; v++) {
                const int32_t sum = ms_small_depthwise_sum_c(ring + v * shape->stride_w, w, first, span, columns, shape);
                ms_small_store(y, (h * shape->out_width + v) * shape->channels + c, c, sum, stage);
            }
        }
    }
}

MS_INLINE void ms_small_depthwise_c(const uint8_t *x, const int8_t *w, const int32_t *q, uint8_t *y, void *scratch,
                                    const ms_small_conv_shape *shape, const ms_line *line)
{
    ms_small_depthwise_any_c(x, w, y, scratch, shape, (ms_small_stage){q, line, 0});
}

MS_INLINE void ms_small_depthwise_requant_c(const uint8_t *x, const int8_t *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                            const ms_requant *q)
{
    ms_small_depthwise_any_c(x, w, y, scratch, shape, (ms_small_stage){0, 0, q});
}

#if defined MS_ARM_DSP
#include "ms_small_depthwise_dsp.h"
#define MS_SMALL_DEPTHWISE(name) ms_small_##name##_dsp
#elif defined MS_ARM_MVE
#include "ms_small_depthwise_mve.h"
#define MS_SMALL_DEPTHWISE(name) ms_small_##name##_mve
#elif defined MS_RV32
#include "ms_small_depthwise_rv32.h"
#define MS_SMALL_DEPTHWISE(name) ms_small_##name##_rv32
#else
#define MS_SMALL_DEPTHWISE(name) ms_small_##name##_c
#endif
#define ms_small_depthwise MS_SMALL_DEPTHWISE(depthwise)
#define ms_small_depthwise_requant MS_SMALL_DEPTHWISE(depthwise_requant)

#endif
