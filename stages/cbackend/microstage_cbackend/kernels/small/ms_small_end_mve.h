/* What becomes of sums on Helium: bytes by a line, four or eight at a time, or by 64 bits, one by one, or the sums themselves. */
#ifndef MS_SMALL_END_MVE_H
#define MS_SMALL_END_MVE_H

#include "ms_small.h"

/* Where results go, and what they need again and again: `places` are those of four positions and two filters. `lanes` are sums that
 * have no line: whoever asked for them calls ms_end_lanes_mve, so that its stack does not add to that of the sums. */
typedef struct {
    void *y;
    int32_t filters, offset, shift, flip, scale, edge;
    uint16x8_t low, high, places;
    const ms_small_stage *stage;
    int32_t lanes[8];
} ms_end_mve;

static MS_ONCE void ms_begin_end_mve(ms_end_mve *end, void *y, int32_t filters, const ms_small_stage *stage)
{
    const ms_line none = {0, 0, 0, 0, 0, 0, 0}, *line = stage->line ? stage->line : &none;
    const uint16x8_t lanes = vidupq_n_u16(0, 1), one = vdupq_n_u16(1);
    end->y = y;
    end->filters = filters;
    end->offset = line->offset;
    end->shift = -line->shift;
    end->flip = line->flip;
    end->scale = 1 << line->fine;
    end->edge = line->edge;
    end->low = vdupq_n_u16((uint16_t)line->low);
    end->high = vdupq_n_u16((uint16_t)line->high);
    end->places = vaddq_u16(vmulq_n_u16(vshrq_n_u16(lanes, 1), (uint16_t)filters), vandq_u16(lanes, one));
    end->stage = stage;
}

/* Levels of scaled sums that have their bias, before they are held. */
MS_INLINE int32x4_t ms_scale_mve(int32x4_t sums, int32x4_t multiplier, const ms_end_mve *end)
{
    int32x4_t values = vaddq_n_s32(vmulhq_s32(sums, multiplier), end->offset);
    if (end->edge) {
        const int32x4_t kinks = vshlq_s32(vdupq_n_s32(256), vnegq_s32(vclzq_s32(multiplier)));
        values = vsubq_m_s32(values, values, kinks, vcmpltq_n_s32(values, end->edge));
    }
    return vshlq_r_s32(values, end->shift);
}

/* Eight levels, those of a between those of b, as bytes to be: plus 128 is ^ 128 in the lower byte, which alone is stored. */
MS_INLINE uint16x8_t ms_held_mve(int32x4_t a, int32x4_t b, const ms_end_mve *end)
{
    const uint16x8_t levels = vqmovuntq_s32(vqmovunbq_s32(end->low, a), b);
    return vaddq_n_u16(vminq_u16(vmaxq_u16(levels, end->low), end->high), (uint16_t)end->flip);
}

/* Writes what has no line: lane first + i goes to place at + i * step, as what filter f + i * next has. */
static MS_ONCE void ms_end_lanes_mve(const ms_end_mve *end, int32_t first, int32_t at, int32_t step, int32_t f, int32_t next, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        ms_small_store(end->y, at + i * step, f + i * next, end->lanes[first + i], *end->stage);
    }
}

/* Four positions from p on, filters f and, if there is one, f + 1. */
MS_INLINE void ms_end_4x2_mve(int32x4_t a, int32x4_t b, int32_t p, int32_t f, ms_end_mve *end)
{
    const int32_t at = p * end->filters + f, two = f + 1 < end->filters;
    if (end->stage->line) {
        const int32_t *q = end->stage->q + 2 * f;
        const int32x4_t scale = vdupq_n_s32(end->scale);
        const int32x4_t levels_a = ms_scale_mve(vmlasq_n_s32(a, scale, q[0]), vdupq_n_s32(q[1]), end);
        const int32x4_t levels_b = ms_scale_mve(vmlasq_n_s32(b, scale, q[2]), vdupq_n_s32(q[3]), end);
        const uint16x8_t levels = ms_held_mve(levels_a, levels_b, end);
        vstrbq_scatter_offset_p_u16((uint8_t *)end->y + at, end->places, levels, two ? 0xffff : 0x3333);
    } else {
        vst1q_s32(end->lanes, a);
        vst1q_s32(end->lanes + 4, b);
    }
}

/* Position p, four filters from f on or as many as there are. */
MS_INLINE void ms_end_1x4_mve(int32x4_t sums, int32_t p, int32_t f, ms_end_mve *end)
{
    const int32_t at = p * end->filters + f, count = end->filters - f < 4 ? end->filters - f : 4;
    if (end->stage->line) {
        const int32x4x2_t q = vld2q_s32(end->stage->q + 2 * f);
        const int32x4_t levels = ms_scale_mve(vmlaq_n_s32(q.val[0], sums, end->scale), q.val[1], end);
        const uint16x8_t held = ms_held_mve(levels, levels, end);
        vstrbq_p_u32((uint8_t *)end->y + at, vreinterpretq_u32_u16(held), vctp32q((uint32_t)count));
    } else {
        vst1q_s32(end->lanes, sums);
    }
}

#endif
