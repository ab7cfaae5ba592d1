/* ms_linear_packed: ms_linear with weights of 1, 2 or 4 bits, expanded row by row.
 *
 * w    [columns] rows of whole bytes, ms_expand says in which order
 * row  [depth]   working memory for one expanded row of weights
 */
#include "ms_kernels.h"

void ms_linear_packed(const x_t *x, const uint8_t *w, const acc_t *bias, const stage_t *stage, int8_t *row, y_t *y,
                      const ms_linear_shape *shape, int32_t bits)
{
    const int32_t bytes = (shape->depth * bits + 7) / 8;

    for (int32_t c = 0; c < shape->columns; c++) {
        ms_expand(w + c * bytes, row, shape->depth, bits);
        for (int32_t r = 0; r < shape->rows; r++) {
            const x_t *values = x + r * shape->depth;
            acc_t sum = bias ? bias[c] : 0;
            for (int32_t d = 0; d < shape->depth; d++) {
                sum += (acc_t)values[d] * (acc_t)row[d];
            }
            y[r * shape->columns + c] = (y_t)finish(stage, c, sum);
        }
    }
}
