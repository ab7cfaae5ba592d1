/* The specialised kernels for the instruction set that the includer chose; MSN_TABLE is the name of the table.
 *
 * A kernel is fast where the compiler knows what a layer is like. Sizes are not known here, but they hardly matter; what matters is
 * decided in the innermost loops: weights of 8 bits, a line that is rounded down by one shift of 32 or more, bytes that lie side by
 * side. Each function below copies what the layer says and writes such facts over it as constants, for layers of which they hold:
 * the compiler then makes a version for them (docs/adr/0036-interpreter.md). MSN_SMALL: one version of each.
 */
#include "ms_add_u8.h"
#include "ms_average_u8.h"
#include "ms_conv_u8.h"
#include "ms_depthwise_u8.h"
#include "ms_pack.h"
#include "ms_pad_u8.h"
#include "ms_xnor.h"
#include "msn_kernels.h"

/* Less code, with which layers are right but slower. */
#if defined MSN_SMALL
enum { MSN_FEW_VERSIONS = 1 };
#else
enum { MSN_FEW_VERSIONS = 0 };
#endif

/* A function that may use this unit's instructions. */
#define MSN_LAYER static MS_ENTRY void

/* The stage `requant` of a layer. */
MS_INLINE ms_requant requant_of(const msn_work *work)
{
    const int32_t *n = work->layer->numbers;
    const ms_requant q = {work->arrays[0], work->arrays[1], n[0], n[1], n[2], n[3], n[4], n[5], work->arrays[2], work->layer->wide};
    return q;
}

/* Whether it is one multiplication, one addition and one shift of 32 or more; then the same, so that the compiler sees it. */
MS_INLINE int is_line(const ms_requant *q)
{
    return q->shift >= 32 && !q->even && !q->kink;
}

MS_INLINE void make_line(ms_requant *q)
{
    q->shift = 32 + (q->shift & 31);
    q->even = q->zero = 0;
    q->kink = 0;
}

/* Steps along an axis of one position are never taken: 0, so that no address leaves its tensor. */
MS_INLINE ms_conv_u8_shape conv_shape(const msn_work *work)
{
    ms_conv_u8_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    s.x_row = s.out_height > 1 ? s.x_row : 0;
    s.y_row = s.out_height > 1 ? s.y_row : 0;
    s.run_h = s.runs_h > 1 ? s.run_h : 0;
    s.run_w = s.runs_w > 1 ? s.run_w : 0;
    return s;
}

MS_INLINE ms_depthwise_u8_shape taps_shape(const msn_work *work)
{
    ms_depthwise_u8_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    return s;
}

/* Versions by the width of weights, for a line and patches of one run for each row, and of `runs` rows where that is not 0. */
MS_INLINE void conv_known(const msn_work *work, const ms_conv_u8_shape *shape, const ms_requant *q, const int32_t bits, const int32_t runs)
{
    ms_conv_u8_shape s = *shape;
    ms_requant known = *q;
    s.bits = bits;
    s.runs_w = 1;
    s.runs_h = runs ? runs : s.runs_h;
    make_line(&known);
    ms_conv_u8(work->x.at, (const int8_t *)work->w.at, work->y.at, work->scratch, &s, &known);
}

MSN_LAYER conv_8(const msn_work *work, const ms_conv_u8_shape *s, const ms_requant *q) { conv_known(work, s, q, 8, 0); }
MSN_LAYER conv_8_pointwise(const msn_work *work, const ms_conv_u8_shape *s, const ms_requant *q) { conv_known(work, s, q, 8, 1); }
/* What the others are. MSN_REST: the table whose functions they are, whose instructions this processor has too. */
#if defined MSN_REST
MSN_LAYER conv_rest(const msn_work *work, const ms_conv_u8_shape *s, const ms_requant *q)
{
    (void)s;
    (void)q;
    MSN_REST.conv_u8(work);
}

MSN_LAYER conv_u8_sums(const msn_work *work)
{
    MSN_REST.conv_u8_sums(work);
}
#else
MSN_LAYER conv_4(const msn_work *work, const ms_conv_u8_shape *s, const ms_requant *q) { conv_known(work, s, q, 4, 0); }
MSN_LAYER conv_2(const msn_work *work, const ms_conv_u8_shape *s, const ms_requant *q) { conv_known(work, s, q, 2, 0); }
MSN_LAYER conv_1(const msn_work *work, const ms_conv_u8_shape *s, const ms_requant *q) { conv_known(work, s, q, 1, 0); }

MSN_LAYER conv_any(const msn_work *work, const ms_conv_u8_shape *s, const ms_requant *q)
{
    ms_conv_u8(work->x.at, (const int8_t *)work->w.at, work->y.at, work->scratch, s, q);
}

MSN_LAYER conv_rest(const msn_work *work, const ms_conv_u8_shape *s, const ms_requant *q)
{
    const int line = !MSN_FEW_VERSIONS && is_line(q) && s->runs_w == 1;
    if (line && s->bits == 4) {
        conv_4(work, s, q);
    } else if (line && s->bits == 2) {
        conv_2(work, s, q);
    } else if (line && s->bits == 1) {
        conv_1(work, s, q);
    } else {
        conv_any(work, s, q);
    }
}

MSN_LAYER conv_u8_sums(const msn_work *work)
{
    const ms_conv_u8_shape s = conv_shape(work);
    ms_conv_u8_sums(work->x.at, (const int8_t *)work->w.at, (int32_t *)(void *)work->y.at, work->scratch, &s);
}
#endif

MSN_LAYER conv_u8(const msn_work *work)
{
    const ms_conv_u8_shape s = conv_shape(work);
    const ms_requant q = requant_of(work);
    if (!MSN_FEW_VERSIONS && is_line(&q) && s.runs_w == 1 && s.bits == 8) {
        (s.runs_h == 1 ? conv_8_pointwise : conv_8)(work, &s, &q);
    } else {
        conv_rest(work, &s, &q);
    }
}

/* A kernel of 3 x 3 and a line, of this many channels or, with 0, of as many as there are. */
MS_INLINE void depthwise_known(const msn_work *work, const ms_depthwise_u8_shape *shape, const ms_requant *q, const int32_t channels)
{
    ms_depthwise_u8_shape s = *shape;
    ms_requant known = *q;
    s.kernel_h = s.kernel_w = 3;
    s.channels = channels ? channels : s.channels;
    make_line(&known);
    ms_depthwise_u8(work->x.at, (const int8_t *)work->w.at, work->y.at, &s, &known);
}

MSN_LAYER depthwise_3x3(const msn_work *work, const ms_depthwise_u8_shape *s, const ms_requant *q)
{
    switch (MS_DEPTHWISE_BLOCKED ? 0 : s->channels) {
    case 8: depthwise_known(work, s, q, 8); break;
    case 16: depthwise_known(work, s, q, 16); break;
    case 32: depthwise_known(work, s, q, 32); break;
    case 64: depthwise_known(work, s, q, 64); break;
    default: depthwise_known(work, s, q, 0); break;
    }
}

MSN_LAYER depthwise_line(const msn_work *work, const ms_depthwise_u8_shape *s, const ms_requant *q)
{
    ms_requant known = *q;
    make_line(&known);
    ms_depthwise_u8(work->x.at, (const int8_t *)work->w.at, work->y.at, s, &known);
}

MSN_LAYER depthwise_u8(const msn_work *work)
{
    const ms_depthwise_u8_shape s = taps_shape(work);
    const ms_requant q = requant_of(work);
    if (!MSN_FEW_VERSIONS && is_line(&q) && s.kernel_h == 3 && s.kernel_w == 3) {
        depthwise_3x3(work, &s, &q);
    } else if (!MSN_FEW_VERSIONS && is_line(&q)) {
        depthwise_line(work, &s, &q);
    } else {
        ms_depthwise_u8(work->x.at, (const int8_t *)work->w.at, work->y.at, &s, &q);
    }
}

MSN_LAYER average_u8(const msn_work *work)
{
    const ms_depthwise_u8_shape s = taps_shape(work);
    ms_requant q = requant_of(work);
    if (!MSN_FEW_VERSIONS && is_line(&q)) {
        make_line(&q);
        ms_average_u8(work->x.at, work->y.at, &s, &q);
    } else {
        ms_average_u8(work->x.at, work->y.at, &s, &q);
    }
}

MSN_LAYER add_u8(const msn_work *work)
{
    ms_add_u8_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    if (!MSN_FEW_VERSIONS && !s.even) {
        s.even = 0;
        ms_add_u8(work->x.at, work->w.at, work->y.at, &s);
    } else {
        ms_add_u8(work->x.at, work->w.at, work->y.at, &s);
    }
}

MSN_LAYER pad_u8(const msn_work *work)
{
    ms_pad_u8_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    ms_pad_u8(work->x.at, work->y.at, &s);
}

MSN_LAYER frame_u8(const msn_work *work)
{
    ms_pad_u8_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    ms_frame_u8(work->y.at, &s);
}

MSN_LAYER pack(const msn_work *work)
{
    ms_pack_shape s;
    memcpy(&s, work->layer->shape, sizeof s);
    ms_pack(work->x.at, (uint64_t *)(void *)work->y.at, &s);
}

MSN_LAYER xnor_sums(const msn_work *work)
{
    const ms_conv_u8_shape s = conv_shape(work);
    const uint64_t *x = (const uint64_t *)(const void *)work->x.at, *w = (const uint64_t *)(const void *)work->w.at;
    ms_xnor_sums(x, w, (int32_t *)(void *)work->y.at, work->layer->shape[14], &s);
}

MSN_LAYER xnor_bits(const msn_work *work)
{
    const ms_conv_u8_shape s = conv_shape(work);
    const uint64_t *x = (const uint64_t *)(const void *)work->x.at, *w = (const uint64_t *)(const void *)work->w.at;
    ms_xnor_bits(x, w, (uint64_t *)(void *)work->y.at, (const int32_t *)(const void *)work->third.at, &s);
}

const msn_kernels MSN_TABLE = {
    MS_ISA_NAME,
    MS_BLOCKED ? MSN_LAYOUT_BLOCKS : MSN_LAYOUT_ROWS,
    MS_DEPTHWISE_BLOCKED ? MSN_LAYOUT_DEPTHWISE_BLOCKS : MSN_LAYOUT_ROWS,
    conv_u8, conv_u8_sums, depthwise_u8, average_u8, add_u8, pad_u8, frame_u8, pack, xnor_sums, xnor_bits,
};
