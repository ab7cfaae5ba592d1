/* ms_depthwise_u8 for AVX-512 VNNI, the bytes of 4 rows of a kernel's column are interleaved, 4 per channel,
 * so that vpdpbusd sums the column; packing to bytes puts the channels back in order.
 *
 * A vector holds 64 channels of a position or, of at most 32 channels, 2, 4 or 8 positions side by side, each in as many lanes as
 * the next of 8, 16 and 32; the packing repeats their weights through the 64 lanes. Lanes that no channel has are read and multiplied by 0.
 */
#ifndef MS_DEPTHWISE_U8_AVX512_H
#define MS_DEPTHWISE_U8_AVX512_H

/* The 64 bytes of one tap, for positions `column` apart when `width` < 64 bytes belong to each. */
MS_INLINE __m512i ms_tap_avx512(const uint8_t *x, int32_t width, int32_t column, __mmask64 lanes)
{
    if (width == column || width >= 64) {
        return _mm512_maskz_loadu_epi8(lanes, x);
    }
    if (width == 32) {
        return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const void *)x)), _mm256_loadu_si256((const void *)(x + column)), 1);
    }
    if (width == 16) {
        __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const void *)x));
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(x + column)), 1);
        v = _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(x + 2 * column)), 2);
        return _mm512_inserti32x4(v, _mm_loadu_si128((const void *)(x + 3 * column)), 3);
    }
    uint64_t part[8];
    MS_UNROLL
    for (int g = 0; g < 8; g++) {
        memcpy(&part[g], x + g * column, 8);
    }
    return _mm512_loadu_si512(part);
}

/* sums += up to 4 rows of one kernel column: byte 4 * c + i of vector v is row i of channel 16 * quarter + 4 * v + c. */
MS_INLINE void ms_column_avx512(__m512i *sums, const uint8_t *x, const int8_t *w, int32_t rows, int32_t width, __mmask64 lanes,
                                const ms_depthwise_u8_shape *shape)
{
    const __m512i none = _mm512_setzero_si512();
    const __m512i r0 = ms_tap_avx512(x, width, shape->x_column, lanes);
    const __m512i r1 = rows > 1 ? ms_tap_avx512(x + shape->tap_h, width, shape->x_column, lanes) : none;
    const __m512i r2 = rows > 2 ? ms_tap_avx512(x + 2 * shape->tap_h, width, shape->x_column, lanes) : none;
    const __m512i r3 = rows > 3 ? ms_tap_avx512(x + 3 * shape->tap_h, width, shape->x_column, lanes) : none;
    const __m512i low01 = _mm512_unpacklo_epi8(r0, r1), high01 = _mm512_unpackhi_epi8(r0, r1);
    const __m512i low23 = _mm512_unpacklo_epi8(r2, r3), high23 = _mm512_unpackhi_epi8(r2, r3);

    sums[0] = ms_dot_avx512(sums[0], _mm512_unpacklo_epi16(low01, low23), _mm512_loadu_si512(w));
    sums[1] = ms_dot_avx512(sums[1], _mm512_unpackhi_epi16(low01, low23), _mm512_loadu_si512(w + 64));
    sums[2] = ms_dot_avx512(sums[2], _mm512_unpacklo_epi16(high01, high23), _mm512_loadu_si512(w + 128));
    sums[3] = ms_dot_avx512(sums[3], _mm512_unpackhi_epi16(high01, high23), _mm512_loadu_si512(w + 192));
}

/* The multipliers and offsets of the 64 lanes, in the order of the four vectors of sums; lane l is channel c + l % width. */
MS_INLINE void ms_lanes_requant_avx512(ms_requant_avx512 *r, const ms_requant *q, int32_t c, int32_t width, int32_t channels)
{
    int32_t multiplier[64];
    int64_t offset[64], kink[64];
    for (int32_t v = 0; v < 4; v++) {
        for (int32_t i = 0; i < 16; i++) {
            const int32_t at = c + (16 * (i / 4) + 4 * v + i % 4) % width;
            multiplier[16 * v + i] = at < channels ? q->multiplier[at] : 0;
            offset[16 * v + i] = at < channels ? q->offset[at] : 0;
            kink[16 * v + i] = q->kink && at < channels ? q->kink[at] : 0;
        }
        const ms_requant lanes = {multiplier, offset, q->shift, q->low, q->high, 0, 0, q->flip, q->kink ? kink : 0, q->edge};
        r[v] = ms_load_requant_avx512(&lanes, 16 * v, 0xffff);
    }
}

#if defined MS_SMALL
enum { MS_DW_TILE = 1 };
#else
enum { MS_DW_TILE = 4 };
#endif

/* 64 results by the portable requantisation, for half-even rounding and small shifts. */
MS_INLINE void ms_plain_lanes_avx512(const __m512i *sums, uint8_t *y, int32_t c, int32_t width, __mmask64 lanes, const ms_depthwise_u8_shape *shape,
                                     const ms_requant *q)
{
    int32_t found[4][16];
    MS_UNROLL
    for (int v = 0; v < 4; v++) {
        _mm512_storeu_si512(found[v], sums[v]);
    }
    MS_ROLLED
    for (int32_t i = 0; i < 64; i++) {
        if (lanes >> i & 1 && c + i % width < shape->channels) {
            y[i / width * shape->y_column + i % width] = ms_requantise(found[i / 4 % 4][4 * (i / 16) + i % 4], c + i % width, q);
        }
    }
}

/* The channels of 64 / width positions, which lie y_column apart. */
MS_INLINE void ms_store_apart_avx512(__m512i bytes, uint8_t *y, int32_t width, const ms_depthwise_u8_shape *shape)
{
    const __mmask32 channels = (__mmask32)(((uint64_t)1 << shape->channels) - 1);
    if (width == 32) {
        _mm256_mask_storeu_epi8(y, channels, _mm512_castsi512_si256(bytes));
        _mm256_mask_storeu_epi8(y + shape->y_column, channels, _mm512_extracti64x4_epi64(bytes, 1));
        return;
    }
    MS_UNROLL
    for (int32_t g = 0; g < 8; g++) {
        const __m128i low = _mm512_castsi512_si128(bytes);
        if (width == 8 || g % 2 == 0) {
            _mm_mask_storeu_epi8(y, (__mmask16)channels, low);
            y += shape->y_column;
        }
        bytes = _mm512_alignr_epi64(bytes, bytes, 1);
    }
}

/* `tile` vectors from x, `step` positions apart; lanes are the valid bytes of each, the first is channel c. */
MS_INLINE void ms_depthwise_tile_avx512(const uint8_t *x, const int8_t *w, uint8_t *y, const ms_requant_avx512 *r, int32_t c, int32_t width,
                                        int32_t step, __mmask64 lanes, const ms_depthwise_u8_shape *shape, const ms_requant *q, const int tile)
{
    __m512i sums[MS_DW_TILE][4];
    MS_UNROLL
    for (int t = 0; t < tile; t++) {
        MS_UNROLL
        for (int v = 0; v < 4; v++) {
            sums[t][v] = _mm512_setzero_si512();
        }
    }
    for (int32_t i = 0; i < shape->kernel_h; i += 4) {
        MS_UNROLL_4
        for (int32_t j = 0; j < shape->kernel_w; j++) {
            MS_UNROLL
            for (int t = 0; t < tile; t++) {
                const uint8_t *tap = x + t * step * shape->x_column + i * shape->tap_h + j * shape->tap_w;
                ms_column_avx512(sums[t], tap, w + 256 * (i / 4 * shape->kernel_w + j), shape->kernel_h - i, width, lanes, shape);
            }
        }
    }
    MS_UNROLL
    for (int t = 0; t < tile; t++) {
        uint8_t *to = y + t * step * shape->y_column;
        if (q->even || q->shift < 32) {
            ms_plain_lanes_avx512(sums[t], to, c, width, lanes, shape, q);
            continue;
        }
        MS_UNROLL
        for (int v = 0; v < 4; v++) {
            sums[t][v] = ms_scale_avx512(sums[t][v], &r[v], q);
        }
        const __m512i bytes = ms_pack_avx512(sums[t][0], sums[t][1], sums[t][2], sums[t][3], q);
        if (step == 1 || width == shape->y_column) {
            _mm512_mask_storeu_epi8(to, lanes, bytes);
        } else {
            ms_store_apart_avx512(bytes, to, width, shape);
        }
    }
}

/* One row of positions for the lanes of one block of channels. */
MS_INLINE void ms_depthwise_row_avx512(const uint8_t *x, const int8_t *w, uint8_t *y, const ms_requant_avx512 *r, int32_t c, int32_t width,
                                       int32_t step, __mmask64 lanes, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    const int32_t most = shape->out_width, whole = MS_DW_TILE * step;
    int32_t p = 0;
    for (; p + whole <= most; p += whole) {
        ms_depthwise_tile_avx512(x + p * shape->x_column, w, y + p * shape->y_column, r, c, width, step, lanes, shape, q, MS_DW_TILE);
    }
    for (; p < most; p += step) {
        const int32_t at = p + step <= most ? p : most - step;
        ms_depthwise_tile_avx512(x + at * shape->x_column, w, y + at * shape->y_column, r, c, width, step, lanes, shape, q, 1);
    }
}

MS_INLINE void ms_depthwise_u8_avx512(const uint8_t *x, const int8_t *w, uint8_t *y, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    const int32_t channels = shape->channels, blocks = (shape->kernel_h + 3) / 4 * shape->kernel_w * 256;
    const int32_t lanes_each = channels <= 8 ? 8 : channels <= 16 ? 16 : 32;
    const int narrow = channels <= 32 && shape->out_width >= 64 / lanes_each;
    const int32_t width = narrow ? lanes_each : 64, step = narrow ? 64 / lanes_each : 1;

    for (int32_t c = 0; c < channels; c += 64, w += blocks) {
        const int32_t left = channels - c;
        const __mmask64 lanes = narrow || left >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
        ms_requant_avx512 r[4];
        ms_lanes_requant_avx512(r, q, c, width, channels);
        for (int32_t h = 0; h < shape->out_height; h++) {
            ms_depthwise_row_avx512(x + h * shape->x_row + c, w, y + h * shape->y_row + c, r, c, width, step, lanes, shape, q);
        }
    }
}

#endif
