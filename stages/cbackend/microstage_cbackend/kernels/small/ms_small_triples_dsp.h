/* ms_small_triples_dsp.h: patches of nine runs of three bytes, the 3 x 3 taps of a colour image, for Armv7E-M and Armv8-M with DSP.
 *
 * Of an image of three planes a run is a row of taps, of an image of three channels it is a pixel. Run i, bytes a, b, c, is word
 * i = (a, c) of the patch; the middles of two runs are a word each behind these, that of the last run is (b, 0). So 27 weights
 * take 28 places, not 36. A byte behind a run is read, but not behind the last one.
 */
#ifndef MS_SMALL_TRIPLES_DSP_H
#define MS_SMALL_TRIPLES_DSP_H

#include "ms_small_gather_dsp.h"

#define MS_DSP_TO(stride, word) "[r2,#4*" #stride "*" word "]\n"
/* Three runs in r5-r7, from word `at` on: their outer bytes, and in the lower halves of r5-r7 their middle ones. */
#define MS_DSP_THREE(stride, flip, a, b, c)                                                                                   \
    MS_DSP_SEEN_##flip("r5") MS_DSP_SEEN_##flip("r6") MS_DSP_SEEN_##flip("r7")                                               \
    "uxtb16 r8,r5\n uxtb16 r9,r6\n uxtb16 r3,r7\n"                                                                           \
    "str r8," MS_DSP_TO(stride, a) "str r9," MS_DSP_TO(stride, b) "str r3," MS_DSP_TO(stride, c)                              \
    "uxtb16 r5,r5,ror #8\n uxtb16 r6,r6,ror #8\n uxtb16 r7,r7,ror #8\n"
#define MS_DSP_MIDDLES(stride, x, y, word) "pkhbt " x "," x "," y ",lsl #16\n str " x "," MS_DSP_TO(stride, word)

/* ms_spread_triples_dsp_<stride>_<flip>: `runs` windows, to_step bytes from one to the next; from run to run step bytes, from three to
 * three plane_step. The last run is read from the byte before it on. */
#define MS_DSP_TRIPLES(stride, flip)                                                                                          \
    __attribute__((noinline, unused)) static void ms_spread_triples_dsp_##stride##_##flip(ms_spread_dsp *frame)              \
    {                                                                                                                         \
        register ms_spread_dsp *at __asm__("r0") = frame;                                                                    \
        __asm__ volatile(                                                                                                     \
            "push {r4-r11}\n ldmia r0,{r1,r2}\n ldrd r4,r10,[r0,#20]\n ldr r11,[r0,#32]\n ldr r0,[r0,#8]\n"                  \
            "1: ldr r5,[r1]\n ldr r6,[r1,r4]\n ldr r7,[r1,r4,lsl #1]\n add r12,r1,r11\n"                                     \
            MS_DSP_THREE(stride, flip, "0", "1", "2") MS_DSP_MIDDLES(stride, "r5", "r6", "9") "mov lr,r7\n"                  \
            "ldr r5,[r12]\n ldr r6,[r12,r4]\n ldr r7,[r12,r4,lsl #1]\n add r12,r12,r11\n"                                    \
            MS_DSP_THREE(stride, flip, "3", "4", "5") MS_DSP_MIDDLES(stride, "lr", "r5", "10") MS_DSP_MIDDLES(stride, "r6", "r7", "11") \
            "ldr r5,[r12]\n ldr r6,[r12,r4]\n add r12,r12,r4,lsl #1\n ldr r7,[r12,#-1]\n lsr r7,r7,#8\n"                     \
            MS_DSP_THREE(stride, flip, "6", "7", "8") MS_DSP_MIDDLES(stride, "r5", "r6", "12")                               \
            "uxth r7,r7\n str r7," MS_DSP_TO(stride, "13")                                                                   \
            "add r1,r1,r10\n add r2,r2,#4\n subs r0,r0,#1\n bne 1b\n"                                                        \
            "pop {r4-r11}\n"                                                                                                  \
            : "+r"(at) : : "r1", "r2", "r3", "r12", "lr", "cc", "memory");                                                   \
    }

MS_DSP_TRIPLES(1, 0)
MS_DSP_TRIPLES(1, 128)
MS_DSP_TRIPLES(4, 0)
MS_DSP_TRIPLES(4, 128)

/* Byte `t` of run i of the next window, which may be outside x, as the kernel sees it. */
MS_INLINE uint32_t ms_small_triple_byte_dsp(const ms_gather_dsp *g, int32_t i, int32_t t)
{
    const ms_small_conv_shape *shape = g->shape;
    const int32_t pixel = shape->channels == 3, plane = pixel ? 0 : i / 3, row = pixel ? i / 3 : i % 3, column = pixel ? i % 3 : t;
    const int32_t h = g->top + row * shape->dilation_h, v = g->left + column;
    if (h < 0 || h >= shape->height || v < 0 || v >= shape->width) {
        return (uint32_t)shape->pad_value;
    }
    return (uint32_t)(g->x[((plane * shape->height + h) * shape->width + v) * shape->channels + (pixel ? t : 0)] ^ shape->flip);
}

/* The next window, of which something is outside x. */
static __attribute__((noinline, unused)) void ms_small_triples_border_dsp(const ms_gather_dsp *g, uint32_t *to)
{
    to[13 * g->stride] = 0;
    for (int32_t i = 0; i < 9; i++) {
        uint16_t *const middle = (uint16_t *)(void *)(to + (9 + i / 2) * g->stride);
        to[i * g->stride] = ms_small_triple_byte_dsp(g, i, 0) | ms_small_triple_byte_dsp(g, i, 2) << 16;
        middle[i & 1] = (uint16_t)ms_small_triple_byte_dsp(g, i, 1);
    }
}

/* The patches of `count` windows, one behind another in a row, none of which has anything outside x. */
MS_INLINE void ms_small_triples_inside_dsp(ms_gather_dsp *g, uint32_t *to, int32_t count)
{
    const ms_small_conv_shape *shape = g->shape;
    const int32_t row = shape->dilation_h * shape->width * shape->channels;
    g->inside.x = g->x + g->first;
    g->inside.to = to;
    g->inside.runs = count;
    g->inside.step = shape->channels == 3 ? 3 : row;
    g->inside.plane_step = shape->channels == 3 ? row : shape->height * shape->width;
    g->inside.to_step = g->step;
    g->spread(&g->inside);
}

/* The patches of the next `count` positions: 4, or 1. */
static __attribute__((noinline, unused)) void ms_small_triples_patches_dsp(ms_gather_dsp *g, uint32_t *to, int32_t count)
{
    for (int32_t taken; count > 0; count -= taken, to += taken) {
        const int32_t all = count <= g->column && g->left + (count - 1) * g->shape->stride_w <= g->room;
        taken = all && g->left >= 0 ? count : 1;
        if (g->left >= 0 && g->left <= g->room) {
            ms_small_triples_inside_dsp(g, to, taken);
        } else {
            ms_small_triples_border_dsp(g, to);
        }
        ms_small_next_dsp(g, taken);
    }
}

#endif
