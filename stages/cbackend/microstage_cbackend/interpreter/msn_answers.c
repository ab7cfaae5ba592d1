/* Layers at the end of a network: fractions, and the places of the largest values. */
#include "ms_kernels.h"
#include "msn_layers.h"
#include "msn_values.h"

/* ms_softmax of bytes; its fixed-point arithmetic serves the other types too. */
#define x_t int8_t
#define w_t int32_t
#define y_t int8_t
#define ms_softmax softmax_of_bytes
static void ms_softmax(const x_t *x, const w_t *exp, y_t *y, const ms_softmax_shape *shape);
#include "ms_softmax.c"
#undef ms_softmax
#undef x_t
#undef w_t
#undef y_t

/* exp of the difference of value i of row o to the row's largest. */
static int32_t exponential(const msn_work *work, int64_t place, int64_t largest, const ms_softmax_shape *s)
{
    const uint64_t difference = (uint64_t)largest - (uint64_t)msn_value(work->x, place);
    return difference < (uint64_t)s->count ? ((const int32_t *)(const void *)work->w.at)[difference] : 0;
}

static int64_t largest_of(msn_source x, int64_t first, int32_t depth)
{
    int64_t largest = INT64_MIN;
    for (int32_t i = 0; i < depth; i++) {
        const int64_t value = msn_value(x, first + i);
        largest = value > largest ? value : largest;
    }
    return largest;
}

/* ms_softmax of one row of any type. */
static void softmax_row(const msn_work *work, int64_t first, const ms_softmax_shape *s)
{
    const int64_t largest = largest_of(work->x, first, s->depth), low = -((int64_t)1 << (s->bits - 1));
    uint32_t sum = 0;
    int32_t headroom = 0;

    for (int32_t i = 0; i < s->depth; i++) {
        const int32_t exp = exponential(work, first + i, largest, s);
        sum += (uint32_t)((exp >> 12) + (exp >> 11 & 1));
    }
    for (; headroom < 31 && !(sum >> 31); headroom++) {
        sum <<= 1;
    }
    const int32_t scale = one_over_one_plus((int32_t)(sum - ((uint32_t)1 << 31))), exponent = 12 - headroom + 31 - s->bits;
    for (int32_t i = 0; i < s->depth; i++) {
        int64_t level = high_product(scale, exponential(work, first + i, largest, s));
        level = ((level + ((int64_t)1 << exponent >> 1)) >> exponent) + low;
        level = level > -low - 1 ? -low - 1 : level;
        msn_store(work->y, first + i, 1, &level, 1);
    }
}

void msn_softmax(const msn_work *work)
{
    ms_softmax_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    if (work->x.type == MSN_TYPE_INT8 && work->y.type == MSN_TYPE_INT8) {
        softmax_of_bytes((const int8_t *)work->x.at, (const int32_t *)(const void *)work->w.at, (int8_t *)work->y.at, &s);
        return;
    }
    for (int64_t o = 0; o < s.outer; o++) {
        softmax_row(work, o * s.depth, &s);
    }
}

/* The place of the largest value that comes after place `last`, in the order of ms_top; `last` -1: of all. */
static int32_t next_of(const msn_work *work, int64_t first, int32_t last, const ms_top_shape *s)
{
    const int64_t before = last < 0 ? 0 : msn_value(work->x, first + (int64_t)last * s->inner);
    int64_t most = 0;
    int32_t best = -1;

    for (int32_t j = 0; j < s->count; j++) {
        const int32_t i = s->last ? s->count - 1 - j : j;
        const int64_t value = msn_value(work->x, first + (int64_t)i * s->inner);
        const int after = last < 0 || value < before || (value == before && (s->last ? i < last : i > last));
        if (after && (best < 0 || value > most)) {
            best = i;
            most = value;
        }
    }
    return best;
}

void msn_top(const msn_work *work)
{
    ms_top_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    for (int64_t o = 0; o < s.outer; o++) {
        for (int64_t n = 0; n < s.inner; n++) {
            int32_t last = -1;
            for (int64_t k = 0; k < s.keep; k++) {
                last = next_of(work, o * s.count * s.inner + n, last, &s);
                const int64_t place = last;
                msn_store(work->y, (o * s.keep + k) * s.inner + n, 1, &place, 1);
            }
        }
    }
}
