/* ms_count_thresholds: y = number of a channel's thresholds that x reaches (x >= t), without branches; for few levels.
 *
 * x  [positions][channels]   int32_t sums
 * t  [levels][channels]      int32_t (pack_thresholds), in any order, levels <= 255
 * y  [positions][channels]   uint8_t, 0..levels
 */
#ifndef MS_COUNT_THRESHOLDS_H
#define MS_COUNT_THRESHOLDS_H

#include "ms_fast.h"

enum { MS_COUNTED = 64 };

MS_INLINE void ms_count_thresholds(const int32_t *x, const int32_t *t, uint8_t *y, int32_t positions, int32_t channels, int32_t levels)
{
    int32_t reached[MS_COUNTED];

    for (int32_t p = 0; p < positions; p++) {
        for (int32_t first = 0; first < channels; first += MS_COUNTED) {
            const int32_t count = channels - first < MS_COUNTED ? channels - first : MS_COUNTED;
            const int32_t *sums = x + p * channels + first;
            for (int32_t c = 0; c < count; c++) {
                reached[c] = 0;
            }
            for (int32_t k = 0; k < levels; k++) {
                for (int32_t c = 0; c < count; c++) {
                    reached[c] += sums[c] >= t[k * channels + first + c];
                }
            }
            for (int32_t c = 0; c < count; c++) {
                y[p * channels + first + c] = (uint8_t)reached[c];
            }
        }
    }
}

#endif
