/* ms_small_conv for Armv8.1-M with Helium (Cortex-M55, M85): four positions x two filters by VMLADAVA, one position x four.
 *
 * Both factors of VMLADAVA have one sign: weights lie as w + half, unsigned (pack_small_mve; half is 128, 8, 2, 1 for 8, 4, 2, 1
 * bits), and sums start from the sum of their patch times -half.
 */
#ifndef MS_SMALL_CONV_MVE_H
#define MS_SMALL_CONV_MVE_H

#include "ms_small_dot_mve.h"
#include "ms_small_end_mve.h"
#include "ms_small_gather_mve.h"

enum { MS_FARTHEST_MVE = 21844 }; /* filters of which four positions lie within offsets of 16 bits */

/* Some filters of four positions from p on, whose patches lie 16 bytes of each in turn. */
MS_INLINE void ms_four_positions_mve(ms_layer_mve *layer, const uint8_t *patches, int32_t p, const int32_t bits)
{
    const int32_t past = layer->past, blocks = layer->blocks;
    const uint8_t *w = layer->w + 16 * blocks * layer->first;
    for (int32_t f = layer->first; f < past; f += 2, w += 32 * blocks) {
        const ms_pair_mve sums = ms_dot_4x2_mve(patches, w, blocks, bits);
        ms_end_4x2_mve(sums.a, sums.b, p, f, &layer->end);
    }
}

/* Some filters of position p. */
MS_INLINE void ms_one_position_mve(ms_layer_mve *layer, const uint8_t *patch, int32_t p, const int32_t bits)
{
    const int32_t past = layer->past, blocks = layer->blocks;
    const uint8_t *w = layer->w + 16 * blocks * layer->first;
    for (int32_t f = layer->first; f < past; f += 4, w += 64 * blocks) {
        ms_end_1x4_mve(ms_dot_1x4_mve(patch, w, blocks, bits), p, f, &layer->end);
    }
}

/* Functions for each width: a network has the ones that it calls. */
typedef void ms_positions_mve(ms_layer_mve *layer, const uint8_t *patches, int32_t p);
#define MS_POSITIONS_MVE(bits)                                                                                    \
    static MS_ONCE void ms_four_##bits##_mve(ms_layer_mve *layer, const uint8_t *patches, int32_t p)         \
    {                                                                                                             \
        ms_four_positions_mve(layer, patches, p, bits);                                                           \
    }                                                                                                             \
    static MS_ONCE void ms_one_##bits##_mve(ms_layer_mve *layer, const uint8_t *patch, int32_t p)            \
    {                                                                                                             \
        ms_one_position_mve(layer, patch, p, bits);                                                               \
    }
MS_POSITIONS_MVE(8)
MS_POSITIONS_MVE(4)
MS_POSITIONS_MVE(2)
MS_POSITIONS_MVE(1)

/* What is stored for the lanes of `count` positions from p on, of the filters from layer->first on. */
static MS_ONCE void ms_levels_mve(ms_layer_mve *layer, int32_t p, int32_t count)
{
    const ms_end_mve *end = &layer->end;
    const int32_t f = layer->first, at = p * end->filters + f, left = end->filters - f;
    if (count == 1) {
        ms_end_lanes_mve(end, 0, at, 1, f, 1, left < 4 ? left : 4);
        return;
    }
    ms_end_lanes_mve(end, 0, at, end->filters, f, 0, 4);
    ms_end_lanes_mve(end, 4, at + 1, end->filters, f + 1, 0, left > 1 ? 4 : 0);
}

/* The filters of `count` positions from p on: all at once or, where there is no line, as many as there are lanes. */
MS_INLINE void ms_filters_mve(ms_layer_mve *layer, int32_t p, int32_t count, ms_positions_mve *function)
{
    const int32_t filters = layer->end.filters, each = layer->stage.line ? filters : count == 4 ? 2 : 4;
    for (layer->first = 0; layer->first < filters; layer->first += each) {
        layer->past = each == filters ? filters : layer->first + 1;
        function(layer, (const uint8_t *)(layer + 1), p);
        if (!layer->stage.line) {
            ms_levels_mve(layer, p, count);
        }
    }
}

static MS_ONCE void ms_all_positions_mve(ms_layer_mve *layer, ms_positions_mve *four, ms_positions_mve *one)
{
    const int32_t positions = layer->shape->out_height * layer->shape->out_width;
    ms_begin_end_mve(&layer->end, layer->y, layer->shape->filters, &layer->stage);
    for (int32_t p = 0, count; p < positions; p += count) {
        count = positions - p < 4 || layer->end.filters > MS_FARTHEST_MVE ? 1 : 4;
        for (int32_t r = 0; r < count; r++) {
            const int32_t sum = ms_gather_mve(layer, (uint8_t *)(layer + 1) + 16 * r, 16 * count, p + r);
            layer->start[r] = -sum * (1 << (layer->shape->bits - 1));
        }
        ms_filters_mve(layer, p, count, count == 4 ? four : one);
    }
}

MS_INLINE void ms_small_conv_bits_mve(const uint8_t *x, const void *w, void *y, ms_layer_mve *layer, const ms_small_conv_shape *shape,
                                      ms_small_stage stage)
{
    layer->x = x;
    layer->w = w;
    layer->y = y;
    layer->shape = shape;
    layer->stage = stage;
    layer->blocks = (shape->planes * shape->kernel_h * shape->kernel_w * shape->channels * shape->bits + 127) / 128;
    switch (shape->bits) {
    case 8: ms_all_positions_mve(layer, ms_four_8_mve, ms_one_8_mve); break;
    case 4: ms_all_positions_mve(layer, ms_four_4_mve, ms_one_4_mve); break;
    case 2: ms_all_positions_mve(layer, ms_four_2_mve, ms_one_2_mve); break;
    default: ms_all_positions_mve(layer, ms_four_1_mve, ms_one_1_mve);
    }
}

MS_INLINE void ms_small_conv_mve(const uint8_t *x, const void *w, const int32_t *q, uint8_t *y, void *scratch,
                                 const ms_small_conv_shape *shape, const ms_line *line)
{
    ms_small_conv_bits_mve(x, w, y, scratch, shape, (ms_small_stage){q, line, 0});
}

MS_INLINE void ms_small_conv_sums_mve(const uint8_t *x, const void *w, int32_t *y, void *scratch, const ms_small_conv_shape *shape)
{
    ms_small_conv_bits_mve(x, w, y, scratch, shape, (ms_small_stage){0, 0, 0});
}

MS_INLINE void ms_small_conv_requant_mve(const uint8_t *x, const void *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                         const ms_requant *q)
{
    ms_small_conv_bits_mve(x, w, y, scratch, shape, (ms_small_stage){0, 0, q});
}

#define MS_SMALL_CONV(name) ms_small_##name##_mve

#endif
