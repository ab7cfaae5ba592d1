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

/* Channels from c on, with their weights and lines; q is null where the stage has no line. */
typedef struct {
    ms_ring_mve ring;
    const int8_t *w;
    const int32_t *q;
    const ms_small_conv_shape *shape;
    const ms_small_stage *stage;
    int32_t c;
} ms_channels_mve;

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

/* One row of outputs: `at` is that of channel c, `slot` that of the first row which they see. */
MS_INLINE void ms_depthwise_row_mve(const ms_channels_mve *layer, uint8_t *at, int32_t slot, const int three)
{
    const ms_small_conv_shape *shape = layer->shape;
    const int32_t stride = 8 * shape->stride_w, width = shape->out_width, channels = shape->channels, c = layer->c;
    const int32_t *q = layer->q;
    const int8_t *w = layer->w;
    const ms_ring_mve *ring = &layer->ring;
    const mve_pred16_t some = vctp16q((uint32_t)ring->count);
    const ms_end_mve end = ms_begin_end_mve(at, channels, layer->stage);
    const uint8_t *rows[3];
    for (int32_t i = 0; i < 3; i++) {
        rows[i] = ring->rows + 8 * ((slot + i * shape->dilation_h) % ring->span) * ring->columns;
    }
    for (int32_t v = 0, x = 0; v < width; v++, x += stride, at += channels) {
        ms_sums_mve sums = {vdupq_n_s32(0), vdupq_n_s32(0)};
        sums = three ? ms_window_3x3_mve(sums, rows, x, w) : ms_window_mve(sums, ring, slot, x, w, shape);
        if (q) {
            const int32x4_t even = ms_scale_mve(vmlaq_n_s32(vldrwq_s32(q), sums.even, end.scale), vldrwq_s32(q + 8), &end);
            const int32x4_t odd = ms_scale_mve(vmlaq_n_s32(vldrwq_s32(q + 4), sums.odd, end.scale), vldrwq_s32(q + 12), &end);
            vstrbq_p_u16(at, ms_held_mve(even, odd, &end), some);
        } else {
            ms_end_lanes_mve(sums.even, at, 0, 2, c, 2, (ring->count + 1) / 2, end.stage);
            ms_end_lanes_mve(sums.odd, at, 1, 2, c + 1, 2, ring->count / 2, end.stage);
        }
    }
}

static MS_ONCE void ms_depthwise_three_mve(const ms_channels_mve *layer, uint8_t *at, int32_t slot)
{
    ms_depthwise_row_mve(layer, at, slot, 1);
}

static MS_ONCE void ms_depthwise_other_mve(const ms_channels_mve *layer, uint8_t *at, int32_t slot)
{
    ms_depthwise_row_mve(layer, at, slot, 0);
}

/* Eight channels, all rows; x and y are at the first of them. */
MS_INLINE void ms_depthwise_group_mve(const ms_channels_mve *layer, const uint8_t *x, uint8_t *y)
{
    const ms_small_conv_shape *shape = layer->shape;
    const int three = shape->kernel_h == 3 && shape->kernel_w == 3 && shape->dilation_w == 1;
    const int32_t span = layer->ring.span;
    int32_t there = 0; /* rows that have been read, borders included */
    for (int32_t h = 0; h < shape->out_height; h++, y += shape->out_width * shape->channels) {
        const int32_t first = h * shape->stride_h;
        for (there = there < first ? first : there; there < first + span; there++) {
            ms_ring_row_mve(x, layer->ring.rows + 8 * (there % span * layer->ring.columns), there - shape->pad_top, &layer->ring, shape);
        }
        if (three) {
            ms_depthwise_three_mve(layer, y, first % span);
        } else {
            ms_depthwise_other_mve(layer, y, first % span);
        }
    }
}

static MS_ONCE void ms_small_depthwise_any_mve(const uint8_t *x, const int8_t *w, uint8_t *y, void *scratch,
                                               const ms_small_conv_shape *shape, const ms_small_stage *stage)
{
    const int32_t columns = (shape->out_width - 1) * shape->stride_w + (shape->kernel_w - 1) * shape->dilation_w + 1;
    ms_channels_mve layer = {{scratch, (shape->kernel_h - 1) * shape->dilation_h + 1, columns, 8}, w, stage->q, shape, stage, 0};
    for (; layer.c < shape->channels; layer.c += 8) {
        layer.ring.count = shape->channels - layer.c < 8 ? shape->channels - layer.c : 8;
        ms_depthwise_group_mve(&layer, x + layer.c, y + layer.c);
        layer.w += 8 * shape->kernel_h * shape->kernel_w;
        layer.q += layer.q ? 16 : 0;
    }
}

MS_INLINE void ms_small_depthwise_mve(const uint8_t *x, const int8_t *w, const int32_t *q, uint8_t *y, void *scratch,
                                      const ms_small_conv_shape *shape, const ms_line *line)
{
    const ms_small_stage stage = {q, line, 0};
    ms_small_depthwise_any_mve(x, w, y, scratch, shape, &stage);
}

MS_INLINE void ms_small_depthwise_requant_mve(const uint8_t *x, const int8_t *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                              const ms_requant *q)
{
    const ms_small_stage stage = {0, 0, q};
    ms_small_depthwise_any_mve(x, w, y, scratch, shape, &stage);
}

#endif
