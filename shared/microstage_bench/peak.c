/* The most int8 (or int16) multiply-accumulates per second that one core does: independent accumulators, operands in registers.
   Each function returns the multiply-accumulates of one call; `sink` keeps the compiler from dropping them. */
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ACCUMULATORS = 12, REPEATS = 4096 };

int32_t sink;

#if defined(__AVX512VNNI__)
int64_t peak_vpdpbusd_512(void) {
    __m512i sums[ACCUMULATORS], a = _mm512_set1_epi8((char)(sink + 1)), b = _mm512_set1_epi8((char)(sink + 2));
    for (int k = 0; k < ACCUMULATORS; k++) sums[k] = _mm512_set1_epi32(k);
    for (int i = 0; i < REPEATS; i++) {
#pragma GCC unroll 12
        for (int k = 0; k < ACCUMULATORS; k++) sums[k] = _mm512_dpbusd_epi32(sums[k], a, b);
        __asm__ volatile("" : "+v"(a));
    }
    for (int k = 1; k < ACCUMULATORS; k++) sums[0] = _mm512_add_epi32(sums[0], sums[k]);
    sink = _mm512_reduce_add_epi32(sums[0]) & 1;
    return (int64_t)ACCUMULATORS * REPEATS * 64;
}
#endif

#if defined(__AVX2__)
int64_t peak_pmaddwd_256(void) {
    __m256i sums[ACCUMULATORS], a = _mm256_set1_epi16((short)(sink + 1)), b = _mm256_set1_epi16((short)(sink + 2));
    for (int k = 0; k < ACCUMULATORS; k++) sums[k] = _mm256_set1_epi32(k);
    for (int i = 0; i < REPEATS; i++) {
#pragma GCC unroll 12
        for (int k = 0; k < ACCUMULATORS; k++) {
            sums[k] = _mm256_add_epi32(sums[k], _mm256_madd_epi16(a, b));
            __asm__ volatile("" : "+x"(a)); /* or one product would do for all */
        }
    }
    for (int k = 1; k < ACCUMULATORS; k++) sums[0] = _mm256_add_epi32(sums[0], sums[k]);
    sink = _mm256_extract_epi32(sums[0], 0) & 1;
    return (int64_t)ACCUMULATORS * REPEATS * 16;
}
#endif
