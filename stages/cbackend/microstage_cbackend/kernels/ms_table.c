/* ms_table: y = table[x - low], a function of few integers.
 *
 * x  [count]            integers of x_t, from low on
 * table [values of x]   constant integers of w_t
 * y  [count]            integers of y_t
 */
#include "ms_kernels.h"

void ms_table(const x_t *x, const w_t *table, y_t *y, const ms_table_shape *shape)
{
    for (int32_t i = 0; i < shape->count; i++) {
        y[i] = (y_t)table[x[i] - shape->low];
    }
}
