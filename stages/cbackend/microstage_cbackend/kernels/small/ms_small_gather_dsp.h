/* ms_small_gather_dsp.h: patches for ms_small_dot_dsp.h, gathered by words, borders included.
 *
 * Four bytes a, b, c, d of x become two words of 16 bits, (a, c) and (b, d), as UXTB16 makes them. Words of a patch lie one
 * behind another (stride 1) or, of four positions at a time, in turns (stride 4). A run, the bytes of a patch that lie together
 * in x, begins at a word: 1 to 3 weights behind it are 0, and what the patch has there does not matter but with weights of one bit.
 */
#ifndef MS_SMALL_GATHER_DSP_H
#define MS_SMALL_GATHER_DSP_H

#include "ms_small.h"

/* Runs to spread: each `fours` times four words and `rest` words; the numbers are the bytes before a member. */
typedef struct {
    const uint8_t *x;        /*  0 */
    uint32_t *to;            /*  4 */
    int32_t runs;            /*  8: of a plane */
    int32_t fours, rest;     /* 12, 16 */
    int32_t step, to_step;   /* 20, 24: bytes from the end of a run to the next one, in x and in the patch */
    int32_t planes;          /* 28: counted down */
    int32_t plane_step;      /* 32: bytes from where the next run would begin to that of the next plane */
} ms_spread_dsp;

typedef void ms_spread_function_dsp(ms_spread_dsp *);

#define MS_DSP_SPREAD(word, one, other) "uxtb16 lr," word "\n uxtb16 " word "," word ",ror #8\n str lr,[r2" one "\n str " word ",[r2,#-" other "]\n"
#define MS_DSP_SEEN_0(word) ""
#define MS_DSP_SEEN_128(word) "eor " word "," word ",#0x80808080\n"

/* ms_spread_dsp_<stride>_<flip> */
#define MS_DSP_SPREADER(stride, flip)                                                                                          \
    __attribute__((noinline, unused)) static void ms_spread_dsp_##stride##_##flip(ms_spread_dsp *frame)                       \
    {                                                                                                                          \
        register ms_spread_dsp *at __asm__("r0") = frame;                                                                     \
        __asm__ volatile(                                                                                                      \
            "push {r4-r11}\n ldmia r0,{r1-r7}\n"                                                                              \
            "1: orrs r8,r4,r5,lsr #1\n beq 6f\n"                                                                             \
            "movs r8,r4\n beq 3f\n"                                                                                           \
            "2: ldr r9,[r1],#16\n ldr r10,[r1,#-12]\n ldr r11,[r1,#-8]\n ldr r12,[r1,#-4]\n"                                  \
            MS_DSP_SEEN_##flip("r9") MS_DSP_SEEN_##flip("r10") MS_DSP_SEEN_##flip("r11") MS_DSP_SEEN_##flip("r12")            \
            MS_DSP_SPREAD("r9", "],#32*" #stride, "28*" #stride) MS_DSP_SPREAD("r10", ",#-24*" #stride "]", "20*" #stride)    \
            MS_DSP_SPREAD("r11", ",#-16*" #stride "]", "12*" #stride) MS_DSP_SPREAD("r12", ",#-8*" #stride "]", "4*" #stride) \
            "subs r8,r8,#1\n bne 2b\n"                                                                                        \
            "3: movs r8,r5\n beq 5f\n"                                                                                        \
            "4: ldr r9,[r1],#4\n" MS_DSP_SEEN_##flip("r9") MS_DSP_SPREAD("r9", "],#8*" #stride, "4*" #stride)                 \
            "subs r8,r8,#1\n bne 4b\n"                                                                                        \
            "5: add r1,r1,r6\n add r2,r2,r7\n subs r3,r3,#1\n bne 1b\n b 7f\n"                                              \
            "6: ldr r9,[r1],#4\n add r1,r1,r6\n" MS_DSP_SEEN_##flip("r9") MS_DSP_SPREAD("r9", "],#8*" #stride, "4*" #stride)  \
            "add r2,r2,r7\n subs r3,r3,#1\n bne 6b\n"                                                                        \
            "7: ldrd r8,r9,[r0,#28]\n subs r8,r8,#1\n str r8,[r0,#28]\n ldr r3,[r0,#8]\n add r1,r1,r9\n bne 1b\n"            \
            "pop {r4-r11}\n"                                                                                                  \
            : "+r"(at) : : "r1", "r2", "r3", "r12", "lr", "cc", "memory");                                                    \
    }

MS_DSP_SPREADER(1, 0)
MS_DSP_SPREADER(1, 128)
MS_DSP_SPREADER(4, 0)
MS_DSP_SPREADER(4, 128)

/* Where patches come from and which window is next. */
typedef struct {
    const uint8_t *x;
    const ms_small_conv_shape *shape;
    ms_spread_function_dsp *spread;
    int32_t stride;          /* words from one of a patch to the next one: 4 or 1 */
    int32_t top, left;       /* first pixel of the window */
    int32_t first, step;     /* bytes from x to it, and from it to the next one */
    int32_t column;          /* of the output */
    int32_t room, last;      /* no border, and no byte behind x, where 0 <= left <= room and first <= last */
    ms_spread_dsp inside;    /* the runs of such a window; pointwise: those of all positions */
    ms_spread_dsp single;    /* one run */
} ms_gather_dsp;

/* Taps of a run: those of a kernel's row, or one where they lie apart. */
MS_INLINE int32_t ms_small_taps_dsp(const ms_small_conv_shape *shape)
{
    return shape->dilation_w == 1 ? shape->kernel_w : 1;
}

/* Whether patches are gathered by ms_small_triples_dsp.h. */
MS_INLINE int ms_small_is_triples_dsp(const ms_small_conv_shape *shape)
{
    return shape->kernel_h == 3 && shape->kernel_w == 3 && shape->dilation_w == 1 && shape->planes * shape->channels == 3;
}

/* Weights of a patch with those that fill up runs; of a row, of whole steps: pack_small_pairs. */
MS_INLINE int32_t ms_small_used_dsp(const ms_small_conv_shape *shape)
{
    const int32_t taps = ms_small_taps_dsp(shape), runs = taps == 1 ? shape->kernel_w : 1;
    return ms_small_is_triples_dsp(shape) ? 28 : shape->planes * shape->kernel_h * runs * ((taps * shape->channels + 3) & ~3);
}

MS_INLINE int32_t ms_small_depth_dsp(const ms_small_conv_shape *shape)
{
    const int32_t step = shape->bits == 1 ? 15 : 7;
    return (ms_small_used_dsp(shape) + step) & ~step;
}

/* Whether patches are pixels one behind another. */
MS_INLINE int ms_small_is_pointwise_dsp(const ms_small_conv_shape *shape)
{
    return shape->kernel_h * shape->kernel_w * shape->stride_h * shape->stride_w * shape->planes == 1 && shape->channels % 4 == 0 &&
           shape->pad_top + shape->pad_left == 0;
}

MS_INLINE uint32_t *ms_small_fill_dsp(uint32_t *to, int32_t bytes, int32_t value, int32_t stride)
{
    for (; bytes > 0; bytes -= 2, to += stride) {
        *to = (uint32_t)value * 0x10001u;
    }
    return to;
}

/* Bytes k...k + 3 of a run of which those in from...end - 1 are in x; the others are borders. */
MS_INLINE uint32_t ms_small_word_dsp(const uint8_t *x, int32_t k, int32_t from, int32_t end, const ms_small_conv_shape *shape)
{
    uint32_t word = 0;
    for (int32_t i = 3; i >= 0; i--) {
        const int32_t inside = k + i >= from && k + i < end;
        word = word << 8 | (uint32_t)(inside ? x[k + i] ^ shape->flip : shape->pad_value);
    }
    return word;
}

/* `count` bytes from x on, whole words of them. */
MS_INLINE uint32_t *ms_small_words_dsp(ms_gather_dsp *g, const uint8_t *x, uint32_t *to, int32_t count)
{
    const int32_t words = (count + 3) >> 2;
    if (words) {
        g->single.x = x;
        g->single.to = to;
        g->single.fours = words >> 2;
        g->single.rest = words & 3;
        g->single.planes = 1;
        g->spread(&g->single);
    }
    return to + 2 * words * g->stride;
}

/* A run of `bytes` bytes from x + at on, `left` and `right` of which are outside x. */
static inline uint32_t *ms_small_run_dsp(ms_gather_dsp *g, int32_t at, uint32_t *to, int32_t bytes, int32_t left, int32_t right)
{
    const ms_small_conv_shape *shape = g->shape;
    const int32_t pad = shape->pad_value, size = shape->planes * shape->height * shape->width * shape->channels, whole = (bytes + 3) & ~3;
    const uint8_t *x = g->x + at;
    if (shape->channels % 4 == 0) {
        to = ms_small_fill_dsp(to, left, pad, g->stride);
        to = ms_small_words_dsp(g, x + left, to, bytes - left - right);
        return ms_small_fill_dsp(to, right, pad, g->stride);
    }
    if (left + right == 0 && shape->bits > 1 && at + whole <= size) {
        return ms_small_words_dsp(g, x, to, bytes);
    }
    for (int32_t k = 0; k < whole; k += 4, to += 2 * g->stride) {
        const uint32_t seen = bytes - k < 4 ? ~(~(uint32_t)0 << 8 * (bytes - k)) : ~(uint32_t)0;
        const uint32_t word = ms_small_word_dsp(x, k, left, bytes - right, shape) & seen;
        to[0] = word & 0xff00ffu;
        to[g->stride] = word >> 8 & 0xff00ffu;
    }
    return to;
}

/* Run (n, i, j) of a patch; sizes are read anew for each, so that few of them are on the stack. */
static inline uint32_t *ms_small_border_dsp(ms_gather_dsp *g, uint32_t *to, int32_t n, int32_t i, int32_t j)
{
    const ms_small_conv_shape *shape = g->shape;
    const int32_t taps = ms_small_taps_dsp(shape), c = shape->channels;
    const int32_t h = g->top + i * shape->dilation_h, v = g->left + j * shape->dilation_w, outside = h < 0 || h >= shape->height;
    const int32_t before = outside || v < -taps ? taps : v < 0 ? -v : 0, behind = v + taps - shape->width;
    const int32_t after = before == taps || behind < 0 ? 0 : behind > taps ? taps : behind;
    return ms_small_run_dsp(g, ((n * shape->height + h) * shape->width + v) * c, to, taps * c, before * c, after * c);
}

/* A patch run by run: at borders, with taps apart, with bytes behind which x ends. */
static __attribute__((noinline)) void ms_small_gather_runs_dsp(ms_gather_dsp *g, uint32_t *to)
{
    for (int32_t n = 0; n < g->shape->planes; n++) {
        for (int32_t i = 0; i < g->shape->kernel_h; i++) {
            for (int32_t j = 0; j < g->shape->kernel_w; j += ms_small_taps_dsp(g->shape)) {
                to = ms_small_border_dsp(g, to, n, i, j);
            }
        }
    }
}

/* Put the window to the beginning of its row. */
static inline void ms_small_row_dsp(ms_gather_dsp *g)
{
    const ms_small_conv_shape *shape = g->shape;
    const int32_t rows = g->top >= 0 && g->top + (shape->kernel_h - 1) * shape->dilation_h < shape->height;
    g->room = rows && shape->dilation_w == 1 ? shape->width - shape->kernel_w : -1;
    g->left = -shape->pad_left;
    g->first = (g->top * shape->width + g->left) * shape->channels;
    g->column = shape->out_width;
}

static __attribute__((noinline)) void ms_small_begin_dsp(ms_gather_dsp *g, const uint8_t *x, const ms_small_conv_shape *shape)
{
    const int32_t run = shape->kernel_w * shape->channels, words = (run + 3) / 4, row = shape->width * shape->channels;
    const int32_t step = shape->dilation_h * row, plane = shape->height * row, pointwise = ms_small_is_pointwise_dsp(shape);
    const int32_t end = shape->bits == 1 && run % 4 ? 0 : shape->planes * plane; /* of one bit, what fills up runs must be 0 */
    *g = (ms_gather_dsp){.x = x, .shape = shape, .top = -shape->pad_top, .step = shape->stride_w * shape->channels};
    g->last = end - (shape->planes - 1) * plane - (shape->kernel_h - 1) * step - 4 * words;
    g->inside.runs = shape->kernel_h;
    g->inside.fours = words / 4;
    g->inside.rest = words % 4;
    g->inside.step = pointwise ? 0 : step - 4 * words;
    g->inside.plane_step = plane - shape->kernel_h * step;
    g->single.runs = 1;
    ms_small_row_dsp(g);
}

/* Put the window `count` positions on, at most to the beginning of the next row. */
MS_INLINE void ms_small_next_dsp(ms_gather_dsp *g, int32_t count)
{
    g->left += count * g->shape->stride_w;
    g->first += count * g->step;
    g->column -= count;
    if (!g->column) {
        g->top += g->shape->stride_h;
        ms_small_row_dsp(g);
    }
}

/* The patches of the next `count` positions: 4, or 1. */
typedef void ms_patches_function_dsp(ms_gather_dsp *g, uint32_t *to, int32_t count);

/* Where patches are pixels. */
static __attribute__((noinline, unused)) void ms_small_pixels_dsp(ms_gather_dsp *g, uint32_t *to, int32_t count)
{
    g->inside.x = g->x;
    g->inside.to = to;
    g->inside.runs = count;
    g->inside.to_step = 4 - 2 * g->shape->channels * g->stride;
    g->inside.planes = 1;
    g->spread(&g->inside);
    g->x += count * g->shape->channels;
}

/* Any patches, one after the other. */
static __attribute__((noinline, unused)) void ms_small_patches_dsp(ms_gather_dsp *g, uint32_t *to, int32_t count)
{
    for (const uint32_t *const end = to + count; to < end; to++) {
        if (g->left >= 0 && g->left <= g->room && g->first <= g->last) {
            g->inside.x = g->x + g->first;
            g->inside.to = to;
            g->inside.planes = g->shape->planes;
            g->spread(&g->inside);
        } else {
            ms_small_gather_runs_dsp(g, to);
        }
        ms_small_next_dsp(g, 1);
    }
}

#endif
