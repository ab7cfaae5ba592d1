/* ms_blend: stage(x_multiplier * x + w_multiplier * w), the sum of two tensors of different scales; a step of 0 repeats.
 *
 * x  integers of x_t, walked with x_step    w  integers of w_t, walked with w_step    y  [size 0]...[size 3] of y_t
 *
 * The generator compared the result with the network's own at every pair of integers that the ranges allow.
 */
#include "ms_kernels.h"

void ms_blend(const x_t *x, const w_t *w, const stage_t *stage, y_t *y, const ms_blend_shape *shape)
{
    const int32_t *xs = shape->x_step, *ws = shape->w_step;

    for (int32_t a = 0; a < shape->size[0]; a++) {
        for (int32_t b = 0; b < shape->size[1]; b++) {
            for (int32_t c = 0; c < shape->size[2]; c++) {
                for (int32_t d = 0; d < shape->size[3]; d++) {
                    const acc_t left = x[a * xs[0] + b * xs[1] + c * xs[2] + d * xs[3]];
                    const acc_t right = w[a * ws[0] + b * ws[1] + c * ws[2] + d * ws[3]];
                    *y++ = (y_t)finish(stage, 0, left * (acc_t)shape->x_multiplier + right * (acc_t)shape->w_multiplier);
                }
            }
        }
    }
}
