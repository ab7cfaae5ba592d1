/* Layers of int8 as TFLite computes them, product by product. */
#include <string.h>

#include "arm_nnfunctions.h"

static int32_t requantised(int64_t x, int32_t multiplier, int32_t shift)
{
    const int64_t product = x * ((int64_t)1 << (shift > 0 ? shift : 0)) * multiplier;
    const int64_t doubled = (product + (product < 0 ? 1 - (1 << 30) : 1 << 30)) / ((int64_t)1 << 31);
    const int32_t right = shift < 0 ? -shift : 0;
    const int64_t mask = ((int64_t)1 << right) - 1;
    return (int32_t)((doubled >> right) + ((doubled & mask) > (mask >> 1) + (doubled < 0)));
}

static int8_t clamped(int32_t value, cmsis_nn_activation a)
{
    return (int8_t)(value < a.min ? a.min : value > a.max ? a.max : value);
}

/* The value at a place of x, or what lies around it. */
static int32_t at(const int8_t *x, const cmsis_nn_dims *in, int32_t row, int32_t column, int32_t channel, int32_t around)
{
    const int inside = row >= 0 && row < in->h && column >= 0 && column < in->w;
    return inside ? x[(row * in->w + column) * in->c + channel] : around;
}

static void spoil(const cmsis_nn_context *context)
{
    if (context->size) {
        memset(context->buf, 0x5a, (size_t)context->size);
    }
}

#define FOR(i, count) for (int32_t i = 0; i < (count); i++)

int arm_convolve_wrapper_s8(WEIGHTED(cmsis_nn_conv_params, cmsis_nn_per_channel_quant_params))
{
    (void)biases;
    spoil(context);
    FOR(row, out->h) FOR(column, out->w) FOR(f, out->c) {
        int32_t sum = bias[f];
        FOR(i, filter->h) FOR(j, filter->w) FOR(c, in->c) {
            const int32_t r = row * p->stride.h - p->padding.h + i, k = column * p->stride.w - p->padding.w + j;
            const int32_t w = weights[((f * filter->h + i) * filter->w + j) * in->c + c];
            sum += (at(x, in, r, k, c, -p->input_offset) + p->input_offset) * w;
        }
        *y++ = clamped(requantised(sum, q->multiplier[f], q->shift[f]) + p->output_offset, p->activation);
    }
    return 0;
}

int arm_depthwise_conv_wrapper_s8(WEIGHTED(cmsis_nn_dw_conv_params, cmsis_nn_per_channel_quant_params))
{
    (void)biases;
    spoil(context);
    FOR(row, out->h) FOR(column, out->w) FOR(f, out->c) {
        int32_t sum = bias[f];
        FOR(i, filter->h) FOR(j, filter->w) {
            const int32_t r = row * p->stride.h - p->padding.h + i, k = column * p->stride.w - p->padding.w + j;
            const int32_t w = weights[(i * filter->w + j) * out->c + f];
            sum += (at(x, in, r, k, f, -p->input_offset) + p->input_offset) * w;
        }
        *y++ = clamped(requantised(sum, q->multiplier[f], q->shift[f]) + p->output_offset, p->activation);
    }
    return 0;
}

int arm_fully_connected_s8(WEIGHTED(cmsis_nn_fc_params, cmsis_nn_per_tensor_quant_params))
{
    const int32_t *sums = context->buf;
    (void)biases, (void)in, (void)bias;
    FOR(f, out->c) {
        int32_t sum = sums[f];
        FOR(c, filter->n) { sum += x[c] * weights[f * filter->n + c]; }
        y[f] = clamped(requantised(sum, q->multiplier, q->shift) + p->output_offset, p->activation);
    }
    return 0;
}

int arm_elementwise_add_s8(const int8_t *a, const int8_t *b, int32_t offset_a, int32_t multiplier_a, int32_t shift_a,
                           int32_t offset_b, int32_t multiplier_b, int32_t shift_b, int32_t headroom, int8_t *y,
                           int32_t offset, int32_t multiplier, int32_t shift, int32_t low, int32_t high, int32_t count)
{
    FOR(i, count) {
        const int32_t raised_a = (a[i] + offset_a) * (1 << headroom), raised_b = (b[i] + offset_b) * (1 << headroom);
        const int32_t sum = requantised(raised_a, multiplier_a, shift_a) + requantised(raised_b, multiplier_b, shift_b);
        y[i] = clamped(requantised(sum, multiplier, shift) + offset, (cmsis_nn_activation){low, high});
    }
    return 0;
}

int arm_avgpool_s8(const cmsis_nn_context *context, const cmsis_nn_pool_params *p, const cmsis_nn_dims *in,
                   const int8_t *x, const cmsis_nn_dims *filter, const cmsis_nn_dims *out, int8_t *y)
{
    spoil(context);
    FOR(row, out->h) FOR(column, out->w) FOR(c, out->c) {
        const int32_t count = filter->h * filter->w;
        int32_t sum = 0;
        FOR(i, filter->h) FOR(j, filter->w) {
            sum += at(x, in, row * p->stride.h + i, column * p->stride.w + j, c, 0);
        }
        *y++ = clamped((sum + (sum > 0 ? count / 2 : -(count / 2))) / count, p->activation);
    }
    return 0;
}
