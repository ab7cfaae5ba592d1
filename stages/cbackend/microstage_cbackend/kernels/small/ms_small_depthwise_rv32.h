/* ms_small_depthwise for processors of 32 bits with a multiplication and 32 registers (RV32IM): the nine weights of a 3 x 3 kernel
 * stay in registers. Weights, lines and scratch are those of the C form.
 */
#ifndef MS_SMALL_DEPTHWISE_RV32_H
#define MS_SMALL_DEPTHWISE_RV32_H

/* Row h of the image, of the channel at which x begins, with its borders, `columns` bytes. */
MS_INLINE void ms_ring_row_rv32(const uint8_t *x, uint8_t *to, int32_t h, int32_t columns, const ms_small_conv_shape *shape)
{
    const int32_t channels = shape->channels, flip = shape->flip, value = shape->pad_value;
    const int32_t left = shape->pad_left < columns ? shape->pad_left : columns, room = columns - left;
    const int32_t inside = h < 0 || h >= shape->height ? 0 : shape->width < room ? shape->width : room;
    uint8_t *const end = to + columns, *const first = to + left, *const last = first + inside;
    for (; to != first; to++) {
        *to = (uint8_t)value;
    }
    for (x += h * shape->width * channels; to != last; to++, x += channels) {
        *to = (uint8_t)(*x ^ flip);
    }
    for (; to != end; to++) {
        *to = (uint8_t)value;
    }
}

/* One row of outputs of channel c, `channels` bytes apart, whose windows begin at three rows of bytes. */
static MS_ONCE void ms_depthwise_3x3_rv32(const uint8_t *const rows[3], const int8_t *w, uint8_t *y, int32_t c,
                                          const ms_small_conv_shape *shape, const ms_small_stage *stage)
{
    const int32_t w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], w4 = w[4], w5 = w[5], w6 = w[6], w7 = w[7], w8 = w[8];
    const int32_t stride = shape->stride_w, channels = shape->channels;
    const ms_line none = {0, 0, 0, 0, 0, 0, 0}, line = stage->line ? *stage->line : none;
    const ms_small_stage held = {stage->q, stage->line ? &line : 0, stage->requant};
    const uint8_t *a = rows[0], *b = rows[1], *d = rows[2];
    for (const uint8_t *end = a + shape->out_width * stride; a != end; a += stride, b += stride, d += stride, y += channels) {
        const int32_t sum = a[0] * w0 + a[1] * w1 + a[2] * w2 + b[0] * w3 + b[1] * w4 + b[2] * w5 + d[0] * w6 + d[1] * w7 + d[2] * w8;
        ms_small_store(y, 0, c, sum, held);
    }
}

/* The sum of one window; rows lie in a ring of `span` rows, of which row `first` is the topmost. */
MS_INLINE int32_t ms_depthwise_sum_rv32(const uint8_t *ring, const int8_t *w, int32_t first, int32_t span, int32_t columns,
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

/* The same of any kernel; row `first` is the topmost that its windows see. */
MS_INLINE void ms_depthwise_row_rv32(const uint8_t *ring, const int8_t *w, uint8_t *y, int32_t c, int32_t first, int32_t span, int32_t columns,
                                     const ms_small_conv_shape *shape, const ms_small_stage *stage)
{
    for (int32_t v = 0; v < shape->out_width; v++, y += shape->channels, ring += shape->stride_w) {
        ms_small_store(y, 0, c, ms_depthwise_sum_rv32(ring, w, first, span, columns, shape), *stage);
    }
}

static MS_ONCE void ms_small_depthwise_any_rv32(const uint8_t *x, const int8_t *w, uint8_t *y, uint8_t *ring, const ms_small_conv_shape *shape,
                                                const ms_small_stage *stage)
{
    const int32_t span = (shape->kernel_h - 1) * shape->dilation_h + 1, taps = shape->kernel_h * shape->kernel_w, down = shape->dilation_h;
    const int32_t columns = (shape->out_width - 1) * shape->stride_w + (shape->kernel_w - 1) * shape->dilation_w + 1;
    const int three = shape->kernel_h == 3 && shape->kernel_w == 3 && shape->dilation_w == 1;
    for (int32_t c = 0; c < shape->channels; c++, w += taps) {
        uint8_t *to = y + c;
        int32_t there = 0; /* rows that have been read, borders included */
        for (int32_t h = 0; h < shape->out_height; h++, to += shape->out_width * shape->channels) {
            const int32_t first = h * shape->stride_h;
            for (there = there < first ? first : there; there < first + span; there++) {
                ms_ring_row_rv32(x + c, ring + there % span * columns, there - shape->pad_top, columns, shape);
            }
            if (three) {
                const uint8_t *const rows[3] = {ring + first % span * columns, ring + (first + down) % span * columns,
                                                ring + (first + 2 * down) % span * columns};
                ms_depthwise_3x3_rv32(rows, w, to, c, shape, stage);
            } else {
                ms_depthwise_row_rv32(ring, w, to, c, first, span, columns, shape, stage);
            }
        }
    }
}

MS_INLINE void ms_small_depthwise_rv32(const uint8_t *x, const int8_t *w, const int32_t *q, uint8_t *y, void *scratch,
                                       const ms_small_conv_shape *shape, const ms_line *line)
{
    const ms_small_stage stage = {q, line, 0};
    ms_small_depthwise_any_rv32(x, w, y, scratch, shape, &stage);
}

MS_INLINE void ms_small_depthwise_requant_rv32(const uint8_t *x, const int8_t *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                               const ms_requant *q)
{
    const ms_small_stage stage = {0, 0, q};
    ms_small_depthwise_any_rv32(x, w, y, scratch, shape, &stage);
}

#endif
