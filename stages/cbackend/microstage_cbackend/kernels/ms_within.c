/* ms_within: 1 when all count values of x lie in low..high, both included; else 0. */
#include "ms_kernels.h"

int ms_within(const x_t *x, int32_t count, int32_t low, int32_t high)
{
    for (int32_t i = 0; i < count; i++) {
        if (x[i] < low || x[i] > high) {
            return 0;
        }
    }
    return 1;
}
