/* Layers that sum products: a run of channels at a time, then their stage. */
#include "ms_kernels.h"
#include "msn_layers.h"
#include "msn_stages.h"
#include "msn_sums.h"

/* One row of x by `columns` rows of w, of channels from c on, into y from place `at` on. */
static void dot_row(const msn_work *work, msn_source x, int64_t x_start, int32_t depth, int32_t c, int32_t columns, int64_t at)
{
    int64_t sums[MSN_RUN];

    for (int32_t done = 0; done < columns; done += MSN_RUN) {
        const int32_t count = msn_run_of(columns - done), first = c + done;
        msn_sums(sums, x, x_start, work->w, (int64_t)first * depth, depth, count, work->layer->accumulator);
        msn_add_bias(sums, work->third, first, count);
        msn_finish_into(work, at + done, sums, count, first, 1);
    }
}

void msn_linear(const msn_work *work)
{
    ms_linear_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    for (int32_t r = 0; r < s.rows; r++) {
        dot_row(work, work->x, (int64_t)r * s.depth, s.depth, 0, s.columns, (int64_t)r * s.columns);
    }
}

/* Integers of 1, 2 or 4 bits to one byte each: the first in the lowest bits; 1 bit means -1 or +1. */
#include "ms_expand.c"

void msn_linear_packed(const msn_work *work)
{
    ms_linear_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    const int32_t bits = work->layer->shape[3], bytes = (s.depth * bits + 7) / 8;
    const msn_source row = {work->scratch, MSN_TYPE_INT8};

    for (int32_t c = 0; c < s.columns; c++) {
        ms_expand(work->w.at + (int64_t)c * bytes, work->scratch, s.depth, bits);
        for (int32_t r = 0; r < s.rows; r++) {
            int64_t sum;
            msn_sums(&sum, work->x, (int64_t)r * s.depth, row, 0, s.depth, 1, work->layer->accumulator);
            msn_add_bias(&sum, work->third, c, 1);
            msn_finish_into(work, (int64_t)r * s.columns + c, &sum, 1, c, 1);
        }
    }
}

/* What one group of filters sees of x, from channel `first` on: [kernel_h][kernel_w][depth], of x's type. */
static void copy_patch(const msn_work *work, msn_target patch, int32_t oh, int32_t ow, int32_t first, const ms_conv2d_shape *s)
{
    const uint32_t bytes = msn_type_bytes(work->x.type);
    const int32_t depth = s->channels / s->groups;
    int64_t at = 0;

    for (int32_t kh = 0; kh < s->kernel_h; kh++) {
        const int32_t h = oh * s->stride_h + kh * s->dilation_h - s->pad_top;
        for (int32_t kw = 0; kw < s->kernel_w; kw++, at += depth) {
            const int32_t i = ow * s->stride_w + kw * s->dilation_w - s->pad_left;
            if (h >= 0 && h < s->height && i >= 0 && i < s->width) {
                const int64_t pixel = ((int64_t)h * s->width + i) * s->channels + first;
                memcpy(patch.at + at * bytes, work->x.at + pixel * bytes, (size_t)depth * bytes);
            } else {
                msn_fill(patch, at, s->pad_value, depth);
            }
        }
    }
}

void msn_conv2d(const msn_work *work)
{
    ms_conv2d_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    const int32_t depth = s.channels / s.groups, filters = s.filters / s.groups;
    const msn_target patch = {work->scratch, work->x.type};
    const msn_source seen = {work->scratch, work->x.type};
    int64_t at = 0;

    for (int32_t oh = 0; oh < s.out_height; oh++) {
        for (int32_t ow = 0; ow < s.out_width; ow++) {
            for (int32_t g = 0; g < s.groups; g++, at += filters) {
                copy_patch(work, patch, oh, ow, g * depth, &s);
                dot_row(work, seen, 0, s.kernel_h * s.kernel_w * depth, g * filters, filters, at);
            }
        }
    }
}

/* Sum of one filter, expanded in `row`, at one position. */
static int64_t sum_at(const msn_work *work, msn_source row, int32_t oh, int32_t ow, int32_t first, const ms_conv2d_shape *s)
{
    const int32_t depth = s->channels / s->groups;
    int64_t sum = 0;

    for (int32_t kh = 0; kh < s->kernel_h; kh++) {
        const int32_t h = oh * s->stride_h + kh * s->dilation_h - s->pad_top;
        for (int32_t kw = 0; kw < s->kernel_w; kw++) {
            const int32_t i = ow * s->stride_w + kw * s->dilation_w - s->pad_left;
            const int64_t weights = ((int64_t)kh * s->kernel_w + kw) * depth;
            int64_t tap = 0;
            if (h >= 0 && h < s->height && i >= 0 && i < s->width) {
                const int64_t pixel = ((int64_t)h * s->width + i) * s->channels + first;
                msn_sums(&tap, work->x, pixel, row, weights, depth, 1, work->layer->accumulator);
            }
            for (int32_t c = 0; s->pad_value && !(h >= 0 && h < s->height && i >= 0 && i < s->width) && c < depth; c++) {
                tap = msn_wrapped_sum(tap, msn_wrapped_product(s->pad_value, msn_value(row, weights + c)));
            }
            sum = msn_wrapped_sum(sum, tap);
        }
    }
    return sum;
}

void msn_conv2d_packed(const msn_work *work)
{
    ms_conv2d_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    const int32_t depth = s.channels / s.groups, taps = s.kernel_h * s.kernel_w * depth;
    const int32_t bits = work->layer->shape[16], bytes = (taps * bits + 7) / 8;
    const msn_source row = {work->scratch, MSN_TYPE_INT8};

    for (int32_t f = 0; f < s.filters; f++) {
        ms_expand(work->w.at + (int64_t)f * bytes, work->scratch, taps, bits);
        for (int32_t p = 0; p < s.out_height * s.out_width; p++) {
            const int32_t first = f / (s.filters / s.groups) * depth;
            int64_t sum = sum_at(work, row, p / s.out_width, p % s.out_width, first, &s);
            msn_add_bias(&sum, work->third, f, 1);
            msn_finish_into(work, (int64_t)p * s.filters + f, &sum, 1, f, 1);
        }
    }
}

/* sums[i] += x * w of one tap for channels from c on; outside x stands pad_value. */
static void add_tap(const msn_work *work, int64_t *sums, int32_t h, int32_t i, int64_t weights, int32_t c, int32_t count,
                    const ms_conv2d_shape *s)
{
    int64_t left[MSN_RUN], right[MSN_RUN];

    msn_load(right, work->w, weights + c, 1, count);
    if (h >= 0 && h < s->height && i >= 0 && i < s->width) {
        msn_load(left, work->x, ((int64_t)h * s->width + i) * s->channels + c, 1, count);
    } else {
        for (int32_t n = 0; n < count; n++) {
            left[n] = s->pad_value;
        }
    }
    for (int32_t n = 0; n < count; n++) {
        sums[n] = msn_wrapped_sum(sums[n], msn_wrapped_product(left[n], right[n]));
    }
}

/* `count` channels from c on at one position. */
static void depthwise_at(const msn_work *work, int32_t p, int32_t c, int32_t count, const ms_conv2d_shape *s)
{
    const int32_t oh = p / s->out_width, ow = p % s->out_width;
    int64_t sums[MSN_RUN] = {0};

    for (int32_t kh = 0; kh < s->kernel_h; kh++) {
        for (int32_t kw = 0; kw < s->kernel_w; kw++) {
            const int32_t h = oh * s->stride_h + kh * s->dilation_h - s->pad_top;
            const int32_t i = ow * s->stride_w + kw * s->dilation_w - s->pad_left;
            add_tap(work, sums, h, i, ((int64_t)kh * s->kernel_w + kw) * s->channels, c, count, s);
        }
    }
    msn_add_bias(sums, work->third, c, count);
    msn_finish_into(work, (int64_t)p * s->channels + c, sums, count, c, 1);
}

void msn_depthwise(const msn_work *work)
{
    ms_conv2d_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    for (int32_t p = 0; p < s.out_height * s.out_width; p++) {
        for (int32_t c = 0; c < s.channels; c += MSN_RUN) {
            depthwise_at(work, p, c, msn_run_of(s.channels - c), &s);
        }
    }
}
