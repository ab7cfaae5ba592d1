/* ms_conv_u8 for AVX2: tiles of positions x 16 filters; vpdpbusd where the processor has AVX-VNNI, else vpmaddwd on even and odd bytes.
 *
 * A tile that would pass the end of a row is moved back and writes some results twice, so no position is left over.
 * Weights of fewer bits are used from the top of their bytes, so that sums are 2^(8 - bits) times too large until the end.
 */
#ifndef MS_CONV_U8_AVX2_H
#define MS_CONV_U8_AVX2_H

/* Field `part` of 32 packed weights, at the top of each byte. */
MS_INLINE __m256i ms_field_avx2(const int8_t *w, int32_t part, int32_t bits)
{
    const __m256i packed = _mm256_loadu_si256((const void *)w), field = _mm256_set1_epi8((char)(256 - (1 << (8 - bits))));
    return bits == 8 ? packed : _mm256_and_si256(_mm256_slli_epi16(packed, 8 - bits * (part + 1)), field);
}

#if defined MS_AVXVNNI
enum { MS_ROWS_AVX2 = 6 };
typedef struct { __m256i bytes; } ms_pairs_avx2;

MS_INLINE ms_pairs_avx2 ms_inputs_avx2(int32_t four) { return (ms_pairs_avx2){_mm256_set1_epi32(four)}; }

MS_INLINE ms_pairs_avx2 ms_weights_avx2(__m256i bytes) { return (ms_pairs_avx2){bytes}; }

MS_INLINE __m256i ms_dot_avx2(__m256i sums, ms_pairs_avx2 x, ms_pairs_avx2 w)
{
#if defined __clang__
    return _mm256_dpbusd_avx_epi32(sums, x.bytes, w.bytes);
#else /* gcc 12 would copy the sums and load the weights again */
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(x.bytes), "x"(w.bytes));
    return sums;
#endif
}
#else
enum { MS_ROWS_AVX2 = 4 };
typedef struct { __m256i even, odd; } ms_pairs_avx2;

MS_INLINE ms_pairs_avx2 ms_inputs_avx2(int32_t four)
{
    const __m256i bytes = _mm256_set1_epi32(four);
    return (ms_pairs_avx2){_mm256_and_si256(bytes, _mm256_set1_epi16(255)), _mm256_srli_epi16(bytes, 8)};
}

MS_INLINE ms_pairs_avx2 ms_weights_avx2(__m256i bytes)
{
    return (ms_pairs_avx2){_mm256_srai_epi16(_mm256_slli_epi16(bytes, 8), 8), _mm256_srai_epi16(bytes, 8)};
}

MS_INLINE __m256i ms_dot_avx2(__m256i sums, ms_pairs_avx2 x, ms_pairs_avx2 w)
{
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(x.even, w.even));
    return _mm256_add_epi32(sums, _mm256_madd_epi16(x.odd, w.odd));
}
#endif

typedef struct { __m256i even, odd, offset_even, offset_odd, kink_even, kink_odd; } ms_requant_avx2;

/* 8 of `values` from f: those of even and of odd filters. */
MS_INLINE void ms_load_pairs_avx2(__m256i *even, __m256i *odd, const int64_t *values, int32_t f)
{
    const __m256i low = _mm256_loadu_si256((const void *)(values + f)), high = _mm256_loadu_si256((const void *)(values + f + 4));
    *even = _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(low, high), 0xd8);
    *odd = _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(low, high), 0xd8);
}

MS_INLINE ms_requant_avx2 ms_load_requant_avx2(const ms_requant *q, int32_t f)
{
    ms_requant_avx2 r;
    r.even = _mm256_loadu_si256((const void *)(q->multiplier + f));
    r.odd = _mm256_srli_epi64(r.even, 32);
    ms_load_pairs_avx2(&r.offset_even, &r.offset_odd, q->offset, f);
    r.kink_even = r.kink_odd = _mm256_setzero_si256();
    if (q->kink) {
        ms_load_pairs_avx2(&r.kink_even, &r.kink_odd, q->kink, f);
    }
    return r;
}

/* sum * multiplier + offset of every second filter, less the kink where that is below the edge. */
MS_INLINE __m256i ms_line_avx2(__m256i sums, __m256i multiplier, __m256i offset, __m256i kink, const ms_requant *q)
{
    const __m256i value = _mm256_add_epi64(_mm256_mul_epi32(sums, multiplier), offset);
    return q->kink ? _mm256_sub_epi64(value, _mm256_and_si256(_mm256_cmpgt_epi64(_mm256_set1_epi64x(q->edge), value), kink)) : value;
}

/* high half of (sums * multiplier + offset - kink), shifted on: needs shift >= 32. */
MS_INLINE __m256i ms_scale_avx2(__m256i sums, const ms_requant_avx2 *r, const ms_requant *q)
{
    const __m256i even = ms_line_avx2(sums, r->even, r->offset_even, r->kink_even, q);
    const __m256i odd = ms_line_avx2(_mm256_srli_epi64(sums, 32), r->odd, r->offset_odd, r->kink_odd, q);
    return _mm256_srai_epi32(_mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa), q->shift - 32);
}

/* 16 bytes of two vectors of levels, clamped. */
MS_INLINE __m128i ms_bytes_avx2(__m256i a, __m256i b, const ms_requant *q)
{
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    const __m128i held = _mm_min_epu8(_mm_max_epu8(bytes, _mm_set1_epi8((char)q->low)), _mm_set1_epi8((char)q->high));
    return _mm_xor_si128(held, _mm_set1_epi8((char)q->flip));
}

/* `rows` positions from x, up to 16 filters from f; y as in ms_write_row. */
MS_INLINE void ms_conv_tile_avx2(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape,
                                 const ms_requant *q, const int rows)
{
    const int32_t bits = shape->bits, fields = 8 / bits, groups = (shape->length + 4 * fields - 1) / (4 * fields), left = shape->filters - f;
    __m256i sums[6][2];

    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        sums[i][0] = sums[i][1] = _mm256_set1_epi32(bits == 1 ? (int32_t)(64u * (uint32_t)ms_sum_patch(x + i * shape->x_column, shape)) : 0);
    }
    const ms_block block = ms_block_of(f, shape);
    w += block.start;
    for (int32_t a = 0; a < shape->runs_h; a++) {
        for (int32_t b = 0; b < shape->runs_w; b++) {
            const uint8_t *run = x + a * shape->run_h + b * shape->run_w;
            for (int32_t g = 0; g < groups; g++, w += block.step) {
                MS_UNROLL_4
                for (int32_t part = 0; part < fields; part++, run += 4) {
                    const ms_pairs_avx2 first = ms_weights_avx2(ms_field_avx2(w, part, bits));
                    const ms_pairs_avx2 second = ms_weights_avx2(ms_field_avx2(w + 32, part, bits));
                    MS_UNROLL
                    for (int i = 0; i < rows; i++) {
                        int32_t four;
                        memcpy(&four, run + i * shape->x_column, 4);
                        const ms_pairs_avx2 inputs = ms_inputs_avx2(four);
                        sums[i][0] = ms_dot_avx2(sums[i][0], inputs, first);
                        sums[i][1] = ms_dot_avx2(sums[i][1], inputs, second);
                    }
                }
            }
        }
    }
    if (bits < 8) {
        MS_UNROLL
        for (int i = 0; i < rows; i++) {
            sums[i][0] = _mm256_srai_epi32(sums[i][0], bits == 1 ? 6 : 8 - bits);
            sums[i][1] = _mm256_srai_epi32(sums[i][1], bits == 1 ? 6 : 8 - bits);
        }
    }
    if (!q || q->even || q->shift < 32 || left < 16) {
        int32_t found[6][16];
        MS_UNROLL
        for (int i = 0; i < rows; i++) {
            _mm256_storeu_si256((void *)found[i], sums[i][0]);
            _mm256_storeu_si256((void *)(found[i] + 8), sums[i][1]);
        }
        MS_ROLLED
        for (int i = 0; i < rows; i++) {
            ms_write_row(found[i], y, at + i * shape->y_column + f, f, left < 16 ? left : 16, q);
        }
        return;
    }
    const ms_requant_avx2 low = ms_load_requant_avx2(q, f), high = ms_load_requant_avx2(q, f + 8);
    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        const __m128i bytes = ms_bytes_avx2(ms_scale_avx2(sums[i][0], &low, q), ms_scale_avx2(sums[i][1], &high, q), q);
        _mm_storeu_si128((void *)((uint8_t *)y + at + i * shape->y_column + f), bytes);
    }
}

/* One row of `width` positions in tiles of `rows` (a constant of the caller). */
MS_INLINE void ms_conv_row_avx2(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape,
                                const ms_requant *q, int32_t width, const int rows)
{
    for (int32_t i = 0; i < width; i += rows) {
        const int32_t p = i + rows <= width ? i : width - rows;
        ms_conv_tile_avx2(x + p * shape->x_column, w, y, at + p * shape->y_column, f, shape, q, rows);
    }
}

/* Tiles of a height that is known or, where sizes are not constants, of the version that has it. */
MS_INLINE void ms_conv_rows_avx2(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape,
                                 const ms_requant *q, int32_t width, int32_t rows)
{
    if (MS_IS_CONSTANT(rows)) {
        ms_conv_row_avx2(x, w, y, at, f, shape, q, width, rows);
        return;
    }
    switch (rows) {
#define MS_CASE(n) case n: ms_conv_row_avx2(x, w, y, at, f, shape, q, width, n); break;
    MS_CASE(1)
    MS_CASE(2)
    MS_CASE(3)
#if defined MS_AVXVNNI
    MS_CASE(4)
    MS_CASE(5)
#endif
#undef MS_CASE
    default: ms_conv_row_avx2(x, w, y, at, f, shape, q, width, MS_ROWS_AVX2); break;
    }
}

MS_INLINE void ms_conv_u8_avx2(const uint8_t *x, const int8_t *w, void *y, void *scratch, const ms_conv_u8_shape *shape, const ms_requant *q)
{
    const int flat = shape->x_row == shape->out_width * shape->x_column && shape->y_row == shape->out_width * shape->y_column;
    const int32_t height = flat ? 1 : shape->out_height, width = flat ? shape->out_height * shape->out_width : shape->out_width;
    const int32_t tiles = (width + MS_ROWS_AVX2 - 1) / MS_ROWS_AVX2, rows = (width + tiles - 1) / tiles;

    (void)scratch;
    for (int32_t h = 0; h < height; h++, x += shape->x_row) {
        const int32_t at = h * shape->y_row;
        for (int32_t f = 0; f < shape->filters; f += 16) {
            ms_conv_rows_avx2(x, w, y, at, f, shape, q, width, rows);
        }
    }
}

#endif
