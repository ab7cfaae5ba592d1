/* ms_small_whole_dsp.h: a layer of one position that sees all of x as it lies, for Armv7E-M and Armv8-M with DSP: dense layers.
 *
 * There is no walk and there are no borders, so that a network of dense layers alone needs little code.
 */
#ifndef MS_SMALL_WHOLE_DSP_H
#define MS_SMALL_WHOLE_DSP_H

#include "ms_small_dot_dsp.h"
#include "ms_small_end_dsp.h"
#include "ms_small_gather_dsp.h"

/* Whether a patch is x, and a row of weights has nothing between its runs. */
MS_INLINE int ms_small_is_whole_dsp(const ms_small_conv_shape *shape)
{
    return shape->out_height * shape->out_width == 1 && shape->kernel_h == shape->height && shape->kernel_w == shape->width &&
           (shape->dilation_h == 1 || shape->kernel_h == 1) && (shape->dilation_w == 1 || shape->kernel_w == 1) &&
           shape->pad_top + shape->pad_left == 0 && (shape->planes * shape->kernel_h == 1 || shape->kernel_w * shape->channels % 4 == 0);
}

/* Bytes of an output as the assembly makes it. */
MS_INLINE int32_t ms_small_each_dsp(const ms_small_stage *stage)
{
    return stage->line ? 1 : 4;
}

/* How outputs are clamped. */
static inline void ms_small_clamps_dsp(ms_dot_dsp *dot, int32_t low, int32_t high, int32_t flip)
{
    const uint32_t all = 0x01010101u, up = (uint32_t)(255 - high), back = (uint32_t)(low + flip) & 255u;
    dot->up = all * up;
    dot->down = all * (up + (uint32_t)low);
    dot->back = all * back;
    dot->clamps = dot->down | dot->back;
}

/* What all filters share of a stage. */
static __attribute__((unused)) void ms_small_stage_dsp(ms_dot_dsp *dot, const ms_small_stage *stage)
{
    dot->clamps = 0;
    if (stage->line) {
        ms_small_clamps_dsp(dot, stage->line->low, stage->line->high, stage->line->flip);
        dot->offset = stage->line->offset;
        dot->edge = stage->line->edge;
    }
}

/* The constants of the filters from `first` on. */
static inline void ms_small_constants_dsp(ms_dot_dsp *dot, const ms_small_stage *stage, int32_t first)
{
    dot->q = stage->line ? stage->q + 2 * first : 0;
}

/* `bytes` bytes of x in words of 16 bits, zeros behind them up to `end`. */
static inline void ms_small_spread_all_dsp(const uint8_t *x, uint32_t *to, uint32_t *end, int32_t bytes, uint32_t flip)
{
    for (uint32_t word; to < end; to += 2, x += 4, bytes -= 4) {
        word = 0;
        if (bytes >= 4) {
            memcpy(&word, x, 4);
            word ^= flip;
        } else {
            for (int32_t i = bytes; i > 0; i--) {
                word = word << 8 | (x[i - 1] ^ (flip & 255u));
            }
        }
        to[0] = word & 0xff00ffu;
        to[1] = word >> 8 & 0xff00ffu;
    }
}

/* The patch, behind what the assembly is told. */
static __attribute__((unused)) void ms_small_patch_dsp(ms_dot_dsp *dot, const uint8_t *x, const ms_small_conv_shape *shape)
{
    const int32_t bytes = shape->planes * shape->height * shape->width * shape->channels, step = shape->bits == 1 ? 15 : 7;
    dot->x = (uint32_t *)(void *)(dot + 1);
    dot->x_end = dot->x + ((bytes + step) & ~step) / 2; /* that is ms_small_depth_dsp */
    ms_small_spread_all_dsp(x, dot->x, dot->x_end, bytes, (uint32_t)shape->flip * 0x01010101u);
}

/* A byte a filter, or sums. */
static __attribute__((noinline, unused)) void ms_small_whole_dsp(const uint8_t *x, const void *w, uint8_t *y, ms_dot_dsp *dot,
                                                                const ms_small_conv_shape *shape, const int32_t *q, const ms_line *line,
                                                                const ms_requant *requant, ms_dot_function_dsp *function)
{
    const ms_small_stage stage = {q, line, requant}; /* made here, once: a caller would make it for every layer */
    ms_small_patch_dsp(dot, x, shape);
    ms_small_stage_dsp(dot, &stage);
    ms_small_constants_dsp(dot, &stage, 0);
    dot->w = w;
    dot->y = y;
    dot->end = y + shape->filters * ms_small_each_dsp(&stage);
    function(dot);
}

/* Sums of four filters after the other, requantised. */
static __attribute__((noinline, unused)) void ms_small_whole_requant_dsp(const uint8_t *x, const uint8_t *w, uint8_t *y, ms_dot_dsp *dot,
                                                                        const ms_small_conv_shape *shape, const ms_requant *requant,
                                                                        ms_dot_function_dsp *function)
{
    const int32_t filters = shape->filters, row = ms_small_depth_dsp(shape) * (shape->together == 1 ? 8 : shape->bits) / 8;
    ms_small_patch_dsp(dot, x, shape);
    for (int32_t f = 0, count; f < filters; f += count) {
        int32_t *const sums = (int32_t *)(void *)dot->x_end;
        count = filters - f < 4 ? filters - f : 4;
        dot->w = w + f * row;
        dot->y = (uint8_t *)sums;
        dot->end = dot->y + 4 * count;
        function(dot);
        ms_requantise_row(sums, y + f, f, count, requant);
    }
}

#endif
