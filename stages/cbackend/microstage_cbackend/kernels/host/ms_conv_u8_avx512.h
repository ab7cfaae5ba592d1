/* ms_conv_u8 for AVX-512 VNNI: tiles of positions x filters in registers; vpdpbusd sums 4 products per lane.
 *
 * A tile is `rows` positions x (16 * vectors + 8 * half) filters. Its first `vectors` / 4 * 4 vectors lie together as pack_blocks
 * packs 64 filters, each of the others by itself; of a last vector with at most 8 filters, `half` alone is computed.
 * A tile that would pass the end of a row is moved back and writes some results twice, so no position is left over.
 * Weights of fewer bits are used from the top of their bytes, so that sums are 2^(8 - bits) times too large until the end.
 */
#ifndef MS_CONV_U8_AVX512_H
#define MS_CONV_U8_AVX512_H

enum { MS_VECTORS_AVX512 = 8, MS_ROWS_AVX512 = 16 };

/* Whether whole vectors are all that is computed: fewer versions of a tile. */
#if defined MS_SMALL
enum { MS_FEW = 1 };
#else
enum { MS_FEW = 0 };
#endif

/* Sums of one position: whole vectors, the last of them of 8 lanes where there is a half. */
typedef struct { __m512i of[MS_VECTORS_AVX512]; __m256i half; } ms_sums_avx512;

/* A number of bits, of the type that each compiler's header has for it. */
#ifdef __clang__
typedef unsigned int ms_bits_avx512;
#else
typedef int ms_bits_avx512;
#endif

/* Field `part` of packed weights, at the top of each byte. */
MS_INLINE __m512i ms_field_avx512(__m512i packed, int32_t part, int32_t bits)
{
    const __m512i field = _mm512_set1_epi8((char)(256 - (1 << (8 - bits))));
    return bits == 8 ? packed : _mm512_and_si512(_mm512_slli_epi16(packed, (ms_bits_avx512)(8 - bits * (part + 1))), field);
}

MS_INLINE __m256i ms_half_field_avx512(__m256i packed, int32_t part, int32_t bits)
{
    const __m256i field = _mm256_set1_epi8((char)(256 - (1 << (8 - bits))));
    return bits == 8 ? packed : _mm256_and_si256(_mm256_slli_epi16(packed, 8 - bits * (part + 1)), field);
}

MS_INLINE void ms_store_tile_avx512(ms_sums_avx512 *sums, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape, const ms_requant *q,
                                    const int rows, const int vectors, __mmask16 last)
{
    ms_requant_avx512 r[MS_VECTORS_AVX512];
    MS_UNROLL
    for (int v = 0; v < vectors; v++) {
        r[v] = ms_load_requant_avx512(q, f + 16 * v, v + 1 < vectors ? 0xffff : last);
    }
    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        uint8_t *to = (uint8_t *)y + at + i * shape->y_column + f;
        MS_UNROLL
        for (int v = 0; v < vectors; v++) {
            sums[i].of[v] = ms_scale_avx512(sums[i].of[v], &r[v], q);
        }
        const int whole = last == 0xffff ? vectors / 4 * 4 : (vectors - 1) / 4 * 4;
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        MS_UNROLL
        for (int v = 0; v < whole; v += 4) {
            const __m512i bytes = ms_pack_avx512(sums[i].of[v], sums[i].of[v + 1], sums[i].of[v + 2], sums[i].of[v + 3], q);
            _mm512_storeu_si512(to + 16 * v, _mm512_permutexvar_epi32(order, bytes));
        }
        MS_UNROLL
        for (int v = whole; v < vectors; v++) {
            _mm_mask_storeu_epi8(to + 16 * v, v + 1 < vectors ? 0xffff : last, ms_bytes_avx512(sums[i].of[v], q));
        }
    }
}

/* The sums themselves, or by the portable requantisation: half-even rounding, small shifts. */
MS_INLINE void ms_store_plain_avx512(const ms_sums_avx512 *sums, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape, const ms_requant *q,
                                     const int rows, const int vectors)
{
    const int32_t left = shape->filters - f, count = left < 16 * vectors ? left : 16 * vectors;
    int32_t found[MS_ROWS_AVX512][16 * MS_VECTORS_AVX512];
    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        MS_UNROLL
        for (int v = 0; v < vectors; v++) {
            _mm512_storeu_si512(found[i] + 16 * v, sums[i].of[v]);
        }
    }
    MS_ROLLED
    for (int i = 0; i < rows; i++) {
        ms_write_row(found[i], y, at + i * shape->y_column + f, f, count, q);
    }
}

/* sums of `rows` positions from x and of the filters from f. */
MS_INLINE void ms_sum_tile_avx512(const uint8_t *x, const int8_t *w, ms_sums_avx512 *sums, int32_t f, const ms_conv_u8_shape *shape,
                                  const int rows, const int vectors, const int half)
{
    const int32_t bits = shape->bits, fields = 8 / bits, groups = (shape->length + 4 * fields - 1) / (4 * fields);
    const int32_t depth = 4 * groups * shape->runs_h * shape->runs_w;
    const int together = vectors / 4 * 4;
    const int8_t *blocks = w + f * depth, *apart = blocks + 16 * together * depth;

    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        const int32_t start = bits == 1 ? (int32_t)(64u * (uint32_t)ms_sum_patch(x + i * shape->x_column, shape)) : 0;
        MS_UNROLL
        for (int v = 0; v < vectors; v++) {
            sums[i].of[v] = _mm512_set1_epi32(start);
        }
        sums[i].half = _mm256_set1_epi32(start);
    }
    for (int32_t a = 0; a < shape->runs_h; a++) {
        for (int32_t b = 0; b < shape->runs_w; b++) {
            const uint8_t *run = x + a * shape->run_h + b * shape->run_w;
            for (int32_t g = 0; g < groups; g++, blocks += 256, apart += 64) {
                MS_UNROLL_4
                for (int32_t part = 0; part < fields; part++, run += 4) {
                    __m512i weights[MS_VECTORS_AVX512];
                    __m256i narrow = _mm256_setzero_si256();
                    MS_UNROLL
                    for (int v = 0; v < vectors; v++) {
                        const int8_t *from = v < together ? blocks + v / 4 * 64 * depth + v % 4 * 64 : apart + (v - together) * 16 * depth;
                        weights[v] = ms_field_avx512(_mm512_loadu_si512(from), part, bits);
                    }
                    if (half) {
                        narrow = ms_half_field_avx512(_mm256_loadu_si256((const void *)(apart + (vectors - together) * 16 * depth)), part, bits);
                    }
                    MS_UNROLL
                    for (int i = 0; i < rows; i++) {
                        int32_t four;
                        memcpy(&four, run + i * shape->x_column, 4);
                        const __m512i inputs = _mm512_set1_epi32(four);
                        MS_UNROLL
                        for (int v = 0; v < vectors; v++) {
                            sums[i].of[v] = ms_dot_avx512(sums[i].of[v], inputs, weights[v]);
                        }
                        if (half) {
                            sums[i].half = ms_half_dot_avx512(sums[i].half, _mm512_castsi512_si256(inputs), narrow);
                        }
                    }
                }
            }
        }
    }
}

/* One tile from filter f on; rows, vectors and half are constants of the caller. */
MS_INLINE void ms_conv_tile_avx512(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape, const ms_requant *q,
                                   const int rows, const int vectors, const int half)
{
    const int32_t bits = shape->bits, all = vectors + half, left = shape->filters - f;
    const __mmask16 last = left >= 16 * all ? 0xffff : (__mmask16)((1u << (left - 16 * (all - 1))) - 1);
    ms_sums_avx512 sums[MS_ROWS_AVX512];

    ms_sum_tile_avx512(x, w, sums, f, shape, rows, vectors, half);
    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        if (half) {
            sums[i].of[vectors] = _mm512_castsi256_si512(sums[i].half);
        }
        MS_UNROLL
        for (int v = 0; v < all; v++) {
            sums[i].of[v] = bits < 8 ? _mm512_srai_epi32(sums[i].of[v], bits == 1 ? 6 : (unsigned)(8 - bits)) : sums[i].of[v];
        }
    }
    if (!q || q->even || q->shift < 32) {
        ms_store_plain_avx512(sums, y, at, f, shape, q, rows, all);
    } else {
        ms_store_tile_avx512(sums, y, at, f, shape, q, rows, all, last);
    }
}

/* One row of `width` positions in tiles of `rows`, the last one moved back to the row's end. */
MS_INLINE void ms_conv_row_avx512(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape, const ms_requant *q,
                                  int32_t width, const int rows, const int vectors, const int half)
{
    for (int32_t i = 0; i < width; i += rows) {
        const int32_t p = i + rows <= width ? i : width - rows;
        ms_conv_tile_avx512(x + p * shape->x_column, w, y, at + p * shape->y_column, f, shape, q, rows, vectors, half);
    }
}

/* The height of at most `most` with which tiles of n vectors take the fewest steps to cover a row. */
MS_INLINE int ms_height_avx512(int32_t width, const int most, const int n)
{
    int best = 1;
#define MS_STEPS(rows) ((width + (rows) - 1) / (rows) * ((rows) * n + 1))
#define MS_TRY(rows) best = (rows) <= most && MS_STEPS(rows) <= MS_STEPS(best) ? (rows) : best;
    MS_TRY(2) MS_TRY(3) MS_TRY(4) MS_TRY(5) MS_TRY(6) MS_TRY(7) MS_TRY(8) MS_TRY(9)
    MS_TRY(10) MS_TRY(11) MS_TRY(12) MS_TRY(13) MS_TRY(14) MS_TRY(15) MS_TRY(16)
#undef MS_TRY
#undef MS_STEPS
    return best <= width ? best : width;
}

/* Tiles of one height; of the two that there are where sizes are not constants or, of few tiles, of the nearest of four. */
MS_INLINE void ms_conv_rows_avx512(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape,
                                   const ms_requant *q, int32_t width, const int most, const int vectors, const int half)
{
    const int height = ms_height_avx512(width, most, vectors + half);
    if (MS_IS_CONSTANT(width)) {
        ms_conv_row_avx512(x, w, y, at, f, shape, q, width, height, vectors, half);
    } else if (MS_FEW ? height == most : width >= most) {
        ms_conv_row_avx512(x, w, y, at, f, shape, q, width, most, vectors, half);
    } else if (MS_FEW && most > 8 && height >= 8) {
        ms_conv_row_avx512(x, w, y, at, f, shape, q, width, 8, vectors, half);
    } else if (MS_FEW && height >= 4) {
        ms_conv_row_avx512(x, w, y, at, f, shape, q, width, 4, vectors, half);
    } else {
        ms_conv_row_avx512(x, w, y, at, f, shape, q, width, 1, vectors, half);
    }
}

/* The last filters from f on: fewer than 64, packed by 16, or 64 and at most 16 more. */
MS_INLINE void ms_conv_last_avx512(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const ms_conv_u8_shape *shape,
                                   const ms_requant *q, int32_t width)
{
    for (; MS_FEW && f < shape->filters; f += 16) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 16, 1, 0);
    }
    if (!MS_FEW && shape->filters - f > 48 && shape->filters - f < 64) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 12, 2, 0);
        f += 32;
    }
    const int32_t left = MS_FEW ? 0 : shape->filters - f;
    if (left > 72) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 5, 5, 0);
    } else if (left > 64) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 5, 4, 1);
    } else if (left > 40) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 8, 3, 0);
    } else if (left > 32) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 8, 2, 1);
    } else if (left > 24) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 12, 2, 0);
    } else if (left > 16) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 12, 1, 1);
    } else if (left > 8) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 16, 1, 0);
    } else if (left > 0) {
        ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 16, 0, 1);
    }
}

MS_INLINE void ms_conv_u8_avx512(const uint8_t *x, const int8_t *w, void *y, void *scratch, const ms_conv_u8_shape *shape, const ms_requant *q)
{
    const int flat = shape->x_row == shape->out_width * shape->x_column && shape->y_row == shape->out_width * shape->y_column;
    const int32_t height = flat ? 1 : shape->out_height, width = flat ? shape->out_height * shape->out_width : shape->out_width;
    const int32_t more = shape->filters % 64, five = more > 0 && more <= 16 && shape->filters > 64 && !MS_FEW;
    const int32_t blocks = shape->filters - more - (five ? 64 : 0);

    (void)scratch;
    for (int32_t h = 0; h < height; h++, x += shape->x_row) {
        const int32_t at = h * shape->y_row;
        int32_t f = 0;
        /* one position: weights of 8 bits take as long to come as to be used, those of fewer wait for one another in one block alone */
        for (; width == 1 && shape->bits < 8 && f + 128 <= blocks; f += 128) {
            ms_conv_tile_avx512(x, w, y, at, f, shape, q, 1, 8, 0);
        }
        for (; f < blocks; f += 64) {
            ms_conv_rows_avx512(x, w, y, at, f, shape, q, width, 6, 4, 0);
        }
        ms_conv_last_avx512(x, w, y, at, f, shape, q, width);
    }
}

#endif
