/* ms_unpack: weights of 2, 3 or 4 bits, two's complement, lowest bits first (pack_bits), as int8_t.
 *
 * packed  (count * bits + 7) / 8 bytes     w  `count` weights, count a multiple of 8
 */
#ifndef MS_UNPACK_H
#define MS_UNPACK_H

#include "ms_fast.h"

MS_INLINE void ms_unpack_4(const uint8_t *MS_RESTRICT packed, int8_t *MS_RESTRICT w, int32_t count)
{
    for (int32_t i = 0; i < count / 2; i++) {
        w[2 * i] = (int8_t)(((packed[i] & 15) ^ 8) - 8);
        w[2 * i + 1] = (int8_t)(((packed[i] >> 4) ^ 8) - 8);
    }
}

MS_INLINE void ms_unpack_2(const uint8_t *MS_RESTRICT packed, int8_t *MS_RESTRICT w, int32_t count)
{
    for (int32_t i = 0; i < count / 4; i++) {
        for (int32_t j = 0; j < 4; j++) {
            w[4 * i + j] = (int8_t)(((packed[i] >> (2 * j) & 3) ^ 2) - 2);
        }
    }
}

MS_INLINE void ms_unpack_3(const uint8_t *MS_RESTRICT packed, int8_t *MS_RESTRICT w, int32_t count)
{
    for (int32_t i = 0; i < count / 8; i++) {
        const uint32_t eight = packed[3 * i] | (uint32_t)packed[3 * i + 1] << 8 | (uint32_t)packed[3 * i + 2] << 16;
        for (int32_t j = 0; j < 8; j++) {
            w[8 * i + j] = (int8_t)((int32_t)((eight >> (3 * j) & 7) ^ 4) - 4);
        }
    }
}

MS_INLINE void ms_unpack(const uint8_t *packed, int8_t *w, int32_t count, int32_t bits)
{
    if (bits == 4) {
        ms_unpack_4(packed, w, count);
    } else if (bits == 3) {
        ms_unpack_3(packed, w, count);
    } else {
        ms_unpack_2(packed, w, count);
    }
}

#endif
