/* ms_pack: signs as packed words.
 *
 * x  [rows][count]   bytes 0 or 1, or int8_t -1 or +1
 * y  [rows][words]   words of 64 signs, bit 1 where x > 0, unused bits 0
 */
#ifndef MS_PACK_H
#define MS_PACK_H

#include "ms_fast.h"

typedef struct { int32_t rows, count, words; } ms_pack_shape;

/* The bits of 4 bytes: a multiplication shifts each to its place among the upper four. */
MS_INLINE uint32_t ms_pack_4(const uint8_t *x)
{
#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t four;
    memcpy(&four, x, 4);
    return (four & ~(four >> 7) & 0x01010101u) * 0x10204080u >> 28;
#else
    return (uint32_t)(x[0] == 1) | (uint32_t)(x[1] == 1) << 1 | (uint32_t)(x[2] == 1) << 2 | (uint32_t)(x[3] == 1) << 3;
#endif
}

/* The word of 64 bytes. */
MS_INLINE uint64_t ms_pack_64(const uint8_t *x)
{
#if defined MS_AVX512VNNI
    return _mm512_cmpgt_epi8_mask(_mm512_loadu_si512(x), _mm512_setzero_si512());
#elif defined MS_AVX2
    const __m256i zero = _mm256_setzero_si256();
    const __m256i low = _mm256_loadu_si256((const void *)x), high = _mm256_loadu_si256((const void *)(x + 32));
    const uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(low, zero));
    return first | (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpgt_epi8(high, zero)) << 32;
#else
    uint32_t low = 0, high = 0;
    MS_UNROLL
    for (int32_t b = 0; b < 32; b += 4) {
        low |= ms_pack_4(x + b) << b;
        high |= ms_pack_4(x + 32 + b) << b;
    }
    return low | (uint64_t)high << 32;
#endif
}

MS_INLINE void ms_pack(const uint8_t *x, uint64_t *y, const ms_pack_shape *shape)
{
    for (int32_t r = 0; r < shape->rows; r++, x += shape->count) {
        for (int32_t n = 0; n < shape->words; n++) {
            const int32_t left = shape->count - 64 * n;
            uint64_t word = 0;
            if (left >= 64) {
                word = ms_pack_64(x + 64 * n);
            } else {
                for (int32_t b = 0; b < left; b++) {
                    word |= (uint64_t)(x[64 * n + b] == 1) << b;
                }
            }
            *y++ = word;
        }
    }
}

#endif
