/* ms_avx512.h: what the AVX-512 VNNI kernels share: the dot product, requantisation, packing to bytes. */
#ifndef MS_AVX512_H
#define MS_AVX512_H

/* sums + 4 products per lane. gcc 12 would copy every sum at every step and load the weights once per use. */
MS_INLINE __m512i ms_dot_avx512(__m512i sums, __m512i bytes, __m512i weights)
{
#if defined __GNUC__ && !defined __clang__
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(bytes), "v"(weights));
    return sums;
#else
    return _mm512_dpbusd_epi32(sums, bytes, weights);
#endif
}

/* The same for half as many lanes. */
MS_INLINE __m256i ms_half_dot_avx512(__m256i sums, __m256i bytes, __m256i weights)
{
#if defined __GNUC__ && !defined __clang__
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(bytes), "v"(weights));
    return sums;
#else
    return _mm256_dpbusd_epi32(sums, bytes, weights);
#endif
}

/* clamp(high half of (a * multiplier + offset - kink) >> (shift - 32)), 16 filters from f; needs shift >= 32 and no even rounding. */
typedef struct { __m512i even, odd, offset_even, offset_odd, kink_even, kink_odd; } ms_requant_avx512;

/* 16 of `values` from f: those of even and of odd filters. */
MS_INLINE void ms_load_pairs_avx512(__m512i *even, __m512i *odd, const int64_t *values, int32_t f, __mmask16 filters)
{
    const __m512i evens = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), odds = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    const __m512i low = _mm512_maskz_loadu_epi64((__mmask8)filters, values + f);
    const __m512i high = filters >> 8 ? _mm512_maskz_loadu_epi64((__mmask8)(filters >> 8), values + f + 8) : _mm512_setzero_si512();
    *even = _mm512_permutex2var_epi64(low, evens, high);
    *odd = _mm512_permutex2var_epi64(low, odds, high);
}

MS_INLINE ms_requant_avx512 ms_load_requant_avx512(const ms_requant *q, int32_t f, __mmask16 filters)
{
    ms_requant_avx512 r;
    r.even = _mm512_maskz_loadu_epi32(filters, q->multiplier + f);
    r.odd = _mm512_srli_epi64(r.even, 32);
    ms_load_pairs_avx512(&r.offset_even, &r.offset_odd, q->offset, f, filters);
    r.kink_even = r.kink_odd = _mm512_setzero_si512();
    if (q->kink) {
        ms_load_pairs_avx512(&r.kink_even, &r.kink_odd, q->kink, f, filters);
    }
    return r;
}

/* sum * multiplier + offset of every second filter, less the kink where that is below the edge. */
MS_INLINE __m512i ms_line_avx512(__m512i sums, __m512i multiplier, __m512i offset, __m512i kink, const ms_requant *q)
{
    const __m512i value = _mm512_add_epi64(_mm512_mul_epi32(sums, multiplier), offset);
    return q->kink ? _mm512_mask_sub_epi64(value, _mm512_cmplt_epi64_mask(value, _mm512_set1_epi64(q->edge)), value, kink) : value;
}

MS_INLINE __m512i ms_scale_avx512(__m512i sums, const ms_requant_avx512 *r, const ms_requant *q)
{
    const __m512i even = ms_line_avx512(sums, r->even, r->offset_even, r->kink_even, q);
    const __m512i odd = ms_line_avx512(_mm512_srli_epi64(sums, 32), r->odd, r->offset_odd, r->kink_odd, q);
    const __m512i high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, (_MM_PERM_ENUM)0xf5);
    return q->shift > 32 ? _mm512_srai_epi32(high, (unsigned)(q->shift - 32)) : high;
}

/* 16 bytes of one vector of levels, clamped. */
MS_INLINE __m128i ms_bytes_avx512(__m512i levels, const ms_requant *q)
{
    levels = _mm512_max_epi32(levels, _mm512_set1_epi32(q->low));
    const __m128i bytes =
        q->high == 255 ? _mm512_cvtusepi32_epi8(levels) : _mm512_cvtepi32_epi8(_mm512_min_epi32(levels, _mm512_set1_epi32(q->high)));
    return q->flip ? _mm_xor_si128(bytes, _mm_set1_epi8((char)q->flip)) : bytes;
}

/* 64 bytes of four vectors of levels, clamped: of each vector in turn 4 bytes, from its first, second, third and fourth quarter. */
MS_INLINE __m512i ms_pack_avx512(__m512i a, __m512i b, __m512i c, __m512i d, const ms_requant *q)
{
    __m512i bytes = _mm512_packus_epi16(_mm512_packs_epi32(a, b), _mm512_packs_epi32(c, d));
    bytes = q->low > 0 ? _mm512_max_epu8(bytes, _mm512_set1_epi8((char)q->low)) : bytes;
    bytes = q->high < 255 ? _mm512_min_epu8(bytes, _mm512_set1_epi8((char)q->high)) : bytes;
    return q->flip ? _mm512_xor_si512(bytes, _mm512_set1_epi8((char)q->flip)) : bytes;
}

#endif
