/* ms_expand: integers of 1, 2 or 4 bits to one byte each.
 *
 * packed  the first integer in the lowest bits of the first byte; two's complement, but 1 bit means -1 (0) or +1 (1)
 */
#include "ms_kernels.h"

void ms_expand(const uint8_t *packed, int8_t *values, int32_t count, int32_t bits)
{
    const int32_t each = 8 / bits;
    const int32_t whole = count / each * each;

    if (bits == 4) {
        for (int32_t i = 0; i < whole / 2; i++) {
            values[2 * i] = (int8_t)((packed[i] & 15) ^ 8) - 8;
            values[2 * i + 1] = (int8_t)((packed[i] >> 4) ^ 8) - 8;
        }
    } else if (bits == 2) {
        for (int32_t i = 0; i < whole / 4; i++) {
            for (int32_t k = 0; k < 4; k++) {
                values[4 * i + k] = (int8_t)((packed[i] >> 2 * k & 3) ^ 2) - 2;
            }
        }
    } else {
        for (int32_t i = 0; i < whole / 8; i++) {
            for (int32_t k = 0; k < 8; k++) {
                values[8 * i + k] = (int8_t)(2 * (packed[i] >> k & 1)) - 1;
            }
        }
    }
    for (int32_t i = whole; i < count; i++) {
        const int32_t value = packed[i / each] >> i % each * bits & ((1 << bits) - 1);
        const int32_t half = 1 << (bits - 1);
        values[i] = (int8_t)(bits == 1 ? 2 * value - 1 : (value ^ half) - half);
    }
}
