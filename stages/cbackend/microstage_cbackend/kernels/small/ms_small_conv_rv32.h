/* ms_small_conv for processors of 32 bits with a multiplication and 32 registers (RV32IM): four positions x four filters.
 *
 * 16 sums stay in registers, so that eight loads serve 16 products; one position takes eight filters. Weights of four filters lie
 * together (pack_small_quads), those of fewer than 8 bits as w + half, without sign: sums then start from the sum of their patch
 * times -half. In C, of which gcc and clang make the same loop.
 */
#ifndef MS_SMALL_CONV_RV32_H
#define MS_SMALL_CONV_RV32_H

/* A layer on its way, at the head of scratch as the stack is small. Patches follow it: of four positions, byte by byte in turn, or of
 * one. start: what their sums start from; line: that of the stage. */
typedef struct {
    const uint8_t *x, *w;
    void *y;
    const ms_small_conv_shape *shape;
    ms_small_stage stage;
    ms_line line;
    int32_t start[4], sums[4][4];
} ms_layer_rv32;

typedef char ms_layer_fits_rv32[sizeof(ms_layer_rv32) <= 208 && sizeof(ms_layer_rv32) % 4 == 0 ? 1 : -1];

/* A run of `count` bytes of the image, `step` apart where they go; returns what follows it. */
MS_INLINE uint8_t *ms_put_pixels_rv32(uint8_t *at, const uint8_t *x, int32_t count, int32_t flip, const int32_t step)
{
    for (; count >= 4; count -= 4, x += 4, at += 4 * step) {
        at[0] = (uint8_t)(x[0] ^ flip);
        at[step] = (uint8_t)(x[1] ^ flip);
        at[2 * step] = (uint8_t)(x[2] ^ flip);
        at[3 * step] = (uint8_t)(x[3] ^ flip);
    }
    for (; count > 0; count--, x++, at += step) {
        *at = (uint8_t)(*x ^ flip);
    }
    return at;
}

/* `count` bytes that stand outside the image. */
MS_INLINE uint8_t *ms_put_border_rv32(uint8_t *at, int32_t count, int32_t value, const int32_t step)
{
    for (; count > 0; count--, at += step) {
        *at = (uint8_t)value;
    }
    return at;
}

/* A row of taps, from column v on; it is all border where `row` is null. */
MS_INLINE uint8_t *ms_put_row_rv32(uint8_t *at, const uint8_t *row, int32_t v, const ms_small_conv_shape *shape, const int32_t step)
{
    const int32_t width = shape->dilation_w == 1 ? shape->kernel_w : 1, channels = shape->channels;
    for (int32_t j = 0; j < shape->kernel_w; j += width, v += shape->dilation_w) {
        int32_t first = v < 0 ? 0 : v, last = v + width < shape->width ? v + width : shape->width;
        if (!row || first >= last) {
            first = last = v;
        }
        at = ms_put_border_rv32(at, (first - v) * channels, shape->pad_value, step);
        if (first < last) {
            at = ms_put_pixels_rv32(at, row + first * channels, (last - first) * channels, shape->flip, step);
        }
        at = ms_put_border_rv32(at, (v + width - last) * channels, shape->pad_value, step);
    }
    return at;
}

/* The patch of position p goes to `at`. */
MS_INLINE void ms_gather_rv32(const uint8_t *x, uint8_t *at, int32_t p, const ms_small_conv_shape *shape, const int32_t step)
{
    const int32_t top = p / shape->out_width * shape->stride_h - shape->pad_top;
    const int32_t left = p % shape->out_width * shape->stride_w - shape->pad_left, row = shape->width * shape->channels;
    for (int32_t plane = 0; plane < shape->planes; plane++, x += shape->height * row) {
        for (int32_t i = 0, h = top; i < shape->kernel_h; i++, h += shape->dilation_h) {
            at = ms_put_row_rv32(at, h >= 0 && h < shape->height ? x + h * row : 0, left, shape, step);
        }
    }
}

static MS_ONCE void ms_gather_four_rv32(const uint8_t *x, uint8_t *at, int32_t p, const ms_small_conv_shape *shape)
{
    ms_gather_rv32(x, at, p, shape, 4);
}

static MS_ONCE void ms_gather_one_rv32(const uint8_t *x, uint8_t *at, int32_t p, const ms_small_conv_shape *shape)
{
    ms_gather_rv32(x, at, p, shape, 1);
}

/* What sums of weights of fewer than 8 bits start from: the sum of a patch times -half. */
static MS_ONCE int32_t ms_start_rv32(const uint8_t *patch, const ms_small_conv_shape *shape, int32_t step)
{
    int32_t sum = 0;
    for (int32_t k = shape->planes * shape->kernel_h * shape->kernel_w * shape->channels; k > 0; k--, patch += step) {
        sum += *patch;
    }
    return sum * -(1 << (shape->bits - 1));
}

/* Weight t of two of each of four filters: as it is or, of fewer than 8 bits, plus half. */
MS_INLINE int32_t ms_weight_rv32(const uint8_t *w, const int t, const int bits)
{
    if (bits == 8) {
        return (int8_t)w[t];
    }
    return bits == 1 ? (t ? w[0] >> (t - 1) : w[0] << 1) & 2 : w[t * bits / 8] >> (t * bits % 8) & ((1 << bits) - 1);
}

/* Compilers would load all weights first, and then have no registers for the sums. */
#define MS_IN_ORDER_RV32 __asm__ volatile("" : : : "memory")

#define MS_FILTER_RV32(j)                   \
    v = ms_weight_rv32(w, 4 * u + j, bits); \
    a##j += p0 * v;                         \
    b##j += p1 * v;                         \
    c##j += p2 * v;                         \
    d##j += p3 * v;                         \
    MS_IN_ORDER_RV32;

/* sums[f][r] of four filters and four patches, from `start` on; byte k of patch r is patches[4 * k + r]. */
MS_INLINE void ms_dot_four_rv32(const uint8_t *patches, const uint8_t *w, int32_t depth, const int32_t *start, int32_t sums[4][4], const int bits)
{
    int32_t a0 = start[0], b0 = start[1], c0 = start[2], d0 = start[3], a1 = a0, b1 = b0, c1 = c0, d1 = d0;
    int32_t a2 = a0, b2 = b0, c2 = c0, d2 = d0, a3 = a0, b3 = b0, c3 = c0, d3 = d0, v;
    for (const uint8_t *end = patches + 4 * depth; patches != end; patches += 8, w += bits) {
        MS_UNROLL
        for (int u = 0; u < 2; u++) {
            const int32_t p0 = patches[4 * u], p1 = patches[4 * u + 1], p2 = patches[4 * u + 2], p3 = patches[4 * u + 3];
            MS_FILTER_RV32(0)
            MS_FILTER_RV32(1)
            MS_FILTER_RV32(2)
            MS_FILTER_RV32(3)
        }
    }
#define MS_KEEP_RV32(j) sums[j][0] = a##j, sums[j][1] = b##j, sums[j][2] = c##j, sums[j][3] = d##j;
    MS_KEEP_RV32(0)
    MS_KEEP_RV32(1)
    MS_KEEP_RV32(2)
    MS_KEEP_RV32(3)
#undef MS_KEEP_RV32
}

/* sums[f] of eight filters, the second four from `next` on, and one patch. */
MS_INLINE void ms_dot_one_rv32(const uint8_t *patch, const uint8_t *w, const uint8_t *next, int32_t depth, int32_t start, int32_t sums[8],
                               const int bits)
{
    int32_t a0 = start, a1 = start, a2 = start, a3 = start, b0 = start, b1 = start, b2 = start, b3 = start;
    for (const uint8_t *end = patch + depth; patch != end; patch += 4, w += 2 * bits, next += 2 * bits) {
        MS_UNROLL
        for (int u = 0; u < 4; u++) {
            const uint8_t *first = w + u / 2 * bits, *second = next + u / 2 * bits;
            const int32_t p = patch[u];
            const int t = 4 * (u % 2);
            a0 += p * ms_weight_rv32(first, t, bits);
            a1 += p * ms_weight_rv32(first, t + 1, bits);
            a2 += p * ms_weight_rv32(first, t + 2, bits);
            a3 += p * ms_weight_rv32(first, t + 3, bits);
            MS_IN_ORDER_RV32;
            b0 += p * ms_weight_rv32(second, t, bits);
            b1 += p * ms_weight_rv32(second, t + 1, bits);
            b2 += p * ms_weight_rv32(second, t + 2, bits);
            b3 += p * ms_weight_rv32(second, t + 3, bits);
            MS_IN_ORDER_RV32;
        }
    }
    sums[0] = a0, sums[1] = a1, sums[2] = a2, sums[3] = a3, sums[4] = b0, sums[5] = b1, sums[6] = b2, sums[7] = b3;
}

/* Functions of their own for each width: a network has those that it calls, and callers' values leave the registers to the sums. */
typedef void ms_four_rv32(const uint8_t *patches, const uint8_t *w, int32_t depth, const int32_t *start, int32_t sums[4][4]);
typedef void ms_one_rv32(const uint8_t *patch, const uint8_t *w, const uint8_t *next, int32_t depth, int32_t start, int32_t sums[8]);
#define MS_DOTS_RV32(bits)                                                                                                         \
    static MS_ONCE void ms_four_##bits##_rv32(const uint8_t *patches, const uint8_t *w, int32_t depth, const int32_t *start,        \
                                              int32_t sums[4][4])                                                                  \
    {                                                                                                                              \
        ms_dot_four_rv32(patches, w, depth, start, sums, bits);                                                                    \
    }                                                                                                                              \
    static MS_ONCE void ms_one_##bits##_rv32(const uint8_t *patch, const uint8_t *w, const uint8_t *next, int32_t depth, int32_t start, \
                                             int32_t sums[8])                                                                      \
    {                                                                                                                              \
        ms_dot_one_rv32(patch, w, next, depth, start, sums, bits);                                                                 \
    }
MS_DOTS_RV32(8)
MS_DOTS_RV32(4)
MS_DOTS_RV32(2)
MS_DOTS_RV32(1)

/* Writes `count` sums: sum i goes to place at + i * step, as what filter f + i * next has. `line` is the stage's, near at hand. */
MS_INLINE void ms_end_rv32(const int32_t *sums, int32_t count, void *y, int32_t at, int32_t step, int32_t f, int32_t next,
                           const ms_small_stage *stage, const ms_line *line)
{
    if (stage->line) {
        const ms_line held = *line; /* bytes that are written may lie over what a pointer says */
        const int32_t *q = stage->q + 2 * f;
        for (int32_t i = 0; i < count; i++, at += step, q += 2 * next) {
            ((uint8_t *)y)[at] = ms_small_level(sums[i], q, &held);
        }
    } else {
        for (int32_t i = 0; i < count; i++) {
            ms_small_store(y, at + i * step, f + i * next, sums[i], *stage);
        }
    }
}

/* All filters of four positions from p on. */
static MS_ONCE void ms_four_positions_rv32(ms_layer_rv32 *layer, int32_t p, ms_four_rv32 *dot)
{
    const int32_t filters = layer->shape->filters, depth = layer->shape->depth;
    const uint8_t *w = layer->w;
    for (int32_t f = 0; f < filters; f += 4, w += depth / 2 * layer->shape->bits) {
        dot((const uint8_t *)(layer + 1), w, depth, layer->start, layer->sums);
        for (int32_t j = 0; j < 4 && f + j < filters; j++) {
            ms_end_rv32(layer->sums[j], 4, layer->y, p * filters + f + j, filters, f + j, 0, &layer->stage, &layer->line);
        }
    }
}

/* All filters of position p. */
static MS_ONCE void ms_one_position_rv32(ms_layer_rv32 *layer, int32_t p, ms_one_rv32 *dot)
{
    const int32_t filters = layer->shape->filters, depth = layer->shape->depth, quad = depth / 2 * layer->shape->bits;
    const uint8_t *w = layer->w;
    int32_t *sums = layer->sums[0];
    for (int32_t f = 0; f < filters; f += 8, w += 2 * quad) {
        dot((const uint8_t *)(layer + 1), w, f + 4 < filters ? w + quad : w, depth, layer->start[0], sums);
        ms_end_rv32(sums, filters - f < 8 ? filters - f : 8, layer->y, p * filters + f, 1, f, 1, &layer->stage, &layer->line);
    }
}

static MS_ONCE void ms_all_positions_rv32(ms_layer_rv32 *layer, ms_four_rv32 *four, ms_one_rv32 *one)
{
    const ms_small_conv_shape *shape = layer->shape;
    const int32_t positions = shape->out_height * shape->out_width;
    uint8_t *const patches = (uint8_t *)(layer + 1);
    int32_t p = 0;
    for (; p + 4 <= positions; p += 4) {
        for (int32_t r = 0; r < 4; r++) {
            ms_gather_four_rv32(layer->x, patches + r, p + r, shape);
            layer->start[r] = shape->bits < 8 ? ms_start_rv32(patches + r, shape, 4) : 0;
        }
        ms_four_positions_rv32(layer, p, four);
    }
    for (; p < positions; p++) {
        ms_gather_one_rv32(layer->x, patches, p, shape);
        layer->start[0] = shape->bits < 8 ? ms_start_rv32(patches, shape, 1) : 0;
        ms_one_position_rv32(layer, p, one);
    }
}

MS_INLINE void ms_small_conv_any_rv32(const uint8_t *x, const void *w, void *y, ms_layer_rv32 *layer, const ms_small_conv_shape *shape,
                                      ms_small_stage stage)
{
    layer->x = x;
    layer->w = w;
    layer->y = y;
    layer->shape = shape;
    layer->stage = stage;
    if (stage.line) {
        layer->line = *stage.line;
    }
    switch (shape->bits) {
    case 8: ms_all_positions_rv32(layer, ms_four_8_rv32, ms_one_8_rv32); break;
    case 4: ms_all_positions_rv32(layer, ms_four_4_rv32, ms_one_4_rv32); break;
    case 2: ms_all_positions_rv32(layer, ms_four_2_rv32, ms_one_2_rv32); break;
    default: ms_all_positions_rv32(layer, ms_four_1_rv32, ms_one_1_rv32);
    }
}

MS_INLINE void ms_small_conv_rv32(const uint8_t *x, const void *w, const int32_t *q, uint8_t *y, void *scratch,
                                  const ms_small_conv_shape *shape, const ms_line *line)
{
    ms_small_conv_any_rv32(x, w, y, scratch, shape, (ms_small_stage){q, line, 0});
}

MS_INLINE void ms_small_conv_sums_rv32(const uint8_t *x, const void *w, int32_t *y, void *scratch, const ms_small_conv_shape *shape)
{
    ms_small_conv_any_rv32(x, w, y, scratch, shape, (ms_small_stage){0, 0, 0});
}

MS_INLINE void ms_small_conv_requant_rv32(const uint8_t *x, const void *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                          const ms_requant *q)
{
    ms_small_conv_any_rv32(x, w, y, scratch, shape, (ms_small_stage){0, 0, q});
}

#define MS_SMALL_CONV(name) ms_small_##name##_rv32

#endif
