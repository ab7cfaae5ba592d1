/* ms_conv_u8 for AArch64 with the dot product: tiles of up to 4 positions x 16 filters.
 *
 * Without the int8 matrix extension activations are made signed (minus 128); 128 times the sum of the weights goes back in.
 * Weights of fewer bits are used from the top of their bytes, so that sums are 2^(8 - bits) times too large until the end.
 */
#ifndef MS_CONV_U8_NEON_H
#define MS_CONV_U8_NEON_H

MS_INLINE int32x4_t ms_dot_neon(int32x4_t sums, uint8x16_t bytes, int8x16_t weights)
{
#if defined __ARM_FEATURE_MATMUL_INT8
    return vusdotq_s32(sums, bytes, weights);
#else
    return vdotq_s32(sums, vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(128))), weights);
#endif
}

/* Field `part` of 16 packed weights, at the top of each byte. */
MS_INLINE int8x16_t ms_field_neon(const int8_t *w, int32_t part, int32_t bits)
{
    const int8x16_t shifted = vshlq_s8(vld1q_s8(w), vdupq_n_s8((int8_t)(8 - bits * (part + 1))));
    return vandq_s8(shifted, vdupq_n_s8((int8_t)-(1 << (8 - bits))));
}

/* What the sums of 16 filters start from: 0, or 128 times the sum of the weights. */
MS_INLINE void ms_start_neon(int32x4_t *start, const int8_t *w, int32_t step, int32_t groups, int32_t bits)
{
    for (int v = 0; v < 4; v++) {
        start[v] = vdupq_n_s32(0);
    }
#if !defined __ARM_FEATURE_MATMUL_INT8
    for (int32_t g = 0; g < groups; g++) {
        for (int32_t part = 0; part < 8 / bits; part++) {
            for (int v = 0; v < 4; v++) {
                start[v] = vdotq_s32(start[v], vdupq_n_s8(64), ms_field_neon(w + step * g + 16 * v, part, bits));
            }
        }
    }
    for (int v = 0; v < 4; v++) {
        start[v] = vaddq_s32(start[v], start[v]);
    }
#else
    (void)w;
    (void)step;
    (void)groups;
    (void)bits;
#endif
}

MS_INLINE void ms_conv_tile_neon(const uint8_t *x, const int8_t *w, void *y, int32_t at, int32_t f, const int32x4_t *start,
                                 const ms_conv_u8_shape *shape, const ms_requant *q, const int rows)
{
    const int32_t bits = shape->bits, fields = 8 / bits, groups = (shape->length + 4 * fields - 1) / (4 * fields), left = shape->filters - f;
    const ms_block block = ms_block_of(f, shape);
    int32x4_t sums[4][4];

    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        const int32x4_t bytes = vdupq_n_s32(bits == 1 ? (int32_t)(64u * (uint32_t)ms_sum_patch(x + i * shape->x_column, shape)) : 0);
        MS_UNROLL
        for (int v = 0; v < 4; v++) {
            sums[i][v] = vaddq_s32(start[v], bytes);
        }
    }
    w += block.start;
    for (int32_t a = 0; a < shape->runs_h; a++) {
        for (int32_t b = 0; b < shape->runs_w; b++) {
            const uint8_t *run = x + a * shape->run_h + b * shape->run_w;
            for (int32_t g = 0; g < groups; g++, w += block.step) {
                MS_UNROLL_4
                for (int32_t part = 0; part < fields; part++, run += 4) {
                    const int8x16_t w0 = ms_field_neon(w, part, bits), w1 = ms_field_neon(w + 16, part, bits);
                    const int8x16_t w2 = ms_field_neon(w + 32, part, bits), w3 = ms_field_neon(w + 48, part, bits);
                    MS_UNROLL
                    for (int i = 0; i < rows; i++) {
                        uint32_t four;
                        memcpy(&four, run + i * shape->x_column, 4);
                        const uint8x16_t bytes = vreinterpretq_u8_u32(vdupq_n_u32(four));
                        sums[i][0] = ms_dot_neon(sums[i][0], bytes, w0);
                        sums[i][1] = ms_dot_neon(sums[i][1], bytes, w1);
                        sums[i][2] = ms_dot_neon(sums[i][2], bytes, w2);
                        sums[i][3] = ms_dot_neon(sums[i][3], bytes, w3);
                    }
                }
            }
        }
    }
    int32_t found[4][16];
    MS_UNROLL
    for (int i = 0; i < rows; i++) {
        MS_UNROLL
        for (int v = 0; v < 4; v++) {
            vst1q_s32(found[i] + 4 * v, vshlq_s32(sums[i][v], vdupq_n_s32(bits == 1 ? -6 : bits - 8)));
        }
    }
    MS_ROLLED
    for (int i = 0; i < rows; i++) {
        ms_write_row(found[i], y, at + i * shape->y_column + f, f, left < 16 ? left : 16, q);
    }
}

MS_INLINE void ms_conv_u8_neon(const uint8_t *x, const int8_t *w, void *y, void *scratch, const ms_conv_u8_shape *shape, const ms_requant *q)
{
    const int flat = shape->x_row == shape->out_width * shape->x_column && shape->y_row == shape->out_width * shape->y_column;
    const int32_t height = flat ? 1 : shape->out_height, width = flat ? shape->out_height * shape->out_width : shape->out_width;
    const int32_t inputs = 32 / shape->bits, groups = (shape->length + inputs - 1) / inputs * shape->runs_h * shape->runs_w;

    (void)scratch;
    for (int32_t f = 0; f < shape->filters; f += 16) {
        const ms_block block = ms_block_of(f, shape);
        int32x4_t start[4];
        ms_start_neon(start, w + block.start, block.step, groups, shape->bits);
        for (int32_t h = 0; h < height; h++) {
            const uint8_t *row = x + h * shape->x_row;
            int32_t p = 0, at = h * shape->y_row;
            for (; p + 4 <= width; p += 4) {
                ms_conv_tile_neon(row + p * shape->x_column, w, y, at + p * shape->y_column, f, start, shape, q, 4);
            }
            for (; p < width; p++) {
                ms_conv_tile_neon(row + p * shape->x_column, w, y, at + p * shape->y_column, f, start, shape, q, 1);
            }
        }
    }
}

#endif
