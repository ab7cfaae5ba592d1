/* ms_linear: y[r][c] = stage(bias[c] + sum over d of x[r][d] * w[c][d]), exact.
 *
 * x  [rows][depth]      integers of x_t
 * w  [columns][depth]   constant integers of w_t
 * bias [columns]        integers of acc_t, or NULL
 * y  [rows][columns]    integers of y_t
 *
 * A point-wise convolution is this kernel with one row per pixel. The generator proved, from the ranges of x and the
 * weights, that every partial sum in any order fits acc_t.
 */
#include "ms_kernels.h"

void ms_linear(const x_t *x, const w_t *w, const acc_t *bias, const stage_t *stage, y_t *y, const ms_linear_shape *shape)
{
    for (int32_t r = 0; r < shape->rows; r++) {
        const x_t *row = x + r * shape->depth;
        for (int32_t c = 0; c < shape->columns; c++) {
            const w_t *column = w + c * shape->depth;
            acc_t sum = bias ? bias[c] : 0;
            for (int32_t d = 0; d < shape->depth; d++) {
                sum += (acc_t)row[d] * (acc_t)column[d];
            }
            y[r * shape->columns + c] = (y_t)finish(stage, c, sum);
        }
    }
}
