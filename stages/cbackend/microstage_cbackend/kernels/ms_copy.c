/* ms_copy: moves a block of values: transpose, slice, split and concatenation are one walk with two sets of steps.
 *
 * x  integers of x_t, read from x_start with x_step
 * y  integers of y_t, written from y_start with y_step; the range of x fits y_t
 */
#include "ms_kernels.h"

void ms_copy(const x_t *x, y_t *y, const ms_copy_shape *shape)
{
    const int32_t *xs = shape->x_step, *ys = shape->y_step;

    for (int32_t a = 0; a < shape->size[0]; a++) {
        for (int32_t b = 0; b < shape->size[1]; b++) {
            for (int32_t c = 0; c < shape->size[2]; c++) {
                for (int32_t d = 0; d < shape->size[3]; d++) {
                    y[shape->y_start + a * ys[0] + b * ys[1] + c * ys[2] + d * ys[3]] =
                        (y_t)x[shape->x_start + a * xs[0] + b * xs[1] + c * xs[2] + d * xs[3]];
                }
            }
        }
    }
}
