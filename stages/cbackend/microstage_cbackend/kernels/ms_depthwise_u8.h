/* ms_depthwise_u8: one filter per channel, uint8 activations x int8 weights, requantised to uint8.
 *
 * x        channels last
 * w        MS_DEPTHWISE_BLOCKED 1: pack_depthwise_blocks(...); 0: [kernel_h][kernel_w][channels]
 * y        channels last, apart from x
 *
 * At most 256 channels per call in the portable form's inner buffer are summed at once; any number works.
 * The generator proved that every partial sum fits int32_t.
 */
#ifndef MS_DEPTHWISE_U8_H
#define MS_DEPTHWISE_U8_H

#include "ms_fast.h"

enum { MS_CHANNELS = 256 };

/* sums of 3 x 3 taps: a product of uint8 and int8 fits int16_t, so that twice as many lanes multiply at once. */
MS_INLINE void ms_sum_taps_3x3(const uint8_t *MS_RESTRICT x, const int8_t *MS_RESTRICT w, int32_t *MS_RESTRICT sums, int32_t count,
                               const ms_depthwise_u8_shape *shape)
{
    const int32_t row = shape->tap_h, column = shape->tap_w, next = shape->channels;
    const uint8_t *x0 = x, *x1 = x + row, *x2 = x + 2 * row;
    for (int32_t c = 0; c < count; c++) {
        int32_t sum = (int16_t)(x0[c] * w[c]);
        sum += (int16_t)(x0[c + column] * w[c + next]);
        sum += (int16_t)(x0[c + 2 * column] * w[c + 2 * next]);
        sum += (int16_t)(x1[c] * w[c + 3 * next]);
        sum += (int16_t)(x1[c + column] * w[c + 4 * next]);
        sum += (int16_t)(x1[c + 2 * column] * w[c + 5 * next]);
        sum += (int16_t)(x2[c] * w[c + 6 * next]);
        sum += (int16_t)(x2[c + column] * w[c + 7 * next]);
        sum += (int16_t)(x2[c + 2 * column] * w[c + 8 * next]);
        sums[c] = sum;
    }
}

MS_INLINE void ms_sum_taps(const uint8_t *MS_RESTRICT x, const int8_t *MS_RESTRICT w, int32_t *MS_RESTRICT sums, int32_t count,
                           const ms_depthwise_u8_shape *shape)
{
    for (int32_t c = 0; c < count; c++) {
        sums[c] = 0;
    }
    for (int32_t i = 0; i < shape->kernel_h; i++) {
        for (int32_t j = 0; j < shape->kernel_w; j++) {
            const uint8_t *tap = x + i * shape->tap_h + j * shape->tap_w;
            const int8_t *row = w + (i * shape->kernel_w + j) * shape->channels;
            for (int32_t c = 0; c < count; c++) {
                sums[c] += (int16_t)(tap[c] * row[c]);
            }
        }
    }
}

MS_INLINE void ms_depthwise_u8_c(const uint8_t *x, const int8_t *w, uint8_t *y, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    int32_t sums[MS_CHANNELS];

    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            const uint8_t *from = x + h * shape->x_row + v * shape->x_column;
            uint8_t *to = y + h * shape->y_row + v * shape->y_column;
            for (int32_t c = 0; c < shape->channels; c += MS_CHANNELS) {
                const int32_t count = shape->channels - c < MS_CHANNELS ? shape->channels - c : MS_CHANNELS;
                if (shape->kernel_h == 3 && shape->kernel_w == 3) {
                    ms_sum_taps_3x3(from + c, w + c, sums, count, shape);
                } else {
                    ms_sum_taps(from + c, w + c, sums, count, shape);
                }
                ms_requantise_row(sums, to + c, c, count, q);
            }
        }
    }
}

#if defined MS_AVX512VNNI
#include "host/ms_depthwise_u8_avx512.h"
#define ms_depthwise_u8 ms_depthwise_u8_avx512
#define MS_DEPTHWISE_BLOCKED 1
#else
#define ms_depthwise_u8 ms_depthwise_u8_c
#define MS_DEPTHWISE_BLOCKED 0
#endif

#endif
