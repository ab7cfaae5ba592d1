/* ms_add_u8: y = clamp((a * multiplier_a + b * multiplier_b + offset) >> shift, low, high): a residual add of two scales.
 *
 * a, b, y  dense, `count` bytes; y may be a or b
 *
 * Every term and the sum fit int32_t (a sum that does not wraps), shift is 0..30 and 0 <= low <= high <= 255. Floor: offset as it is; half-up: offset
 * holds 2^(shift-1); half-even: half-up and even = 1, where a tie goes to the value that has the parity of zero.
 * What is stored is y ^ flip: with flip = 128 an int8_t of y - 128.
 */
#ifndef MS_ADD_U8_H
#define MS_ADD_U8_H

#include "ms_fast.h"

typedef struct { int32_t count, multiplier_a, multiplier_b, offset, shift, low, high, even, zero, flip; } ms_add_u8_shape;

/* The bytes from `first` on. */
MS_INLINE void ms_add_u8_c(const uint8_t *a, const uint8_t *b, uint8_t *y, int32_t first, const ms_add_u8_shape *shape)
{
    for (int32_t i = first; i < shape->count; i++) {
        const uint32_t terms = (uint32_t)(a[i] * shape->multiplier_a) + (uint32_t)(b[i] * shape->multiplier_b);
        const int32_t value = (int32_t)(terms + (uint32_t)shape->offset);
        int32_t level = value >> shape->shift;
        if (shape->even && shape->shift) {
            const int32_t tie = (value & (int32_t)(((uint32_t)1 << shape->shift) - 1)) == 0;
            level -= tie & (level ^ shape->zero) & 1;
        }
        level = level < shape->low ? shape->low : level;
        y[i] = (uint8_t)((level > shape->high ? shape->high : level) ^ shape->flip);
    }
}

#if defined MS_AVX512VNNI
/* The levels of 16 bytes, rounded down. */
MS_INLINE __m512i ms_add_16_avx512(const uint8_t *a, const uint8_t *b, const ms_add_u8_shape *shape)
{
    const __m512i left = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)a)), right = _mm512_cvtepu8_epi32(_mm_loadu_si128((const void *)b));
    const __m512i one = _mm512_mullo_epi32(left, _mm512_set1_epi32(shape->multiplier_a));
    const __m512i two = _mm512_mullo_epi32(right, _mm512_set1_epi32(shape->multiplier_b));
    return _mm512_srai_epi32(_mm512_add_epi32(_mm512_add_epi32(one, _mm512_set1_epi32(shape->offset)), two), (unsigned)shape->shift);
}

/* The bytes of whole vectors; returns how many. */
MS_INLINE int32_t ms_add_whole_avx512(const uint8_t *a, const uint8_t *b, uint8_t *y, const ms_add_u8_shape *shape)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const ms_requant q = {0, 0, shape->shift, shape->low, shape->high, 0, 0, shape->flip, 0, 0};
    int32_t i = 0;
    for (; i + 64 <= shape->count; i += 64) {
        const __m512i first = ms_add_16_avx512(a + i, b + i, shape), second = ms_add_16_avx512(a + i + 16, b + i + 16, shape);
        const __m512i third = ms_add_16_avx512(a + i + 32, b + i + 32, shape), fourth = ms_add_16_avx512(a + i + 48, b + i + 48, shape);
        _mm512_storeu_si512(y + i, _mm512_permutexvar_epi32(order, ms_pack_avx512(first, second, third, fourth, &q)));
    }
    return i;
}
#endif

MS_INLINE void ms_add_u8(const uint8_t *a, const uint8_t *b, uint8_t *y, const ms_add_u8_shape *shape)
{
    int32_t done = 0;
#if defined MS_AVX512VNNI
    done = shape->even ? 0 : ms_add_whole_avx512(a, b, y, shape);
#endif
    ms_add_u8_c(a, b, y, done, shape);
}

#endif
