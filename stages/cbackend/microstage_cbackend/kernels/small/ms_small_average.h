/* ms_small_average: sums of windows for small machines, requantised; numbers and sizes are those of ms_average_u8. y is apart from x. */
#ifndef MS_SMALL_AVERAGE_H
#define MS_SMALL_AVERAGE_H

#include "ms_small.h"
#include "ms_depthwise_u8.h"

/* The sum of one channel of a window. */
MS_INLINE int32_t ms_small_window_c(const uint8_t *x, const ms_depthwise_u8_shape *shape)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < shape->kernel_h; i++, x += shape->tap_h) {
        const uint8_t *tap = x;
        for (int32_t j = 0; j < shape->kernel_w; j++, tap += shape->tap_w) {
            sum += *tap;
        }
    }
    return sum;
}

static inline void ms_small_average_c(const uint8_t *x, uint8_t *y, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            const uint8_t *window = x + h * shape->x_row + v * shape->x_column;
            uint8_t *to = y + h * shape->y_row + v * shape->y_column;
            for (int32_t c = 0; c < shape->channels; c++) {
                to[c] = ms_requantise(ms_small_window_c(window + c, shape), 0, q);
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
