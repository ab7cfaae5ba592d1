/* ms_small_average for Helium: the windows of four channels are summed at a time. */
#ifndef MS_SMALL_AVERAGE_MVE_H
#define MS_SMALL_AVERAGE_MVE_H

#include "ms_small.h"

/* The window of `count` channels, at most four. */
MS_INLINE void ms_average_window_mve(const uint8_t *x, uint8_t *y, int32_t count, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    const mve_pred16_t some = vctp32q((uint32_t)count);
    uint32x4_t sums = vdupq_n_u32(0);
    int32_t lanes[4];
    for (int32_t i = 0; i < shape->kernel_h; i++) {
        const uint8_t *tap = x + i * shape->tap_h;
        for (int32_t j = 0; j < shape->kernel_w; j++, tap += shape->tap_w) {
            sums = vaddq_u32(sums, vldrbq_z_u32(tap, some));
        }
    }
    vst1q_s32(lanes, vreinterpretq_s32_u32(sums));
    for (int32_t i = 0; i < count; i++) {
        y[i] = ms_requantise(lanes[i], 0, q);
    }
}

static MS_ONCE void ms_small_average_mve(const uint8_t *x, uint8_t *y, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            for (int32_t c = 0; c < shape->channels; c += 4) {
                const int32_t count = shape->channels - c < 4 ? shape->channels - c : 4;
                ms_average_window_mve(x + h * shape->x_row + v * shape->x_column + c, y + h * shape->y_row + v * shape->y_column + c, count,
                                      shape, q);
            }
        }
    }
}

#endif
