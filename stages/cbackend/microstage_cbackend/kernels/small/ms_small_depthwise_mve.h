/* ms_small_depthwise for Helium: eight channels at a time, whose rows lie in scratch, 8 bytes a pixel, borders included.
 *
 * w  pack_small_depthwise_mve: [channels / 8][kernel_h][kernel_w][8]
 * q  pack_small_lines_mve: [channels / 8][4 biases of even, 4 of odd channels, 4 multipliers of even, 4 of odd channels]
 */
#ifndef MS_SMALL_DEPTHWISE_MVE_H
#define MS_SMALL_DEPTHWISE_MVE_H

#include "ms_small_end_mve.h"

/* The ring of rows that the outputs of one row see: row r of the padded image lies at r % span. `count` channels are there. */
typedef struct { uint8_t *rows; int32_t span, columns, count; } ms_ring_mve;

/* Channels from c on, with their weights and lines; q is null where the stage has no line. It lies at the head of scratch, as the
 * stack is small; end and rows are those of the row of outputs that is being made. */
typedef struct {
    ms_ring_mve ring;
    const int8_t *w;
    const int32_t *q;
    const ms_small_conv_shape *shape;
    ms_small_stage stage;
    int32_t c, first, past; /* outputs first...past - 1 of a row are computed next */
    const uint8_t *rows[3];
    ms_end_mve end;
} ms_channels_mve;

typedef char ms_channels_fit_mve[sizeof(ms_channels_mve) <= 208 ? 1 : -1];

/* `count` pixels of eight bytes, all of them `value`. */
MS_INLINE void ms_border_mve(uint8_t *to, int32_t count, int32_t value)
{
    memset(to, value, 8 * (size_t)(count > 0 ? count : 0));
}

/* Row h of the image, from the first of the ring's channels on, with its borders. */
static MS_ONCE void ms_ring_row_mve(const uint8_t *x, uint8_t *to, int32_t h, const ms_ring_mve *ring, const ms_small_conv_shape *shape)
{
    const int32_t left = shape->pad_left < ring->columns ? shape->pad_left : ring->columns, room = ring->columns - left;
    const int32_t inside = h < 0 || h >= shape->height ? 0 : shape->width < room ? shape->width : room;
    const mve_pred16_t read = vctp8q((uint32_t)ring->count), written = vctp8q(8);
    const uint8x16_t flip = vdupq_n_u8((uint8_t)shape->flip);
    ms_border_mve(to, left, shape->pad_value);
    to += 8 * left;
    x += h * shape->width * shape->channels;
    for (int32_t v = 0; v < inside; v++, x += shape->channels, to += 8) {
        vstrbq_p_u8(to, veorq_u8(vldrbq_z_u8(x, read), flip), written);
    }
    ms_border_mve(to, room - inside, shape->pad_value);
}

typedef struct { int32x4_t even, odd; } ms_sums_mve;

/* Adds the products of one tap. */
MS_INLINE ms_sums_mve ms_tap_mve(ms_sums_mve sums, const uint8_t *tap, const int8_t *w)
{
    const int16x8_t bytes = vreinterpretq_s16_u16(vldrbq_u16(tap)), weights = vldrbq_s16(w);
    return (ms_sums_mve){vaddq_s32(sums.even, vmullbq_int_s16(bytes, weights)), vaddq_s32(sums.odd, vmulltq_int_s16(bytes, weights))};
}

#define MS_TAP_MVE(row)                                                                                   \
    "vldrb.u16 q0, [%[" row "]], #8\n\tvldrb.s16 q1, [%[w]], #8\n\tvmullb.s16 q2, q0, q1\n\t"             \
    "vmullt.s16 q3, q0, q1\n\tvadd.i32 %q[even], %q[even], q2\n\tvadd.i32 %q[odd], %q[odd], q3\n\t"
#define MS_TAPS_MVE(row) MS_TAP_MVE(row) MS_TAP_MVE(row) MS_TAP_MVE(row)

/* Adds the products of a window of 3 x 3 taps, `at` bytes into three rows; in assembly, as compilers load all of it first and then
 * have no registers. */
MS_INLINE ms_sums_mve ms_window_3x3_mve(ms_sums_mve sums, const uint8_t *const *rows, int32_t at, const int8_t *w)
{
    const uint8_t *r0 = rows[0] + at, *r1 = rows[1] + at, *r2 = rows[2] + at;
    __asm__(MS_TAPS_MVE("r0") MS_TAPS_MVE("r1") MS_TAPS_MVE("r2")
            : [r0] "+&l"(r0), [r1] "+&l"(r1), [r2] "+&l"(r2), [w] "+&l"(w), [even] "+&w"(sums.even), [odd] "+&w"(sums.odd)
            :
            : "memory", "q0", "q1", "q2", "q3");
    return sums;
}

/* The sums of any window, from `sums` on. Its first tap lies `at` bytes into the row in `slot`. */
MS_INLINE ms_sums_mve ms_window_mve(ms_sums_mve sums, const ms_ring_mve *ring, int32_t slot, int32_t at, const int8_t *w,
                                    const ms_small_conv_shape *shape)
{
    for (int32_t i = 0; i < shape->kernel_h; i++) {
        const uint8_t *tap = ring->rows + 8 * slot * ring->columns + at;
        for (int32_t j = 0; j < shape->kernel_w; j++, w += 8, tap += 8 * shape->dilation_w) {
            sums = ms_tap_mve(sums, tap, w);
        }
        slot += shape->dilation_h;
        slot -= slot >= ring->span ? ring->span : 0;
    }
    return sums;
}

/* Some outputs of a row: `slot` is that of the first row which they see. */
MS_INLINE void ms_depthwise_row_mve(ms_channels_mve *layer, int32_t slot, const int three)
{
    const ms_small_conv_shape *shape = layer->shape;
    const int32_t stride = 8 * shape->stride_w, channels = shape->channels, past = layer->past;
    const int32_t *q = layer->q;
    const int8_t *w = layer->w;
    const ms_ring_mve *ring = &layer->ring;
    const mve_pred16_t some = vctp16q((uint32_t)ring->count);
    ms_end_mve *const end = &layer->end;
    uint8_t *at = (uint8_t *)end->y + layer->first * channels;
    for (int32_t v = layer->first, x = v * stride; v < past; v++, x += stride, at += channels) {
        ms_sums_mve sums = {vdupq_n_s32(0), vdupq_n_s32(0)};
        sums = three ? ms_window_3x3_mve(sums, layer->rows, x, w) : ms_window_mve(sums, ring, slot, x, w, shape);
        if (q) {
            const int32x4_t even = ms_scale_mve(vmlaq_n_s32(vldrwq_s32(q), sums.even, end->scale), vldrwq_s32(q + 8), end);
            const int32x4_t odd = ms_scale_mve(vmlaq_n_s32(vldrwq_s32(q + 4), sums.odd, end->scale), vldrwq_s32(q + 12), end);
            vstrbq_p_u16(at, ms_held_mve(even, odd, end), some);
        } else {
            vst1q_s32(end->lanes, sums.even);
            vst1q_s32(end->lanes + 4, sums.odd);
        }
    }
}

static MS_ONCE void ms_depthwise_three_mve(ms_channels_mve *layer, int32_t slot)
{
    ms_depthwise_row_mve(layer, slot, 1);
}

static MS_ONCE void ms_depthwise_other_mve(ms_channels_mve *layer, int32_t slot)
{
    ms_depthwise_row_mve(layer, slot, 0);
}

/* Where a row of outputs goes, and the first three rows that it sees. */
static MS_ONCE void ms_begin_row_mve(ms_channels_mve *layer, uint8_t *at, int32_t slot)
{
    const ms_ring_mve *ring = &layer->ring;
    ms_begin_end_mve(&layer->end, at, layer->shape->channels, &layer->stage);
    layer->first = 0;
    layer->past = layer->shape->out_width;
    for (int32_t i = 0; i < 3; i++) {
        layer->rows[i] = ring->rows + 8 * ((slot + i * layer->shape->dilation_h) % ring->span) * ring->columns;
    }
}

/* One row of outputs: what has no line, one after the other. */
MS_INLINE void ms_depthwise_outputs_mve(ms_channels_mve *layer, uint8_t *at, int32_t slot)
{
    const ms_small_conv_shape *shape = layer->shape;
    const int three = shape->kernel_h == 3 && shape->kernel_w == 3 && shape->dilation_w == 1;
    const int32_t count = layer->ring.count, each = layer->q ? shape->out_width : 1;
    ms_begin_row_mve(layer, at, slot);
    for (int32_t v = 0; v < shape->out_width; v += each) {
        layer->first = v;
        layer->past = v + each;
        (three ? ms_depthwise_three_mve : ms_depthwise_other_mve)(layer, slot);
        if (!layer->q) {
            ms_end_lanes_mve(&layer->end, 0, v * shape->channels, 2, layer->c, 2, (count + 1) / 2);
            ms_end_lanes_mve(&layer->end, 4, v * shape->channels + 1, 2, layer->c + 1, 2, count / 2);
        }
    }
}

/* Eight channels, all rows; x and y are at the first of them. */
MS_INLINE void ms_depthwise_group_mve(ms_channels_mve *layer, const uint8_t *x, uint8_t *y)
{
    const ms_small_conv_shape *shape = layer->shape;
    const int32_t span = layer->ring.span;
    int32_t there = 0; /* rows that have been read, borders included */
    for (int32_t h = 0; h < shape->out_height; h++, y += shape->out_width * shape->channels) {
        const int32_t first = h * shape->stride_h;
        for (there = there < first ? first : there; there < first + span; there++) {
            ms_ring_row_mve(x, layer->ring.rows + 8 * (there % span * layer->ring.columns), there - shape->pad_top, &layer->ring, shape);
        }
        ms_depthwise_outputs_mve(layer, y, first % span);
    }
}

static MS_ONCE void ms_small_depthwise_any_mve(const uint8_t *x, uint8_t *y, ms_channels_mve *layer)
{
    const ms_small_conv_shape *shape = layer->shape;
    layer->ring.rows = (uint8_t *)(layer + 1);
    layer->ring.span = (shape->kernel_h - 1) * shape->dilation_h + 1;
    layer->ring.columns = (shape->out_width - 1) * shape->stride_w + (shape->kernel_w - 1) * shape->dilation_w + 1;
    for (layer->c = 0; layer->c < shape->channels; layer->c += 8) {
        layer->ring.count = shape->channels - layer->c < 8 ? shape->channels - layer->c : 8;
        ms_depthwise_group_mve(layer, x + layer->c, y + layer->c);
        layer->w += 8 * shape->kernel_h * shape->kernel_w;
        layer->q += layer->q ? 16 : 0;
    }
}

MS_INLINE void ms_small_depthwise_of_mve(const uint8_t *x, const int8_t *w, uint8_t *y, ms_channels_mve *layer, const ms_small_conv_shape *shape,
                                         ms_small_stage stage)
{
    layer->w = w;
    layer->q = stage.q;
    layer->shape = shape;
    layer->stage = stage;
    ms_small_depthwise_any_mve(x, y, layer);
}

MS_INLINE void ms_small_depthwise_mve(const uint8_t *x, const int8_t *w, const int32_t *q, uint8_t *y, void *scratch,
                                      const ms_small_conv_shape *shape, const ms_line *line)
{
    ms_small_depthwise_of_mve(x, w, y, scratch, shape, (ms_small_stage){q, line, 0});
}

MS_INLINE void ms_small_depthwise_requant_mve(const uint8_t *x, const int8_t *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                              const ms_requant *q)
{
    ms_small_depthwise_of_mve(x, w, y, scratch, shape, (ms_small_stage){0, 0, q});
}

#endif
