/* The stages of ms_layers.h, a run at a time and in arithmetic that wraps: what a strange file says of them is never undefined. */
#include "msn_stages.h"

static int64_t held(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* sum * multiplier + offset of channel c. */
static int64_t line(const msn_work *work, int64_t sum, int32_t c)
{
    const int32_t *multiplier = work->arrays[0], *narrow = work->arrays[1];
    const int64_t *wide = work->arrays[1];
    return msn_wrapped_sum(msn_wrapped_product(sum, multiplier[c]), work->layer->stage == MSN_STAGE_AFFINE32 ? narrow[c] : wide[c]);
}

/* affine32, affine64 */
static int64_t affine(const msn_work *work, int64_t sum, int32_t c)
{
    const int32_t *n = work->layer->numbers;
    return held(line(work, sum, c) >> n[0], n[1], n[2]);
}

static int64_t even(const msn_work *work, int64_t sum, int32_t c)
{
    const int32_t *n = work->layer->numbers;
    const int64_t value = line(work, sum, c), more = ((int64_t)1 << (n[0] - 1)) - 1 + ((value >> n[0] & 1) ^ n[3]);
    return held(msn_wrapped_sum(value, more) >> n[0], n[1], n[2]);
}

static int64_t kink(const msn_work *work, int64_t sum, int32_t c)
{
    const int32_t *n = work->layer->numbers;
    const int64_t value = line(work, sum, c), *below = work->arrays[2];
    return held((value < work->layer->wide ? (int64_t)((uint64_t)value - (uint64_t)below[c]) : value) >> n[0], n[1], n[2]);
}

static int64_t wide(const msn_work *work, int64_t sum, int32_t c)
{
    const int32_t *n = work->layer->numbers, *lower = work->arrays[2], *fine = work->arrays[3];
    const int64_t *upper = work->arrays[0], *addend = work->arrays[1];
    const int64_t less = msn_wrapped_sum(msn_wrapped_product(sum, lower[c]), fine[c]) >> 24;
    const int64_t value = msn_wrapped_sum(msn_wrapped_sum(msn_wrapped_product(sum, upper[c]), addend[c]), less);
    const int64_t level = value >> n[0], fraction = value & (((int64_t)1 << n[0]) - 1);
    return held(level - ((fraction < work->layer->wide) & (level ^ n[3]) & 1), n[1], n[2]);
}

/* Thresholds of type `type`, ascending, from `start` on: how many of `levels` the sum reaches. */
#define REACHED(type)                                                        \
    static int32_t reached_##type(const type *t, int32_t levels, int64_t sum) \
    {                                                                        \
        int32_t reached = 0, left = levels;                                  \
        while (left > 0) {                                                   \
            const int32_t half = left - left / 2;                            \
            reached += sum >= t[reached + half - 1] ? half : 0;              \
            left -= half;                                                    \
        }                                                                    \
        return reached;                                                      \
    }
REACHED(int16_t)
REACHED(int32_t)
REACHED(int64_t)

static int64_t search(const msn_work *work, int64_t sum, int32_t c)
{
    const int32_t *n = work->layer->numbers, levels = n[1];
    const int64_t start = n[0] == 1 ? 0 : (int64_t)c * levels;
    int32_t reached = 0;
    if (levels > 0 && work->layer->stage == MSN_STAGE_SEARCH16) {
        reached = reached_int16_t((const int16_t *)work->arrays[0] + start, levels, sum);
    } else if (levels > 0 && work->layer->stage == MSN_STAGE_SEARCH32) {
        reached = reached_int32_t((const int32_t *)work->arrays[0] + start, levels, sum);
    } else if (levels > 0) {
        reached = reached_int64_t((const int64_t *)work->arrays[0] + start, levels, sum);
    }
    return n[3] + (int64_t)n[2] * reached;
}

static int64_t shared(const msn_work *work, int64_t sum, int32_t c)
{
    const int32_t *n = work->layer->numbers, *offset = work->arrays[1];
    const int64_t value = msn_wrapped_sum(msn_wrapped_product(sum, (int64_t)1 << n[1]), offset[c]);
    return (int64_t)n[2] + (n[0] > 0 ? reached_int32_t(work->arrays[0], n[0], value) : 0);
}

#define EACH(stage)                              \
    for (int32_t i = 0; i < count; i++) {        \
        sums[i] = stage(work, sums[i], c + i * step); \
    }                                            \
    break

void msn_finish(const msn_work *work, int64_t *sums, int32_t count, int32_t c, int32_t step)
{
    switch (work->layer->stage) {
    case MSN_STAGE_AFFINE32:
    case MSN_STAGE_AFFINE64: EACH(affine);
    case MSN_STAGE_EVEN64: EACH(even);
    case MSN_STAGE_KINK64: EACH(kink);
    case MSN_STAGE_WIDE64: EACH(wide);
    case MSN_STAGE_SEARCH16:
    case MSN_STAGE_SEARCH32:
    case MSN_STAGE_SEARCH64: EACH(search);
    case MSN_STAGE_SHARED32: EACH(shared);
    default: break; /* the sums themselves */
    }
}

void msn_finish_into(const msn_work *work, int64_t at, int64_t *sums, int32_t count, int32_t c, int32_t step)
{
    msn_finish(work, sums, count, c, step);
    msn_store(work->y, at, 1, sums, count);
}
