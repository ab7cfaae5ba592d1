/* ms_small_conv for Armv7E-M and Armv8-M with DSP (Cortex-M4, M7, M33): four positions x two filters at once, a dense layer's one
 * position x four filters. Weights and q in the order of pack_small_pairs and small_pairs_q.
 */
#ifndef MS_SMALL_CONV_DSP_H
#define MS_SMALL_CONV_DSP_H

#include "ms_small_dense_dsp.h"
#include "ms_small_dot_dsp.h"
#include "ms_small_end_dsp.h"
#include "ms_small_gather_dsp.h"
#include "ms_small_triples_dsp.h"
#include "ms_small_whole_dsp.h"
#include "ms_small_wide_dsp.h"

/* A layer: its constants, and the functions made for it. */
typedef struct {
    const ms_small_conv_shape *shape;
    const uint8_t *w;
    ms_small_stage stage;
    ms_dot_function_dsp *four, *one;
    ms_patches_function_dsp *patches;
    ms_spread_function_dsp *spread_four, *spread_one;
} ms_layer_dsp;

/* A layer on its way; it lies at the beginning of scratch, patches behind it. */
typedef struct __attribute__((aligned(8))) {
    ms_layer_dsp layer;
    ms_gather_dsp gather;
    ms_dot_dsp dot;
} ms_walk_dsp;

/* A call: `filters` filters from `first` on, `each` bytes an output, to y, y + row... */
static inline void ms_small_call_dsp(const ms_layer_dsp *layer, ms_dot_dsp *dot, int32_t first, int32_t filters, uint8_t *y, int32_t row, int32_t each)
{
    const int32_t bits = layer->shape->together == 1 ? 8 : layer->shape->bits;
    dot->w = layer->w + (first ? first * ms_small_depth_dsp(layer->shape) * bits / 8 : 0);
    dot->y = y;
    dot->end = y + filters * each;
    dot->row = row;
    dot->function(dot);
}

/* Two filters at once write pairs: the last one of an odd number goes by `spare`. */
static __attribute__((noinline)) void ms_small_outputs_dsp(const ms_layer_dsp *layer, ms_dot_dsp *dot, int32_t positions, uint8_t *y, uint8_t *spare, int32_t each)
{
    const int32_t filters = layer->shape->filters, together = positions > 1 && layer->shape->together > 1 ? filters & ~1 : filters;
    if (together) {
        ms_small_constants_dsp(dot, &layer->stage, 0);
        ms_small_call_dsp(layer, dot, 0, together, y, filters * each, each);
    }
    if (together < filters) {
        ms_small_constants_dsp(dot, &layer->stage, together);
        ms_small_call_dsp(layer, dot, together, 2, spare, 2 * each, each);
        for (int32_t r = 0; r < positions; r++) {
            memcpy(y + (r * filters + together) * each, spare + r * 2 * each, (size_t)each);
        }
    }
}

/* A function of its own: its many registers are not on the stack while sums are made. */
static __attribute__((noinline, unused)) void ms_small_requantise_dsp(const int32_t *sums, int32_t step, uint8_t *y, int32_t y_step, int32_t count,
                                                                      int32_t f, const ms_requant *q)
{
    ms_small_requantise(sums, step, y, y_step, count, f, q);
}

/* The sums of one block of filters after the other, requantised. */
static __attribute__((noinline)) void ms_small_requantised_dsp(const ms_layer_dsp *layer, ms_dot_dsp *dot, int32_t positions, uint8_t *y, int32_t *sums)
{
    const int32_t filters = layer->shape->filters, row = positions > 1 ? layer->shape->together : 4;
    for (int32_t f = 0; f < filters; f += row) {
        const int32_t count = filters - f < row ? filters - f : row;
        ms_small_call_dsp(layer, dot, f, positions > 1 ? row : count, (uint8_t *)sums, 4 * row, 4);
        for (int32_t i = 0; i < count; i++) {
            ms_small_requantise_dsp(sums + i, row, y + f + i, filters, positions, f + i, layer->stage.requant);
        }
    }
}

/* Make the walk one by `count` positions: zeros where patches have nothing. */
static __attribute__((noinline)) void ms_small_take_dsp(ms_walk_dsp *walk, const ms_layer_dsp *layer, int32_t count)
{
    const int32_t used = ms_small_used_dsp(layer->shape), depth = ms_small_depth_dsp(layer->shape);
    ms_dot_dsp *dot = &walk->dot;
    walk->gather.stride = count;
    walk->gather.spread = count > 1 ? layer->spread_four : layer->spread_one;
    dot->function = count > 1 ? layer->four : layer->one;
    dot->x = (uint32_t *)(void *)(walk + 1);
    dot->x_end = dot->x + depth / 2 * count;
    ms_small_fill_dsp(dot->x + used / 2 * count, (depth - used) * count, 0, 1);
}

/* Four positions at a time, the rest one by one. */
static __attribute__((noinline)) void ms_small_walk_dsp(ms_walk_dsp *walk, const uint8_t *x, uint8_t *y)
{
    const ms_layer_dsp *const layer = &walk->layer;
    const ms_small_conv_shape *shape = layer->shape;
    const int32_t each = ms_small_each_dsp(&layer->stage), row = shape->filters * (layer->stage.requant ? 1 : each);
    int32_t left = shape->out_height * shape->out_width, count;

    ms_small_begin_dsp(&walk->gather, x, shape);
    ms_small_stage_dsp(&walk->dot, &layer->stage);
    for (; left > 0; left -= count, y += count * row) {
        count = left < MS_SMALL_POSITIONS ? 1 : MS_SMALL_POSITIONS;
        if (walk->gather.stride != count) {
            ms_small_take_dsp(walk, layer, count);
        }
        layer->patches(&walk->gather, walk->dot.x, count);
        if (layer->stage.requant) {
            ms_small_requantised_dsp(layer, &walk->dot, count, y, (int32_t *)walk->dot.x_end);
        } else {
            ms_small_outputs_dsp(layer, &walk->dot, count, y, (uint8_t *)walk->dot.x_end, each);
        }
    }
}

/* ms_dot_<form>_dsp_<bits>_<end> */
#define MS_DSP_ENDS(form, bits, end) MS_DSP_END(ms_dot_##form##_dsp_##bits, end)
#define MS_DSP_PAIRED(form, bits, end) \
    ((bits) == 8 ? MS_DSP_ENDS(form, 8, end) : (bits) == 4 ? MS_DSP_ENDS(form, 4, end) \
     : (bits) == 2 ? MS_DSP_ENDS(form, 2, end) : MS_DSP_ENDS(form, 1, end))

MS_INLINE ms_dot_function_dsp *ms_small_four_dsp(const ms_small_conv_shape *shape, int32_t end)
{
    return shape->together == 1 ? MS_DSP_ENDS(4X1, 8, end)
           : shape->bits == 8 && ms_small_depth_dsp(shape) % 16 == 0 ? MS_DSP_ENDS(4X2, long, end) : MS_DSP_PAIRED(4X2, shape->bits, end);
}

MS_INLINE ms_dot_function_dsp *ms_small_one_dsp(const ms_small_conv_shape *shape, int32_t end)
{
    return shape->together == 1 ? MS_DSP_ENDS(1X1, 8, end) : shape->together == 2 ? MS_DSP_PAIRED(1X2, shape->bits, end)
                                 : MS_DSP_PAIRED(1X4, shape->bits, end);
}

/* ms_spread_dsp_<stride>_<flip>, or that of triples. */
#define MS_DSP_SPREAD_OF(shape, stride) \
    (ms_small_is_triples_dsp(shape) ? ((shape)->flip ? ms_spread_triples_dsp_##stride##_128 : ms_spread_triples_dsp_##stride##_0) \
     : (shape)->flip ? ms_spread_dsp_##stride##_128 : ms_spread_dsp_##stride##_0)

/* Choose the functions; what the layer does not need is not in the program. */
MS_INLINE void ms_small_conv_any_dsp(const uint8_t *x, const void *w, const int32_t *q, void *y, void *scratch, const ms_small_conv_shape *shape,
                                     const ms_line *line, const ms_requant *requant)
{
    const int32_t end = ms_small_end_dsp(line);
    if (ms_small_is_whole_dsp(shape)) {
        if (requant) {
            ms_small_whole_requant_dsp(x, w, y, scratch, shape, requant, ms_small_one_dsp(shape, end));
        } else {
            ms_small_whole_dsp(x, w, y, scratch, shape, q, line, 0, ms_small_one_dsp(shape, end));
        }
        return;
    }
    ms_walk_dsp *const walk = scratch;
    walk->layer = (ms_layer_dsp){
        shape, w, {q, line, requant}, ms_small_four_dsp(shape, end), ms_small_one_dsp(shape, end),
        ms_small_is_triples_dsp(shape) ? ms_small_triples_patches_dsp : ms_small_is_pointwise_dsp(shape) ? ms_small_pixels_dsp : ms_small_patches_dsp,
        MS_DSP_SPREAD_OF(shape, 4), MS_DSP_SPREAD_OF(shape, 1),
    };
    ms_small_walk_dsp(walk, x, y);
}

MS_INLINE void ms_small_conv_dsp(const uint8_t *x, const void *w, const int32_t *q, uint8_t *y, void *scratch,
                                 const ms_small_conv_shape *shape, const ms_line *line)
{
    ms_small_conv_any_dsp(x, w, q, y, scratch, shape, line, 0);
}

MS_INLINE void ms_small_conv_sums_dsp(const uint8_t *x, const void *w, int32_t *y, void *scratch, const ms_small_conv_shape *shape)
{
    ms_small_conv_any_dsp(x, w, 0, y, scratch, shape, 0, 0);
}

MS_INLINE void ms_small_conv_requant_dsp(const uint8_t *x, const void *w, uint8_t *y, void *scratch, const ms_small_conv_shape *shape,
                                         const ms_requant *q)
{
    ms_small_conv_any_dsp(x, w, 0, y, scratch, shape, 0, q);
}

#define MS_SMALL_CONV(name) ms_small_##name##_dsp

#endif
