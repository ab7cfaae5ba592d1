/* ms_conv_u8 for AVX-512 VNNI: tiles of up to 16 positions x 16 filters in registers; vpdpbusd sums 4 products per lane.
 *
 * A tile that would pass the end of a row is moved back and writes some results twice, so no position is left over.
 * Weights of fewer bits are used from the top of their bytes, so that sums are 2^(8 - bits) times too large until the end.
 */
#ifndef MS_CONV_U8_AVX512_H
#define MS_CONV_U8_AVX512_H

enum { MS_VECTORS_AVX512 = 8 };

/* Field `part` of packed weights, at the top of each byte. */
MS_INLINE __m512i ms_field_avx512(__m512i packed, int32_t part, int32_t bits)
{
    const __m512i field = _mm512_set1_epi8((char)(256 - (1 << (8 - bits))));
    return bits == 8 ? packed : _mm512_and_si512(_mm512_slli_epi16(packed, 8 - bits * (part + 1)), field);
}

MS_INLINE void ms_store_tile_avx512(__m512i (*sums)[MS_VECTORS_AVX512], void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape, const ms_requant *q,
                                    const int rows, const int vectors, __mmask16 filters)
{
    ms_requant_avx512 r[MS_VECTORS_AVX512];
    MS_UNROLL
    for (int v = 0; v < vectors; v++) {
        r[v] = ms_load_requant_avx512(q, f + 16 * v, filters);
    }
    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        uint8_t *to = (uint8_t *)y + at + i * shape->y_column + f;
        MS_UNROLL
        for (int v = 0; v < vectors; v++) {
            sums[i][v] = ms_scale_avx512(sums[i][v], &r[v], q->shift);
        }
        if (vectors % 4 == 0) {
            const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
            MS_UNROLL
            for (int v = 0; v < vectors; v += 4) {
                const __m512i bytes = ms_pack_avx512(sums[i][v], sums[i][v + 1], sums[i][v + 2], sums[i][v + 3], q);
                _mm512_storeu_si512(to + 16 * v, _mm512_permutexvar_epi32(order, bytes));
            }
        } else {
            MS_UNROLL
            for (int v = 0; v < vectors; v++) {
                _mm_mask_storeu_epi8(to + 16 * v, filters, ms_bytes_avx512(sums[i][v], q));
            }
        }
    }
}

/* The sums themselves, or by the portable requantisation: half-even rounding, small shifts. */
MS_INLINE void ms_store_plain_avx512(__m512i (*sums)[MS_VECTORS_AVX512], void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape, const ms_requant *q,
                                     const int rows, const int vectors)
{
    const int32_t left = shape->filters - f, count = left < 16 * vectors ? left : 16 * vectors;
    int32_t found[16][16 * MS_VECTORS_AVX512];
    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        MS_UNROLL
        for (int v = 0; v < vectors; v++) {
            _mm512_storeu_si512(found[i] + 16 * v, sums[i][v]);
        }
    }
    MS_ROLLED
    for (int i = 0; i < rows; i++) {
        ms_write_row(found[i], y, at + i * shape->y_column + f, f, count, q);
    }
}

/* `rows` positions from x, 16 * vectors filters from f; both counts are constants of the caller. */
MS_INLINE void ms_conv_tile_avx512(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape, const ms_requant *q,
                                   const int rows, const int vectors)
{
    const int32_t bits = shape->bits, fields = 8 / bits, groups = (shape->length + 4 * fields - 1) / (4 * fields);
    const int32_t depth = 4 * groups * shape->runs_h * shape->runs_w, left = shape->filters - f;
    const int32_t step = vectors >= 4 ? 256 : 64, block = vectors >= 4 ? 64 : 16 * depth;
    const __mmask16 filters = vectors > 1 || left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
    __m512i sums[16][MS_VECTORS_AVX512];

    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        const __m512i start = _mm512_set1_epi32(bits == 1 ? 64 * ms_sum_patch(x + i * shape->x_column, shape) : 0);
        MS_UNROLL
        for (int v = 0; v < vectors; v++) {
            sums[i][v] = start;
        }
    }
    w += f * depth;
    for (int32_t a = 0; a < shape->runs_h; a++) {
        for (int32_t b = 0; b < shape->runs_w; b++) {
            const uint8_t *run = x + a * shape->run_h + b * shape->run_w;
            for (int32_t g = 0; g < groups; g++, w += step) {
                MS_UNROLL_4
                for (int32_t part = 0; part < fields; part++, run += 4) {
                    __m512i weights[MS_VECTORS_AVX512];
                    MS_UNROLL
                    for (int v = 0; v < vectors; v++) {
                        weights[v] = ms_field_avx512(_mm512_loadu_si512(w + v / 4 * 64 * depth + v % 4 * block), part, bits);
                    }
                    MS_UNROLL
                    for (int i = 0; i < rows; i++) {
                        int32_t four;
                        memcpy(&four, run + i * shape->x_column, 4);
                        const __m512i inputs = _mm512_set1_epi32(four);
                        MS_UNROLL
                        for (int v = 0; v < vectors; v++) {
                            sums[i][v] = ms_dot_avx512(sums[i][v], inputs, weights[v]);
                        }
                    }
                }
            }
        }
    }
    if (bits < 8) {
        MS_UNROLL
        for (int i = 0; i < rows; i++) {
            MS_UNROLL
            for (int v = 0; v < vectors; v++) {
                sums[i][v] = _mm512_srai_epi32(sums[i][v], bits == 1 ? 6 : (unsigned)(8 - bits));
            }
        }
    }
    if (!q || q->even || q->shift < 32) {
        ms_store_plain_avx512(sums, y, at, f, shape, q, rows, vectors);
    } else {
        ms_store_tile_avx512(sums, y, at, f, shape, q, rows, vectors, filters);
    }
}

/* One row of `width` positions in tiles of `rows`, the last one moved back to the row's end. */
MS_INLINE void ms_conv_row_avx512(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape, const ms_requant *q,
                                  int32_t width, const int rows, const int vectors)
{
    for (int32_t i = 0; i < width; i += rows) {
        const int32_t p = i + rows <= width ? i : width - rows;
        ms_conv_tile_avx512(x + p * shape->x_column, w, y, at + p * shape->y_column, f, shape, q, rows, vectors);
    }
}

/* Tiles of equal height, as few as `most` (a constant of the caller) allows, of one of eight heights; of two where sizes are not constants. */
MS_INLINE void ms_conv_rows_avx512(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape,
                                   const ms_requant *q, int32_t width, const int most, const int vectors)
{
    const int32_t tiles = (width + most - 1) / most, rows = (width + tiles - 1) / tiles;
#define MS_TRY(height) \
    if (height <= most && rows >= height) { \
        ms_conv_row_avx512(x, w, y, at, f, shape, q, width, height <= most ? height : 1, vectors); \
        return; \
    }
    if (!MS_IS_CONSTANT(rows)) {
        if (width >= most) {
            ms_conv_row_avx512(x, w, y, at, f, shape, q, width, most, vectors);
            return;
        }
    } else {
        MS_TRY(16) MS_TRY(12) MS_TRY(8) MS_TRY(6) MS_TRY(5) MS_TRY(4) MS_TRY(3) MS_TRY(2)
    }
#undef MS_TRY
    ms_conv_row_avx512(x, w, y, at, f, shape, q, width, 1, vectors);
}

MS_INLINE void ms_conv_u8_avx512(const uint8_t *x, const int8_t *w, void *y, void *scratch, const ms_conv_u8_shape *shape, const ms_requant *q)
{
    const int flat = shape->x_row == shape->out_width * shape->x_column && shape->y_row == shape->out_width * shape->y_column;
    const int32_t height = flat ? 1 : shape->out_height, width = flat ? shape->out_height * shape->out_width : shape->out_width;

    (void)scratch;
    for (int32_t h = 0; h < height; h++, x += shape->x_row) {
        const int32_t at = h * shape->y_row;
        int32_t f = 0;
        for (; width == 1 && f + 128 <= shape->filters; f += 128) {
            ms_conv_tile_avx512(x, w, y, at, f, shape, q, 1, 8);
        }
        for (; f + 64 <= shape->filters; f += 64) {
            ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 6, 4);
        }
        if (f + 32 <= shape->filters) {
            ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 12, 2);
            f += 32;
        }
        for (; f < shape->filters; f += 16) {
            ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 16, 1);
        }
    }
}

#endif
