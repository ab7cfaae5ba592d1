/* ms_pack: the signs of integers as packed words.
 *
 * x  [rows][count]   integers of x_t
 * y  [rows][words]   words of 64 signs, bit 1 where x > 0, unused bits 0
 */
#include "ms_kernels.h"

void ms_pack(const x_t *x, uint64_t *y, const ms_pack_shape *shape)
{
    for (int32_t r = 0; r < shape->rows; r++) {
        for (int32_t n = 0; n < shape->words; n++) {
            const int32_t left = shape->count - 64 * n;
            uint64_t word = 0;
            for (int32_t b = 0; b < 64 && b < left; b++) {
                word |= (uint64_t)(x[r * shape->count + 64 * n + b] > 0) << b;
            }
            *y++ = word;
        }
    }
}
