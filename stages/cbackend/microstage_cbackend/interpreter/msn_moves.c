/* Layers that move values, or make others of them one by one. */
#include "ms_kernels.h"
#include "msn_layers.h"
#include "msn_stages.h"

/* One innermost row of the walk. */
static void copy_row(const msn_work *work, int64_t x, int64_t y, const ms_copy_shape *s)
{
    int64_t values[MSN_RUN];

    for (int32_t d = 0; d < s->size[3]; d += MSN_RUN) {
        const int32_t count = msn_run_of(s->size[3] - d);
        msn_load(values, work->x, x + (int64_t)d * s->x_step[3], s->x_step[3], count);
        msn_store(work->y, y + (int64_t)d * s->y_step[3], s->y_step[3], values, count);
    }
}

void msn_copy(const msn_work *work)
{
    ms_copy_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    const int32_t *xs = s.x_step, *ys = s.y_step;

    for (int64_t a = 0; a < s.size[0]; a++) {
        for (int64_t b = 0; b < s.size[1]; b++) {
            for (int64_t c = 0; c < s.size[2]; c++) {
                copy_row(work, s.x_start + a * xs[0] + b * xs[1] + c * xs[2], s.y_start + a * ys[0] + b * ys[1] + c * ys[2], &s);
            }
        }
    }
}

void msn_gather(const msn_work *work)
{
    const int32_t count = work->layer->shape[0];
    int64_t values[MSN_RUN];

    for (int32_t i = 0; i < count; i += MSN_RUN) {
        const int32_t some = msn_run_of(count - i);
        msn_load(values, work->w, i, 1, some);
        for (int32_t n = 0; n < some; n++) {
            values[n] = msn_value(work->x, values[n]);
        }
        msn_store(work->y, i, 1, values, some);
    }
}

void msn_stage_alone(const msn_work *work)
{
    ms_stage_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    const int by_channel = s.inner == 1; /* then a run goes through the channels */
    const int32_t outer = by_channel ? s.outer : s.outer * s.channels, inner = by_channel ? s.channels : s.inner;
    int64_t values[MSN_RUN], at = 0;

    for (int32_t o = 0; o < outer; o++) {
        for (int32_t i = 0; i < inner; i += MSN_RUN) {
            const int32_t count = msn_run_of(inner - i);
            msn_load(values, work->x, at, 1, count);
            msn_finish_into(work, at, values, count, by_channel ? i : o % s.channels, by_channel);
            at += count;
        }
    }
}

void msn_table(const msn_work *work)
{
    const int32_t count = work->layer->shape[0], low = work->layer->shape[1];
    const uint64_t places = work->w_elements;
    int64_t values[MSN_RUN];

    for (int32_t i = 0; i < count; i += MSN_RUN) {
        const int32_t some = msn_run_of(count - i);
        msn_load(values, work->x, i, 1, some);
        for (int32_t n = 0; n < some; n++) {
            const uint64_t place = (uint64_t)values[n] - (uint64_t)(int64_t)low;
            values[n] = msn_value(work->w, place < places ? (int64_t)place : 0);
        }
        msn_store(work->y, i, 1, values, some);
    }
}

void msn_take(const msn_work *work)
{
    ms_take_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    for (int64_t o = 0; o < s.outer; o++) {
        for (int64_t i = 0; i < (int64_t)s.keep * s.inner; i++) {
            const int64_t at = o * s.keep * s.inner + i, place = msn_value(work->w, at);
            const int64_t held = place >= 0 && place < s.count ? place : 0;
            const int64_t value = msn_value(work->x, (o * s.count + held) * s.inner + i % s.inner);
            msn_store(work->y, at, 1, &value, 1);
        }
    }
}
