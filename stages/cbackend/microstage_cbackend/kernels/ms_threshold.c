/* ms_threshold: y = bias + scale * (number of thresholds that x reaches), a quantiser in integers.
 *
 * x  [outer][channels][inner]   integers of x_t
 * t  [channels][levels]         constant integers of w_t, ascending; x reaches t when x >= t
 * y  [outer][channels][inner]   integers of y_t, from bias to bias + scale * levels
 *
 * With rows == 1 all channels share one row of t.
 */
#include "ms_kernels.h"

void ms_threshold(const x_t *x, const w_t *t, y_t *y, const ms_threshold_shape *shape)
{
    for (int32_t o = 0; o < shape->outer; o++) {
        for (int32_t c = 0; c < shape->channels; c++) {
            const w_t *row = t + (shape->rows == 1 ? 0 : c * shape->levels);
            for (int32_t i = 0; i < shape->inner; i++, x++) {
                int32_t below = 0;
                int32_t above = shape->levels;
                while (below < above) {
                    const int32_t middle = below + (above - below) / 2;
                    if (*x >= row[middle]) {
                        below = middle + 1;
                    } else {
                        above = middle;
                    }
                }
                *y++ = (y_t)(shape->bias + shape->scale * below);
            }
        }
    }
}
