/* ms_small_average: sums of windows for small machines, requantised; numbers and sizes are those of ms_average_u8. y is apart from x. */
#ifndef MS_SMALL_AVERAGE_H
#define MS_SMALL_AVERAGE_H

#include "ms_small.h"
#include "ms_depthwise_u8.h"

enum { MS_SMALL_AVERAGED = 16 };

/* The windows of `count` channels. */
static inline void ms_small_average_channels_c(const uint8_t *x, uint8_t *y, int32_t count, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    int32_t sums[MS_SMALL_AVERAGED] = {0};
    for (int32_t i = 0; i < shape->kernel_h; i++) {
        for (int32_t j = 0; j < shape->kernel_w; j++) {
            const uint8_t *tap = x + i * shape->tap_h + j * shape->tap_w;
            for (int32_t c = 0; c < count; c++) {
                sums[c] += tap[c];
            }
        }
    }
    for (int32_t c = 0; c < count; c++) {
        y[c] = ms_requantise(sums[c], 0, q);
    }
}

static inline void ms_small_average_c(const uint8_t *x, uint8_t *y, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            for (int32_t first = 0; first < shape->channels; first += MS_SMALL_AVERAGED) {
                const int32_t left = shape->channels - first, count = left < MS_SMALL_AVERAGED ? left : MS_SMALL_AVERAGED;
                ms_small_average_channels_c(x + h * shape->x_row + v * shape->x_column + first,
                                            y + h * shape->y_row + v * shape->y_column + first, count, shape, q);
            }
        }
    }
}

#if defined MS_ARM_DSP
#include "ms_small_average_dsp.h"
#define MS_SMALL_AVERAGE ms_small_average_dsp
#elif defined MS_ARM_MVE
#include "ms_small_average_mve.h"
#define MS_SMALL_AVERAGE ms_small_average_mve
#else
#define MS_SMALL_AVERAGE ms_small_average_c
#endif
#define ms_small_average MS_SMALL_AVERAGE

#endif
