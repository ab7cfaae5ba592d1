/* ms_gather: y[i] = x[places[i]], values that lie in no order that a few loops walk.
 *
 * x       integers of x_t
 * places  [count]   constants of w_t, each a place of x
 * y       [count]   integers of y_t; the range of x fits y_t
 */
#include "ms_kernels.h"

void ms_gather(const x_t *x, const w_t *places, y_t *y, const ms_gather_shape *shape)
{
    for (int32_t i = 0; i < shape->count; i++) {
        y[i] = (y_t)x[places[i]];
    }
}
