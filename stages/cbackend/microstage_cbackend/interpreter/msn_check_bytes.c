/* The specialised kernels: that all they read and write lies inside their operands, in every form that they have, and that their
 * sums fit 32 bits. */
#include "ms_fast.h"
#include "ms_add_u8.h"
#include "ms_pack.h"
#include "ms_pad_u8.h"
#include "msn_check.h"
#include "msn_kernels.h"
#include "msn_weights.h"

static msn_status broken_unless(int sound)
{
    return sound ? MSN_OK : MSN_BROKEN;
}

static int64_t whole(int64_t count, int64_t step)
{
    return (count + step - 1) / step;
}

/* Elements from the first position to behind the last one, of which each has `each`. */
static int64_t reach(int64_t height, int64_t row, int64_t width, int64_t column, int64_t each)
{
    return msn_plus(msn_plus(msn_last(height, row), msn_last(width, column)), each);
}

/* Elements of x that a convolution reads, `each` at the start of every run. */
static int64_t seen(const ms_conv_u8_shape *s, int64_t each)
{
    return msn_plus(reach(s->out_height, s->x_row, s->out_width, s->x_column, 0), reach(s->runs_h, s->run_h, s->runs_w, s->run_w, each));
}

/* Whether the largest sum that these weights and bytes can have fits 32 bits: where rows are long, by the weights themselves. */
static int sums_fit(const ms_conv_u8_shape *s, const uint8_t *rows)
{
    const int64_t used = msn_times(msn_times(s->runs_h, s->runs_w), s->length), fields = 8 / s->bits, bytes = s->depth / fields;

    if (msn_times(used, 255 * 128) <= INT32_MAX) {
        return 1;
    }
    if (s->bits < 8) {
        return msn_times(used, 255 * ((int64_t)1 << (s->bits - 1))) <= INT32_MAX;
    }
    for (int64_t f = 0; f < s->filters; f++) {
        int64_t largest = 0;
        for (int64_t k = 0; k < bytes; k++) {
            const int64_t w = (int8_t)rows[f * bytes + k];
            largest += 255 * (w < 0 ? -w : w);
        }
        if (largest > INT32_MAX) {
            return 0;
        }
    }
    return 1;
}

/* Weights in rows and, where the kernels read blocks and the file has them, in blocks. */
static msn_status check_weights(const msn_checked *c, int64_t rows, uint32_t layout, int64_t packed)
{
    uint64_t bytes = 0;
    const uint8_t *w;

    if (!c->operands[MSN_W] || c->operands[MSN_W]->place != MSN_PLACE_PACKED) {
        return MSN_BROKEN;
    }
    w = msn_packed_at(c->network, MSN_LAYOUT_ROWS, c->operands[MSN_W]->offset, &bytes);
    if (!w || rows > (int64_t)bytes) {
        return MSN_BROKEN;
    }
    if (layout == MSN_LAYOUT_ROWS) {
        return MSN_OK;
    }
    if (!msn_packed_at(c->network, layout, c->operands[MSN_W]->offset, &bytes)) {
        return msn_kernels_of_rows() ? MSN_OK : MSN_UNKNOWN;
    }
    return broken_unless(packed <= (int64_t)bytes);
}

static msn_status check_conv(const msn_checked *c)
{
    ms_conv_u8_shape s;
    memcpy(&s, c->shape, sizeof s);
    if (s.bits != 8 && s.bits != 4 && s.bits != 2 && s.bits != 1) {
        return MSN_BROKEN;
    }
    const int64_t runs = msn_times(s.runs_h, s.runs_w), inputs = 32 / s.bits, used = msn_times(runs, s.length);
    const int64_t rows = msn_times(s.filters, (int64_t)s.depth * s.bits / 8), positions = msn_times(s.out_height, s.out_width);
    const int64_t blocks = msn_times(msn_times(whole(s.filters, 16) * 16, runs), whole(s.length, inputs) * 4);
    const int64_t patches = (positions < 4 ? positions : 4) + (s.bits < 8);
    const int sums = c->layer->kernel == MSN_KERNEL_CONV_U8_SUMS;
    const int types = msn_is(c, MSN_X, MSN_BYTES) && msn_is(c, MSN_Y, sums ? 1 << MSN_TYPE_INT32 : MSN_BYTES);
    const int places = msn_has(c, MSN_X, seen(&s, whole(s.length, inputs) * inputs)) && positions < INT32_MAX
                    && msn_has(c, MSN_Y, reach(s.out_height, s.y_row, s.out_width, s.y_column, s.filters));
    if (!types || !places || s.depth < used || s.depth % 16 || blocks >= INT32_MAX || rows >= INT32_MAX
        || msn_times(patches, s.depth) * 2 > c->layer->scratch_bytes) {
        return MSN_BROKEN;
    }
    msn_status status = check_weights(c, rows, (uint32_t)c->network->kernels->conv_layout, blocks);
    if (!status && !sums_fit(&s, msn_weights_in_rows(c->network, c->layer))) {
        status = MSN_TOO_LARGE;
    }
    return status || sums ? status : msn_check_stage(c, s.filters);
}

/* Few channels are read, and where positions lie so, written, with as many lanes as vectors have for them. */
static int64_t lanes_of(int64_t channels)
{
    return channels <= 8 ? 8 : channels <= 16 ? 16 : channels <= 32 ? 32 : channels;
}

static msn_status check_taps(const msn_checked *c)
{
    ms_depthwise_u8_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int depthwise = c->layer->kernel == MSN_KERNEL_DEPTHWISE_U8;
    const int64_t taps = msn_times(s.kernel_h, s.kernel_w), lanes = depthwise ? lanes_of(s.channels) : s.channels;
    const int64_t window = reach(s.kernel_h, s.tap_h, s.kernel_w, s.tap_w, lanes), rows = msn_times(taps, s.channels);
    const int64_t given = s.y_column > s.channels && s.y_column <= lanes ? lanes : s.channels;
    const int64_t blocks = msn_times(msn_times(whole(s.channels, 64), whole(s.kernel_h, 4)), msn_times(s.kernel_w, 256));
    const int places = msn_has(c, MSN_X, msn_plus(reach(s.out_height, s.x_row, s.out_width, s.x_column, 0), window))
                    && msn_has(c, MSN_Y, reach(s.out_height, s.y_row, s.out_width, s.y_column, given));
    if (!msn_is(c, MSN_X, MSN_BYTES) || !msn_is(c, MSN_Y, MSN_BYTES) || !places) {
        return MSN_BROKEN;
    }
    if (c->layer->stage != MSN_STAGE_REQUANT || taps > (depthwise ? 1 << 16 : 1 << 23)) {
        return c->layer->stage != MSN_STAGE_REQUANT ? MSN_BROKEN : MSN_TOO_LARGE;
    }
    if (!depthwise) {
        return msn_check_stage(c, 1);
    }
    const msn_status status = check_weights(c, rows, (uint32_t)c->network->kernels->depthwise_layout, blocks);
    return status ? status : msn_check_stage(c, s.channels);
}

/* Each product fits 32 bits; sums wrap. */
static msn_status check_add(const msn_checked *c)
{
    ms_add_u8_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int32_t most = INT32_MAX / 255;
    const int bytes = msn_is(c, MSN_X, MSN_BYTES) && msn_is(c, MSN_W, MSN_BYTES) && msn_is(c, MSN_Y, MSN_BYTES);
    return broken_unless(bytes && c->operands[MSN_W]->place != MSN_PLACE_PACKED && msn_has(c, MSN_X, s.count) && msn_has(c, MSN_W, s.count)
                         && msn_has(c, MSN_Y, s.count) && s.multiplier_a <= most && s.multiplier_a >= -most && s.multiplier_b <= most
                         && s.multiplier_b >= -most && s.shift <= 30);
}

static msn_status check_pad(const msn_checked *c)
{
    ms_pad_u8_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int64_t row = msn_times((int64_t)s.left + s.width + s.right, s.channels), image = msn_times((int64_t)s.top + s.height + s.bottom, row);
    const int64_t taken = reach(s.height, s.x_row, s.width, s.x_column, msn_plus(msn_last(s.channels, s.x_channel), 1));
    if (!msn_is(c, MSN_Y, MSN_BYTES) || !msn_has(c, MSN_Y, image)) {
        return MSN_BROKEN;
    }
    return broken_unless(c->layer->kernel == MSN_KERNEL_FRAME_U8 || (msn_is(c, MSN_X, MSN_BYTES) && msn_has(c, MSN_X, taken)));
}

msn_status msn_check_bytes(const msn_checked *c)
{
    switch (c->layer->kernel) {
    case MSN_KERNEL_CONV_U8: return c->layer->stage == MSN_STAGE_REQUANT ? check_conv(c) : MSN_BROKEN;
    case MSN_KERNEL_CONV_U8_SUMS: return check_conv(c);
    case MSN_KERNEL_ADD_U8: return check_add(c);
    case MSN_KERNEL_PAD_U8:
    case MSN_KERNEL_FRAME_U8: return check_pad(c);
    default: return check_taps(c);
    }
}

static msn_status check_pack(const msn_checked *c)
{
    ms_pack_shape s;
    memcpy(&s, c->shape, sizeof s);
    return broken_unless(msn_is(c, MSN_X, MSN_BYTES) && msn_is(c, MSN_Y, MSN_WORDS) && msn_has(c, MSN_X, msn_times(s.rows, s.count))
                         && msn_has(c, MSN_Y, msn_times(s.rows, s.words)) && s.words == whole(s.count, 64));
}

msn_status msn_check_words(const msn_checked *c)
{
    if (c->layer->kernel == MSN_KERNEL_PACK) {
        return check_pack(c);
    }
    ms_conv_u8_shape s;
    memcpy(&s, c->shape, sizeof s);
    const int sums = c->layer->kernel == MSN_KERNEL_XNOR_SUMS;
    const int64_t words = msn_times(msn_times(s.runs_h, s.runs_w), s.length), given = sums ? s.filters : whole(s.filters, 64);
    const int64_t rows = msn_times(msn_times(whole(s.filters, 8) * 8, words), 8), signs = c->shape[14];
    const int types = msn_is(c, MSN_X, MSN_WORDS) && msn_is(c, MSN_W, MSN_WORDS) && msn_is(c, MSN_Y, sums ? 1 << MSN_TYPE_INT32 : MSN_WORDS);
    const int limits = sums ? signs <= msn_times(words, 64) : msn_is(c, MSN_THIRD, 1 << MSN_TYPE_INT32) && msn_has(c, MSN_THIRD, s.filters);
    const int places = msn_has(c, MSN_X, seen(&s, s.length)) && msn_has(c, MSN_Y, reach(s.out_height, s.y_row, s.out_width, s.y_column, given));
    return types && limits && places && words < 1 << 23 ? check_weights(c, rows, MSN_LAYOUT_ROWS, 0) : MSN_BROKEN;
}
