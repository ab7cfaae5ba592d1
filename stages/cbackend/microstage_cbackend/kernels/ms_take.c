/* ms_take: the values at given places along an axis.
 *
 * x       [outer][count][inner]   integers of x_t
 * places  [outer][keep][inner]    places 0..count - 1, of w_t
 * y       [outer][keep][inner]    integers of y_t; the range of x fits y_t
 */
#include "ms_kernels.h"

void ms_take(const x_t *x, const w_t *places, y_t *y, const ms_take_shape *shape)
{
    for (int32_t o = 0; o < shape->outer; o++) {
        for (int32_t k = 0; k < shape->keep; k++) {
            for (int32_t n = 0; n < shape->inner; n++) {
                const int32_t i = (o * shape->keep + k) * shape->inner + n;
                y[i] = (y_t)x[(o * shape->count + places[i]) * shape->inner + n];
            }
        }
    }
}
