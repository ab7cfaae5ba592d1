/* Layers that look at windows: the patches themselves, their largest, their sum, the signs that any of them has. */
#include "ms_kernels.h"
#include "msn_layers.h"
#include "msn_stages.h"

void msn_im2col(const msn_work *work)
{
    ms_im2col_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    int64_t values[MSN_RUN], at = 0;

    for (int32_t t = 0; t < s.out_height * s.out_width * s.kernel_h * s.kernel_w; t++) {
        const int32_t p = t / (s.kernel_h * s.kernel_w), k = t % (s.kernel_h * s.kernel_w);
        const int32_t h = p / s.out_width * s.stride_h + k / s.kernel_w * s.dilation_h - s.pad_top;
        const int32_t i = p % s.out_width * s.stride_w + k % s.kernel_w * s.dilation_w - s.pad_left;
        if (h < 0 || h >= s.height || i < 0 || i >= s.width) {
            msn_fill(work->y, at, s.pad_value, s.channels);
            at += s.channels;
            continue;
        }
        for (int32_t c = 0; c < s.channels; c += MSN_RUN) {
            const int32_t count = msn_run_of(s.channels - c);
            msn_load(values, work->x, ((int64_t)h * s.width + i) * s.channels + c, 1, count);
            msn_store(work->y, at, 1, values, count);
            at += count;
        }
    }
}

/* What becomes of values that are seen one after another. */
typedef void (*msn_joining)(int64_t *held, const int64_t *seen, int32_t count);

static void largest(int64_t *held, const int64_t *seen, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        held[i] = seen[i] > held[i] ? seen[i] : held[i];
    }
}

static void sum(int64_t *held, const int64_t *seen, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        held[i] = msn_wrapped_sum(held[i], seen[i]);
    }
}

static void any(int64_t *held, const int64_t *seen, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        held[i] |= seen[i];
    }
}

/* `count` values from n on of all positions of window (o, oh, ow), joined; `held` has what they begin with. */
static void join_window(const msn_work *work, int64_t *held, int32_t o, int32_t p, int32_t n, int32_t count, msn_joining join,
                        const ms_max_pool_shape *s)
{
    int64_t seen[MSN_RUN];

    for (int32_t kh = 0; kh < s->kernel_h; kh++) {
        const int32_t h = p / s->out_width * s->stride_h + kh - s->pad_top;
        for (int32_t kw = 0; kw < s->kernel_w; kw++) {
            const int32_t i = p % s->out_width * s->stride_w + kw - s->pad_left;
            if (h >= 0 && h < s->height && i >= 0 && i < s->width) {
                msn_load(seen, work->x, (((int64_t)o * s->height + h) * s->width + i) * s->inner + n, 1, count);
                join(held, seen, count);
            }
        }
    }
}

static void pool(const msn_work *work, msn_joining join, int64_t start)
{
    ms_max_pool_shape s; /* ms_sum_pool_shape has the same fields */
    memcpy(&s, work->layer->shape, sizeof s);
    int64_t held[MSN_RUN], at = 0;

    for (int32_t o = 0; o < s.outer; o++) {
        for (int32_t p = 0; p < s.out_height * s.out_width; p++) {
            for (int32_t n = 0; n < s.inner; n += MSN_RUN) {
                const int32_t count = msn_run_of(s.inner - n);
                for (int32_t i = 0; i < count; i++) {
                    held[i] = start;
                }
                join_window(work, held, o, p, n, count, join, &s);
                msn_finish_into(work, at, held, count, 0, 0);
                at += count;
            }
        }
    }
}

void msn_max_pool(const msn_work *work)
{
    pool(work, largest, INT64_MIN);
}

void msn_sum_pool(const msn_work *work)
{
    pool(work, sum, 0);
}

void msn_or_pool(const msn_work *work)
{
    pool(work, any, 0);
}
