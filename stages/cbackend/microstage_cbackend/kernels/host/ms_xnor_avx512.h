/* ms_xnor for AVX-512 VPOPCNTDQ: tiles of positions x up to 64 filters, a filter per lane.
 *
 * A tile that would pass the end of a row is moved back and writes some results twice, so no position is left over.
 */
#ifndef MS_XNOR_AVX512_H
#define MS_XNOR_AVX512_H

/* counts[i][v] = differing bits of position i and the 8 filters of vector v; both numbers are constants of the caller. */
MS_INLINE void ms_count_tile_avx512(const uint64_t *x, const uint64_t *w, __m512i (*counts)[8], const ms_conv_u8_shape *shape,
                                    const int rows, const int vectors)
{
    const int32_t block = 8 * shape->runs_h * shape->runs_w * shape->length;

    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        MS_UNROLL
        for (int v = 0; v < vectors; v++) {
            counts[i][v] = _mm512_setzero_si512();
        }
    }
    for (int32_t a = 0; a < shape->runs_h; a++) {
        for (int32_t b = 0; b < shape->runs_w; b++) {
            const uint64_t *run = x + a * shape->run_h + b * shape->run_w;
            MS_ROLLED
            for (int32_t k = 0; k < shape->length; k++, w += 8) {
                MS_UNROLL
                for (int v = 0; v < vectors; v++) {
                    const __m512i weights = _mm512_loadu_si512(w + v * block);
                    MS_UNROLL
                    for (int i = 0; i < rows; i++) {
                        const __m512i word = _mm512_set1_epi64((long long)run[i * shape->x_column + k]);
                        counts[i][v] = _mm512_add_epi64(counts[i][v], _mm512_popcnt_epi64(_mm512_xor_si512(word, weights)));
                    }
                }
            }
        }
    }
}

/* One tile from filter f on: its sums or, with limits, its bits. */
MS_INLINE void ms_xnor_tile_avx512(const uint64_t *x, const uint64_t *w, void *y, int32_t at, int32_t f, int32_t bits, const int32_t *limit,
                                   const ms_conv_u8_shape *shape, const int rows, const int vectors)
{
    const int32_t left = shape->filters - f;
    const __mmask8 filters = vectors > 1 || left >= 8 ? 0xff : (__mmask8)((1u << left) - 1);
    __m512i counts[2][8];

    ms_count_tile_avx512(x, w + f * (shape->runs_h * shape->runs_w * shape->length), counts, shape, rows, vectors);
    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        uint64_t word = 0;
        MS_UNROLL
        for (int v = 0; v < vectors; v++) {
            if (limit) {
                const __m512i limits = _mm512_cvtepi32_epi64(_mm256_maskz_loadu_epi32(filters, limit + f + 8 * v));
                word |= (uint64_t)_mm512_mask_cmple_epi64_mask(filters, counts[i][v], limits) << 8 * v;
            } else {
                const __m256i differing = _mm512_cvtepi64_epi32(counts[i][v]);
                const __m256i sums = _mm256_sub_epi32(_mm256_set1_epi32(bits), _mm256_add_epi32(differing, differing));
                _mm256_mask_storeu_epi32((int32_t *)y + at + i * shape->y_column + f + 8 * v, filters, sums);
            }
        }
        if (limit) {
            uint64_t *to = (uint64_t *)y + at + i * shape->y_column + f / 64;
            *to = (f % 64 ? *to & (((uint64_t)1 << f % 64) - 1) : 0) | word << f % 64;
        }
    }
}

/* All positions for the filters of one tile. */
MS_INLINE void ms_xnor_image_avx512(const uint64_t *x, const uint64_t *w, void *y, int32_t f, int32_t bits, const int32_t *limit,
                                    const ms_conv_u8_shape *shape, const int vectors)
{
    for (int32_t h = 0; h < shape->out_height; h++) {
        const uint64_t *row = x + h * shape->x_row;
        const int32_t at = h * shape->y_row, width = shape->out_width;
        for (int32_t i = 0; width > 1 && i < width; i += 2) {
            const int32_t p = i + 2 <= width ? i : width - 2;
            ms_xnor_tile_avx512(row + p * shape->x_column, w, y, at + p * shape->y_column, f, bits, limit, shape, 2, vectors);
        }
        if (width == 1) {
            ms_xnor_tile_avx512(row, w, y, at, f, bits, limit, shape, 1, vectors);
        }
    }
}

MS_INLINE void ms_xnor_avx512(const uint64_t *x, const uint64_t *w, void *y, int32_t bits, const int32_t *limit, const ms_conv_u8_shape *shape)
{
    int32_t f = 0;
    for (; f + 64 <= shape->filters; f += 64) {
        ms_xnor_image_avx512(x, w, y, f, bits, limit, shape, 8);
    }
    for (; f < shape->filters; f += 8) {
        ms_xnor_image_avx512(x, w, y, f, bits, limit, shape, 1);
    }
}

MS_INLINE void ms_xnor_sums_avx512(const uint64_t *x, const uint64_t *w, int32_t *y, int32_t bits, const ms_conv_u8_shape *shape)
{
    ms_xnor_avx512(x, w, y, bits, 0, shape);
}

MS_INLINE void ms_xnor_bits_avx512(const uint64_t *x, const uint64_t *w, uint64_t *y, const int32_t *limit, const ms_conv_u8_shape *shape)
{
    ms_xnor_avx512(x, w, y, 0, limit, shape);
}

#endif
