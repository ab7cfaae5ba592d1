/* ms_within: 1 when all count values of x lie in low..high, both included; else 0. low and high are values of x_t.
 * It looks at every value, so that compilers compare many at a time. */
#include "ms_kernels.h"

int ms_within(const x_t *x, int32_t count, int32_t low, int32_t high)
{
    const x_t first = (x_t)low, last = (x_t)high;
    x_t outside = 0;
    for (int32_t i = 0; i < count; i++) {
        outside = (x_t)(outside | (x[i] < first) | (x[i] > last));
    }
    return outside == 0;
}
