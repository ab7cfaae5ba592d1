/* Layers of two tensors, element by element: ms_add, ms_mul, ms_blend. */
#include "ms_kernels.h"
#include "msn_layers.h"
#include "msn_stages.h"

/* left[i] becomes what the layer makes of both. */
static void join(const msn_work *work, int64_t *left, const int64_t *right, int32_t count)
{
    const int64_t *factors = work->layer->factors;
    const uint16_t kernel = work->layer->kernel;

    for (int32_t i = 0; i < count; i++) {
        if (kernel == MSN_KERNEL_ADD) {
            left[i] = msn_wrapped_sum(left[i], right[i]);
        } else if (kernel == MSN_KERNEL_MUL) {
            left[i] = msn_wrapped_product(left[i], right[i]);
        } else {
            left[i] = msn_wrapped_sum(msn_wrapped_product(left[i], factors[0]), msn_wrapped_product(right[i], factors[1]));
        }
    }
}

/* One innermost row of the walk. */
static void join_row(const msn_work *work, int64_t x, int64_t w, int64_t at, const ms_pair_shape *s)
{
    int64_t left[MSN_RUN], right[MSN_RUN];

    for (int32_t d = 0; d < s->size[3]; d += MSN_RUN) {
        const int32_t count = msn_run_of(s->size[3] - d);
        msn_load(left, work->x, x + (int64_t)d * s->x_step[3], s->x_step[3], count);
        msn_load(right, work->w, w + (int64_t)d * s->w_step[3], s->w_step[3], count);
        join(work, left, right, count);
        msn_finish_into(work, at + d, left, count, 0, 0);
    }
}

void msn_pair(const msn_work *work)
{
    ms_pair_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    const int32_t *xs = s.x_step, *ws = s.w_step;
    int64_t at = 0;

    for (int64_t a = 0; a < s.size[0]; a++) {
        for (int64_t b = 0; b < s.size[1]; b++) {
            for (int64_t c = 0; c < s.size[2]; c++, at += s.size[3]) {
                join_row(work, a * xs[0] + b * xs[1] + c * xs[2], a * ws[0] + b * ws[1] + c * ws[2], at, &s);
            }
        }
    }
}
