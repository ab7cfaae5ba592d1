/* The most int8 (or int16) multiply-accumulates per second that one core does: independent accumulators, operands in registers.
   Each function returns the multiply-accumulates of one call; `sink` keeps the compiler from dropping them. Accumulators are
   variables, and a step is assembler, because compilers put an array of them, or one too many, into memory. */
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { ACCUMULATORS = 12, REPEATS = 4096 };
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)

int32_t sink;

#if defined(__AVX512VNNI__)
#define START(k) __m512i sum##k = _mm512_set1_epi32(k);
#define STEP(k) __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(sum##k) : "v"(one));
#define KEEP(k) sink = (sink + _mm512_reduce_add_epi32(sum##k)) & 1;
int64_t peak_vpdpbusd_512(void) {
    const __m512i one = _mm512_set1_epi8((char)(sink + 1));
    EACH(START)
    for (int i = 0; i < REPEATS; i++) {
        EACH(STEP)
    }
    EACH(KEEP)
    return (int64_t)ACCUMULATORS * REPEATS * 64;
}
#undef START
#undef STEP
#undef KEEP
#endif

#if defined(__AVX2__)
#define START(k) __m256i sum##k = _mm256_set1_epi32(k);
#define STEP(k) __asm__ volatile("vpmaddwd %1, %1, %%ymm15\n\tvpaddd %%ymm15, %0, %0" : "+x"(sum##k) : "x"(one) : "xmm15");
#define KEEP(k) sink = (sink + _mm256_extract_epi32(sum##k, 0)) & 1;
int64_t peak_pmaddwd_256(void) {
    const __m256i one = _mm256_set1_epi16((short)(sink + 1));
    EACH(START)
    for (int i = 0; i < REPEATS; i++) {
        EACH(STEP)
    }
    EACH(KEEP)
    return (int64_t)ACCUMULATORS * REPEATS * 16;
}
#endif
