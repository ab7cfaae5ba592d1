/* ms_average_u8: sums of windows, requantised: average pooling, global or sliding. All channels share q's first entry.
 *
 * x        channels last; the window of a position is a depthwise kernel without weights
 * y        channels last, apart from x
 *
 * A window of at most 2^23 bytes cannot overflow its sum.
 */
#ifndef MS_AVERAGE_U8_H
#define MS_AVERAGE_U8_H

#include "ms_fast.h"

enum { MS_AVERAGED = 64 };

MS_INLINE void ms_average_u8(const uint8_t *x, uint8_t *y, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    int32_t sums[MS_AVERAGED];

    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            const uint8_t *window = x + h * shape->x_row + v * shape->x_column;
            uint8_t *to = y + h * shape->y_row + v * shape->y_column;
            for (int32_t first = 0; first < shape->channels; first += MS_AVERAGED) {
                const int32_t count = shape->channels - first < MS_AVERAGED ? shape->channels - first : MS_AVERAGED;
                for (int32_t c = 0; c < count; c++) {
                    sums[c] = 0;
                }
                for (int32_t i = 0; i < shape->kernel_h; i++) {
                    for (int32_t j = 0; j < shape->kernel_w; j++) {
                        const uint8_t *tap = window + i * shape->tap_h + j * shape->tap_w + first;
                        for (int32_t c = 0; c < count; c++) {
                            sums[c] += tap[c];
                        }
                    }
                }
                for (int32_t c = 0; c < count; c++) {
                    to[first + c] = ms_requantise(sums[c], 0, q);
                }
            }
        }
    }
}

#endif
