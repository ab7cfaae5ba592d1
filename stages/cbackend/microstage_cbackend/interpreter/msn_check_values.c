/* Kernels of any types: that all they read and write lies inside their operands. */
#include "ms_kernels.h"
#include "msn_check.h"
#include "msn_values.h"

/* A stage of whole sums, not that of the specialised kernels. */
static msn_status check_sums(const msn_checked *c, int64_t channels)
{
    return c->layer->stage == MSN_STAGE_REQUANT || c->layer->stage == MSN_STAGE_NONE ? MSN_BROKEN : msn_check_stage(c, channels);
}

static msn_status broken_unless(int sound)
{
    return sound ? MSN_OK : MSN_BROKEN;
}

/* Weights: whole numbers with `count` elements, or rows of packed bits. */
static int has_weights(const msn_checked *c, int64_t rows, int64_t depth, int packed, int32_t bits)
{
    if (!packed) {
        return msn_is(c, MSN_W, MSN_ANY_INTEGER) && msn_has(c, MSN_W, msn_times(rows, depth));
    }
    return (bits == 1 || bits == 2 || bits == 4) && depth < INT32_MAX / 8 && msn_is(c, MSN_W, MSN_BYTES)
        && msn_has(c, MSN_W, msn_times(rows, (depth * bits + 7) / 8)) && c->layer->scratch_bytes >= depth;
}

static int has_bias(const msn_checked *c, int64_t channels)
{
    return !c->operands[MSN_THIRD] || (msn_is(c, MSN_THIRD, MSN_ANY_INTEGER) && msn_has(c, MSN_THIRD, channels));
}

static int in_values(const msn_checked *c)
{
    return msn_is(c, MSN_X, MSN_ANY_INTEGER) && msn_is(c, MSN_Y, MSN_ANY_INTEGER);
}

static msn_status check_linear(const msn_checked *c)
{
    const int32_t rows = c->shape[0], depth = c->shape[1], columns = c->shape[2];
    const int sound = in_values(c) && msn_has(c, MSN_X, msn_times(rows, depth)) && msn_has(c, MSN_Y, msn_times(rows, columns))
                   && has_bias(c, columns) && has_weights(c, columns, depth, c->layer->kernel == MSN_KERNEL_LINEAR_PACKED, c->shape[3]);
    return sound ? check_sums(c, columns) : MSN_BROKEN;
}

/* Whether places of windows stay so small that int32_t holds them. */
static int windows_fit(int64_t out, int64_t stride, int64_t kernel, int64_t dilation, int64_t pad)
{
    return msn_plus(msn_last(out, stride), msn_last(kernel, dilation)) < INT32_MAX / 2 && pad < INT32_MAX / 2;
}

static msn_status check_conv(const msn_checked *c)
{
    ms_conv2d_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int packed = c->layer->kernel == MSN_KERNEL_CONV2D_PACKED, depthwise = c->layer->kernel == MSN_KERNEL_DEPTHWISE;
    const int64_t positions = msn_times(s.out_height, s.out_width), kernel = msn_times(s.kernel_h, s.kernel_w);
    const int64_t taps = msn_times(kernel, depthwise ? 1 : s.channels / s.groups), filters = depthwise ? s.channels : s.filters;
    const int image = msn_has(c, MSN_X, msn_times(msn_times(s.height, s.width), s.channels))
                   && msn_has(c, MSN_Y, msn_times(positions, filters));
    const int windows = windows_fit(s.out_height, s.stride_h, s.kernel_h, s.dilation_h, s.pad_top)
                     && windows_fit(s.out_width, s.stride_w, s.kernel_w, s.dilation_w, s.pad_left);
    const int groups = depthwise || (s.channels % s.groups == 0 && s.filters % s.groups == 0);
    const int scratch = depthwise || packed
                     || (c->operands[MSN_X] && msn_times(taps, msn_type_bytes(c->operands[MSN_X]->ctype)) <= c->layer->scratch_bytes);
    const int sound = in_values(c) && image && windows && groups && scratch && positions < INT32_MAX && taps < INT32_MAX
                   && has_bias(c, filters) && has_weights(c, filters, taps, packed, c->shape[16]);
    return sound ? check_sums(c, filters) : MSN_BROKEN;
}

msn_status msn_check_dots(const msn_checked *c)
{
    const int sums = c->layer->accumulator == MSN_TYPE_INT32 || c->layer->accumulator == MSN_TYPE_INT64;
    const int linear = c->layer->kernel == MSN_KERNEL_LINEAR || c->layer->kernel == MSN_KERNEL_LINEAR_PACKED;
    return !sums ? MSN_BROKEN : linear ? check_linear(c) : check_conv(c);
}

static msn_status check_patches(const msn_checked *c)
{
    ms_im2col_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int64_t patches = msn_times(msn_times(s.out_height, s.out_width), msn_times(s.kernel_h, s.kernel_w));
    return broken_unless(in_values(c) && msn_has(c, MSN_X, msn_times(msn_times(s.height, s.width), s.channels))
                         && msn_has(c, MSN_Y, msn_times(patches, s.channels)) && patches < INT32_MAX
                         && windows_fit(s.out_height, s.stride_h, s.kernel_h, s.dilation_h, s.pad_top)
                         && windows_fit(s.out_width, s.stride_w, s.kernel_w, s.dilation_w, s.pad_left));
}

msn_status msn_check_windows(const msn_checked *c)
{
    if (c->layer->kernel == MSN_KERNEL_IM2COL) {
        return check_patches(c);
    }
    ms_max_pool_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int64_t positions = msn_times(s.out_height, s.out_width), images = msn_times(s.outer, s.inner);
    const int words = msn_is(c, MSN_X, MSN_WORDS) && msn_is(c, MSN_Y, MSN_WORDS);
    const int sound = (c->layer->kernel == MSN_KERNEL_OR_POOL ? words : in_values(c)) && positions < INT32_MAX
                   && msn_has(c, MSN_X, msn_times(msn_times(s.height, s.width), images)) && msn_has(c, MSN_Y, msn_times(positions, images))
                   && windows_fit(s.out_height, s.stride_h, s.kernel_h, 1, s.pad_top)
                   && windows_fit(s.out_width, s.stride_w, s.kernel_w, 1, s.pad_left);
    if (!sound) {
        return MSN_BROKEN;
    }
    return c->layer->kernel == MSN_KERNEL_SUM_POOL ? check_sums(c, 1) : broken_unless(c->layer->stage == MSN_STAGE_NONE);
}

/* Whether a walk of four loops from place `start` on stays inside an operand. */
static int walk_fits(const msn_checked *c, int operand, int64_t start, const int32_t *size, const int32_t *step)
{
    int64_t low = 0, high = 0;
    for (int axis = 0; axis < 4; axis++) {
        const int64_t reach = msn_last(size[axis], step[axis] < 0 ? -(int64_t)step[axis] : step[axis]);
        *(step[axis] < 0 ? &low : &high) = msn_plus(step[axis] < 0 ? low : high, reach);
    }
    return c->operands[operand] && start - low >= -c->before[operand] && start + high < c->room[operand];
}

msn_status msn_check_pairs(const msn_checked *c)
{
    ms_pair_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int sound = in_values(c) && msn_is(c, MSN_W, MSN_ANY_INTEGER) && walk_fits(c, MSN_X, 0, s.size, s.x_step)
                   && walk_fits(c, MSN_W, 0, s.size, s.w_step) && msn_has(c, MSN_Y, msn_all(s.size, 4));
    if (!sound) {
        return MSN_BROKEN;
    }
    return c->layer->kernel == MSN_KERNEL_BLEND ? check_sums(c, 1) : broken_unless(c->layer->stage == MSN_STAGE_NONE);
}

static msn_status check_copy(const msn_checked *c)
{
    ms_copy_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int words = msn_is(c, MSN_X, MSN_WORDS) && msn_is(c, MSN_Y, MSN_WORDS);
    return broken_unless((words || in_values(c)) && walk_fits(c, MSN_X, s.x_start, s.size, s.x_step)
                         && walk_fits(c, MSN_Y, s.y_start, s.size, s.y_step));
}

static msn_status check_gather(const msn_checked *c)
{
    const int32_t count = c->shape[0];
    if (!in_values(c) || !msn_is(c, MSN_W, MSN_ANY_INTEGER) || c->operands[MSN_W]->place != MSN_PLACE_CONSTANT
        || !msn_has(c, MSN_W, count) || !msn_has(c, MSN_Y, count)) {
        return MSN_BROKEN;
    }
    const msn_source places = {msn_constant_at(c->network, c->operands[MSN_W]), c->operands[MSN_W]->ctype};
    for (int32_t i = 0; i < count; i++) {
        const int64_t place = msn_value(places, c->before[MSN_W] + i);
        if (place < 0 || place >= c->room[MSN_X]) {
            return MSN_BROKEN;
        }
    }
    return MSN_OK;
}

static msn_status check_take(const msn_checked *c)
{
    ms_take_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int64_t rows = msn_times(s.outer, s.inner);
    return broken_unless(in_values(c) && msn_is(c, MSN_W, MSN_ANY_INTEGER) && msn_has(c, MSN_X, msn_times(rows, s.count))
                         && msn_has(c, MSN_W, msn_times(rows, s.keep)) && msn_has(c, MSN_Y, msn_times(rows, s.keep)));
}

msn_status msn_check_moves(const msn_checked *c)
{
    const int64_t all = msn_all(c->shape, 3);
    switch (c->layer->kernel) {
    case MSN_KERNEL_COPY: return check_copy(c);
    case MSN_KERNEL_GATHER: return check_gather(c);
    case MSN_KERNEL_TAKE: return check_take(c);
    case MSN_KERNEL_TABLE:
        return broken_unless(in_values(c) && msn_is(c, MSN_W, MSN_ANY_INTEGER) && msn_has(c, MSN_W, 1) && msn_has(c, MSN_X, c->shape[0])
                             && msn_has(c, MSN_Y, c->shape[0]));
    default: /* ms_stage */
        return in_values(c) && all < INT32_MAX && msn_has(c, MSN_X, all) && msn_has(c, MSN_Y, all) ? check_sums(c, c->shape[1]) : MSN_BROKEN;
    }
}

/* The table of a softmax: exp(0) * 2^31 first, nothing negative. */
static int are_exponentials(const msn_checked *c, int32_t count)
{
    if (!msn_is(c, MSN_W, 1 << MSN_TYPE_INT32) || c->operands[MSN_W]->place != MSN_PLACE_CONSTANT || !msn_has(c, MSN_W, count)) {
        return 0;
    }
    const int32_t *exp = (const int32_t *)(const void *)msn_constant_at(c->network, c->operands[MSN_W]) + c->before[MSN_W];
    for (int32_t i = 0; i < count; i++) {
        if (exp[i] < 0 || (i == 0 && exp[i] < 1 << 30)) {
            return 0;
        }
    }
    return 1;
}

msn_status msn_check_answers(const msn_checked *c)
{
    const int64_t all = msn_times(c->shape[0], c->shape[1]);
    if (c->layer->kernel == MSN_KERNEL_SOFTMAX) {
        return broken_unless(in_values(c) && c->shape[1] <= 4095 && c->shape[3] <= 16 && msn_has(c, MSN_X, all) && msn_has(c, MSN_Y, all)
                             && are_exponentials(c, c->shape[2]));
    }
    const int64_t kept = msn_times(msn_times(c->shape[0], c->shape[3]), c->shape[2]);
    return broken_unless(in_values(c) && c->shape[3] <= c->shape[1] && msn_has(c, MSN_X, msn_times(all, c->shape[2]))
                         && msn_has(c, MSN_Y, kept));
}
