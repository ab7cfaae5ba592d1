/* ms_conv_u8 for the Arm DSP extension (Cortex-M4, M7, M33): SMLAD, two products an instruction, two patches x two filters at once.
 *
 * SXTB16 makes weights 0, 2 and 1, 3 of a word into pairs; patches are gathered in that order.
 */
#ifndef MS_CONV_U8_DSP_H
#define MS_CONV_U8_DSP_H

typedef struct { int16x2_t even, odd; } ms_u8_pairs_dsp;

MS_INLINE ms_u8_pairs_dsp ms_u8_weights_dsp(const int8_t *w)
{
    uint32_t four;
    memcpy(&four, w, 4);
    return (ms_u8_pairs_dsp){__sxtb16((int8x4_t)four), __sxtb16((int8x4_t)(four >> 8 | four << 24))};
}

MS_INLINE ms_u8_pairs_dsp ms_u8_inputs_dsp(const int16_t *patch)
{
    ms_u8_pairs_dsp pairs;
    memcpy(&pairs.even, patch, 4);
    memcpy(&pairs.odd, patch + 2, 4);
    return pairs;
}

MS_INLINE int32_t ms_u8_dot_row_dsp(int32_t sum, ms_u8_pairs_dsp x, ms_u8_pairs_dsp w)
{
    return __smlad(x.odd, w.odd, __smlad(x.even, w.even, sum));
}

/* Byte k of the patch goes to place 0, 2, 1, 3 of its group of four. */
MS_INLINE void ms_u8_gather_dsp(const uint8_t *x, int16_t *patch, const ms_conv_u8_shape *shape)
{
    int32_t k = 0;
    for (int32_t i = 0; i < shape->runs_h; i++) {
        for (int32_t j = 0; j < shape->runs_w; j++) {
            const uint8_t *run = x + i * shape->run_h + j * shape->run_w;
            for (int32_t n = 0; n < shape->length; n++, k++) {
                patch[(k & ~3) | (k & 1) << 1 | (k >> 1 & 1)] = run[n];
            }
        }
    }
    for (; k < shape->depth; k++) {
        patch[(k & ~3) | (k & 1) << 1 | (k >> 1 & 1)] = 0;
    }
}

/* sums[r][j] of two patches and two filters. */
MS_INLINE void ms_u8_dot_2x2_dsp(const int16_t *p0, const int16_t *p1, const int8_t *r0, const int8_t *r1, int32_t (*sums)[2], int32_t depth)
{
    int32_t s00 = 0, s01 = 0, s10 = 0, s11 = 0;
    for (int32_t k = 0; k < depth; k += 4) {
        const ms_u8_pairs_dsp x0 = ms_u8_inputs_dsp(p0 + k), x1 = ms_u8_inputs_dsp(p1 + k);
        const ms_u8_pairs_dsp w0 = ms_u8_weights_dsp(r0 + k), w1 = ms_u8_weights_dsp(r1 + k);
        s00 = ms_u8_dot_row_dsp(s00, x0, w0);
        s01 = ms_u8_dot_row_dsp(s01, x0, w1);
        s10 = ms_u8_dot_row_dsp(s10, x1, w0);
        s11 = ms_u8_dot_row_dsp(s11, x1, w1);
    }
    sums[0][0] = s00;
    sums[0][1] = s01;
    sums[1][0] = s10;
    sums[1][1] = s11;
}

MS_INLINE void ms_conv_u8_dsp(const uint8_t *x, const int8_t *w, void *y, void *scratch, const ms_conv_u8_shape *shape, const ms_requant *q)
{
    const int32_t positions = shape->out_height * shape->out_width, depth = shape->depth;
    int16_t *patches = scratch;
    int8_t *unpacked = (int8_t *)scratch + (positions < 2 ? 2 : 4) * depth;

    for (int32_t p = 0; p < positions; p += 2) {
        const int32_t rows = positions - p < 2 ? 1 : 2;
        int32_t to[2];
        for (int32_t r = 0; r < rows; r++) {
            const int32_t h = (p + r) / shape->out_width, v = (p + r) % shape->out_width;
            ms_u8_gather_dsp(x + h * shape->x_row + v * shape->x_column, patches + r * depth, shape);
            to[r] = h * shape->y_row + v * shape->y_column;
        }
        for (int32_t f = 0; f < shape->filters; f += 2) {
            const int32_t count = shape->filters - f < 2 ? 1 : 2;
            int32_t sums[2][2];
            const int8_t *r0 = ms_row_of(w, f, unpacked, shape), *r1 = ms_row_of(w, f + count - 1, unpacked + depth, shape);
            ms_u8_dot_2x2_dsp(patches, patches + (rows - 1) * depth, r0, r1, sums, depth);
            for (int32_t r = 0; r < rows; r++) {
                ms_write_row(sums[r], y, to[r] + f, f, count, q);
            }
        }
    }
}

#endif
