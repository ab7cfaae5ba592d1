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

/* All filters of four positions from p on, whose patches lie 16 bytes of each in turn. */
MS_INLINE void ms_four_positions_mve(const ms_layer_mve *layer, const uint8_t *patches, int32_t p, const int32_t bits)
{
    const int32_t filters = layer->shape->filters, blocks = layer->blocks;
    const ms_end_mve end = ms_begin_end_mve(layer->y, filters, layer->stage);
    const uint8_t *w = layer->w;
    for (int32_t f = 0; f < filters; f += 2, w += 32 * blocks) {
        const ms_pair_mve sums = ms_dot_4x2_mve(patches, w, blocks, bits);
        ms_end_4x2_mve(sums.a, sums.b, p, f, &end);
    }
}

/* All filters of position p. */
MS_INLINE void ms_one_position_mve(const ms_layer_mve *layer, const uint8_t *patch, int32_t p, const int32_t bits)
{
    const int32_t filters = layer->shape->filters, blocks = layer->blocks;
    const ms_end_mve end = ms_begin_end_mve(layer->y, filters, layer->stage);
    const uint8_t *w = layer->w;
    for (int32_t f = 0; f < filters; f += 4, w += 64 * blocks) {
        ms_end_1x4_mve(ms_dot_1x4_mve(patch, w, blocks, bits), p, f, &end);
    }
}

/* Functions for each width: a network has the ones that it calls. */
typedef void ms_positions_mve(const ms_layer_mve *layer, const uint8_t *patches, int32_t p);
#define MS_POSITIONS_MVE(bits)                                                                                    \
    static MS_ONCE void ms_four_##bits##_mve(const ms_layer_mve *layer, const uint8_t *patches, int32_t p)         \
    {                                                                                                             \
        ms_four_positions_mve(layer, patches, p, bits);                                                           \
    }                                                                                                             \
    static MS_ONCE void ms_one_##bits##_mve(const ms_layer_mve *layer, const uint8_t *patch, int32_t p)            \
    {                                                                                                             \
        ms_one_position_mve(layer, patch, p, bits);                                                               \
    }
MS_POSITIONS_MVE(8)
MS_POSITIONS_MVE(4)
MS_POSITIONS_MVE(2)
MS_POSITIONS_MVE(1)

/* scratch: what the sums of four positions start from, then their patches. */
static MS_ONCE void ms_all_positions_mve(const ms_layer_mve *layer, void *scratch, ms_positions_mve *four, ms_positions_mve *one)
{
    const int32_t positions = layer->shape->out_height * layer->shape->out_width, half = 1 << (layer->shape->bits - 1);
    const int32_t whole = layer->shape->filters > MS_FARTHEST_MVE ? 0 : positions & ~3;
    int32_t *start = scratch, p = 0;
    uint8_t *patches = (uint8_t *)(start + 4);

    for (; p < whole; p += 4) {
        for (int32_t r = 0; r < 4; r++) {
            start[r] = -half * ms_gather_mve(layer, patches + 16 * r, 64, p + r);
        }
        four(layer, patches, p);
    }
    for (; p < positions; p++) {
        start[0] = -half * ms_gather_mve(layer, patches, 16, p);
        one(layer, patches, p);
    }
}

MS_INLINE void ms_small_conv_bits_mve(const uint8_t *x, const void *w, void *y, void *scratch, const ms_small_conv_shape *shape,
                                      ms_small_stage stage)
{
    const int32_t used = shape->planes * shape->kernel_h * shape->kernel_w * shape->channels;
    const ms_layer_mve layer = {x, w, y, shape, &stage, (used * shape->bits + 127) / 128};
    switch (shape->bits) {
    case 8: ms_all_positions_mve(&layer, scratch, ms_four_8_mve, ms_one_8_mve); break;
    case 4: ms_all_positions_mve(&layer, scratch, ms_four_4_mve, ms_one_4_mve); break;
    case 2: ms_all_positions_mve(&layer, scratch, ms_four_2_mve, ms_one_2_mve); break;
    default: ms_all_positions_mve(&layer, scratch, ms_four_1_mve, ms_one_1_mve);
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
