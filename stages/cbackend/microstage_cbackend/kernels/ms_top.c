/* ms_top: the places of the `keep` largest values, largest first, the lowest place first among equals, or the highest.
 *
 * x  [outer][count][inner]   integers of x_t
 * y  [outer][keep][inner]    places 0..count - 1, integers of y_t
 *
 * The order (value down, place up; with `last`, place down) is strict, so the next answer is the best of those that come after
 * the last one.
 */
#include "ms_kernels.h"

void ms_top(const x_t *x, y_t *y, const ms_top_shape *shape)
{
    for (int32_t o = 0; o < shape->outer; o++) {
        for (int32_t n = 0; n < shape->inner; n++) {
            const x_t *values = x + o * shape->count * shape->inner + n;
            int32_t last = -1;
            for (int32_t k = 0; k < shape->keep; k++) {
                int32_t best = -1;
                for (int32_t j = 0; j < shape->count; j++) {
                    const int32_t i = shape->last ? shape->count - 1 - j : j;
                    const x_t value = values[i * shape->inner];
                    const int after = last < 0 || value < values[last * shape->inner]
                                   || (value == values[last * shape->inner] && (shape->last ? i < last : i > last));
                    if (after && (best < 0 || value > values[best * shape->inner])) {
                        best = i;
                    }
                }
                last = best;
                y[(o * shape->keep + k) * shape->inner + n] = (y_t)best;
            }
        }
    }
}
