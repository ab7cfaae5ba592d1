/* ms_matmul: y[r][c] = sum over d of x[r][d] * w[d][c], exact.
 *
 * x  [rows][depth]     integers of x_t
 * w  [depth][columns]  constant integers of w_t
 * y  [rows][columns]   integers of y_t
 *
 * The generator proved, from the ranges of x and the weights, that every partial sum fits acc_t and every
 * result fits y_t.
 */
#include "ms_kernels.h"

void ms_matmul(const x_t *x, const w_t *w, y_t *y, const ms_matmul_shape *shape)
{
    for (int32_t r = 0; r < shape->rows; r++) {
        for (int32_t c = 0; c < shape->columns; c++) {
            acc_t sum = 0;
            for (int32_t d = 0; d < shape->depth; d++) {
                sum += (acc_t)x[r * shape->depth + d] * (acc_t)w[d * shape->columns + c];
            }
            y[r * shape->columns + c] = (y_t)sum;
        }
    }
}
