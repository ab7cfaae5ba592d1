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

/* A channel on its way, at the head of scratch: c, its first byte and its weights; its rows with their borders, in a ring of `span`
 * rows of `columns` bytes. there: rows that have been read, of the framed image; slot: where the next one goes, on the oldest. */
typedef struct {
    const ms_small_conv_shape *shape;
    const ms_small_stage *stage;
    const uint8_t *x;
    const int8_t *w;
    uint8_t *rows;
    int32_t c, span, columns, there, slot;
} ms_small_channel;

/* Where the row stands that is `below` < span rows under the oldest one. */
MS_INLINE const uint8_t *ms_small_channel_row(const ms_small_channel *channel, int32_t below)
{
    const int32_t slot = channel->slot + below;
    return channel->rows + (slot < channel->span ? slot : slot - channel->span) * channel->columns;
}

/* Read the next row. */
MS_SMALL_STATIC void ms_small_channel_read(ms_small_channel *channel)
{
    const ms_small_conv_shape *shape = channel->shape;
    const int32_t columns = channel->columns, room = columns - shape->pad_left, h = channel->there - shape->pad_top;
    const int32_t inside = h < 0 || h >= shape->height ? 0 : shape->width < room ? shape->width : room;
    const int32_t flip = shape->flip, step = shape->channels, value = shape->pad_value;
    const uint8_t *x = channel->x + h * shape->width * step;
    uint8_t *to = channel->rows + channel->slot * columns, *const end = to + columns;
    for (uint8_t *const first = to + (inside > 0 ? shape->pad_left : 0); to != first; to++) {
        *to = (uint8_t)value;
    }
    for (int32_t v = 0; v < inside; v++, to++, x += step) {
        *to = (uint8_t)(*x ^ flip);
    }
    for (; to != end; to++) {
        *to = (uint8_t)value;
    }
    channel->there++;
    channel->slot = channel->slot + 1 < channel->span ? channel->slot + 1 : 0;
}

/* The sum of a window of any size, which begins at column v. */
MS_SMALL_STATIC int32_t ms_small_depthwise_sum_c(const ms_small_channel *channel, int32_t v)
{
    const ms_small_conv_shape *shape = channel->shape;
    const int8_t *w = channel->w;
    int32_t sum = 0;
    for (int32_t i = 0; i < shape->kernel_h; i++) {
        const uint8_t *row = ms_small_channel_row(channel, i * shape->dilation_h) + v;
        for (int32_t j = 0; j < shape->kernel_w; j++, row += shape->dilation_w) {
            sum += *row * *w++;
        }
    }
    return sum;
}

/* A row of outputs. */
MS_SMALL_STATIC void ms_small_depthwise_row_c(const ms_small_channel *channel, uint8_t *y)
{
    const ms_small_conv_shape *shape = channel->shape;
    for (int32_t v = 0; v < shape->out_width; v++, y += shape->channels) {
        ms_small_store(y, 0, channel->c, ms_small_depthwise_sum_c(channel, v * shape->stride_w), *channel->stage);
    }
}

/* The sum of 3 x 3 taps of three rows. */
MS_INLINE int32_t ms_small_sum_3x3_c(const uint8_t *a, const uint8_t *b, const uint8_t *d, const int32_t w[9])
{
    return a[0] * w[0] + a[1] * w[1] + a[2] * w[2] + b[0] * w[3] + b[1] * w[4] + b[2] * w[5] + d[0] * w[6] + d[1] * w[7] + d[2] * w[8];
}

/* A row of outputs of 3 x 3 taps and a line. */
MS_SMALL_STATIC void ms_small_depthwise_row_3x3_c(const ms_small_channel *channel, uint8_t *y)
{
    const int8_t *v = channel->w;
    const int32_t w[9] = {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8]}, *const at = channel->stage->q + 2 * channel->c;
    const int32_t q[2] = {at[0], at[1]};
    const ms_line line = *channel->stage->line; /* here, as bytes that are written may lie over what a pointer says */
    const int32_t stride = channel->shape->stride_w, pixel = channel->shape->channels, down = channel->shape->dilation_h;
    const uint8_t *a = ms_small_channel_row(channel, 0), *b = ms_small_channel_row(channel, down), *d = ms_small_channel_row(channel, 2 * down);
    for (const uint8_t *end = a + channel->shape->out_width * stride; a != end; a += stride, b += stride, d += stride, y += pixel) {
        *y = ms_small_level(ms_small_sum_3x3_c(a, b, d, w), q, &line);
    }
}

/* The outputs of a channel, from y on. */
MS_SMALL_STATIC void ms_small_depthwise_channel_c(ms_small_channel *channel, uint8_t *y)
{
    const ms_small_conv_shape *shape = channel->shape;
    const int usual = channel->stage->line && shape->kernel_h == 3 && shape->kernel_w == 3 && shape->dilation_w == 1;
    channel->there = channel->slot = 0;
    for (int32_t h = 0; h < shape->out_height; h++, y += shape->out_width * shape->channels) {
        const int32_t first = h * shape->stride_h;
        channel->there = channel->there < first ? first : channel->there;
        while (channel->there < first + channel->span) {
            ms_small_channel_read(channel);
        }
        (usual ? ms_small_depthwise_row_3x3_c : ms_small_depthwise_row_c)(channel, y);
    }
}

MS_SMALL_STATIC void ms_small_depthwise_any_c(const uint8_t *x, const int8_t *w, uint8_t *y, ms_small_channel *channel,
                                              const ms_small_conv_shape *shape, const ms_small_stage *stage)
{
    channel->shape = shape;
    channel->stage = stage;
    channel->rows = (uint8_t *)(channel + 1);
    channel->span = (shape->kernel_h - 1) * shape->dilation_h + 1;
    channel->columns = (shape->out_width - 1) * shape->stride_w + (shape->kernel_w - 1) * shape->dilation_w + 1;
    for (int32_t c = 0; c < shape->channels; c++) {
        channel->c = c;
        channel->x = x + c;
        channel->w = w + c * shape->kernel_h * shape->kernel_w;
        ms_small_depthwise_channel_c(channel, y + c);
    }
}

MS_INLINE void ms_small_depthwise_c(const uint8_t *x, const int8_t *w, const int32_t *q, uint8_t *y, void *scratch,
                                    const ms_small_conv_shape *shape, const ms_line *line)
{
    const ms_small_stage stage = {q, line, 0};
    ms_small_depthwise_any_c(x, w, y, scratch, shape, &stage);
}

MS_INLINE void ms_small_depthwise_requant_c(const uint8_t *x, const int8_t *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                            const ms_requant *q)
{
    const ms_small_stage stage = {0, 0, q};
    ms_small_depthwise_any_c(x, w, y, scratch, shape, &stage);
}

#if defined MS_ARM_DSP
#include "ms_small_depthwise_dsp.h"
#define MS_SMALL_DEPTHWISE(name) ms_small_##name##_dsp
#elif defined MS_ARM_MVE
#include "ms_small_depthwise_mve.h"
#define MS_SMALL_DEPTHWISE(name) ms_small_##name##_mve
#else
#define MS_SMALL_DEPTHWISE(name) ms_small_##name##_c
#endif
#define ms_small_depthwise MS_SMALL_DEPTHWISE(depthwise)
#define ms_small_depthwise_requant MS_SMALL_DEPTHWISE(depthwise_requant)

#endif
