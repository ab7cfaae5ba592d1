/* ms_small_planes_dsp: rows of four channels as planes of 16 bits, for Armv7E-M and Armv8-M with DSP.
 *
 * planes   [rows][4 channels][pitch] words; word i of a row is its columns 2i (low half) and 2i + 1, borders included
 *
 * In assembly, so that every compiler makes the same of it.
 */
#ifndef MS_SMALL_PLANES_DSP_H
#define MS_SMALL_PLANES_DSP_H

#include "ms_small.h"
#include "ms_small_asm_dsp.h"

enum { MS_SMALL_GROUP = 4 };

/* How rows of pixels are split: bytes of a pixel and of a plane; the word outside x, before the flip, and the flip; whether the first
 * word of a row is (outside, pixel 0), the last (pixel, outside); bytes to the end of the pairs; steps from row to row of x and of planes. */
typedef struct {
    int32_t pixel, plane;
    uint32_t outside, flip;
    int32_t first, last, inside, x_row, row;
} ms_small_split_dsp;

/* Split `rows` rows: r9 and r10 are the four channels of two neighbours. On the stack: x, to, how, rows. */
#define MS_SMALL_SPLIT_DSP(name, FLIP)                                                                                          \
    MS_SMALL_ASM name(const uint8_t *x __attribute__((unused)), uint32_t *to __attribute__((unused)),                            \
                      const ms_small_split_dsp *how __attribute__((unused)), int32_t rows __attribute__((unused)))               \
    {                                                                                                                            \
        __asm__ volatile(                                                                                                        \
            "push {r0-r11, lr}\n"                                                                                                \
            "0: ldmia sp, {r0, r1, r8}\n ldmia r8, {r2-r5, r7, r9, r10}\n"                                                       \
            "add r8, r3, r3, lsl #1\n add r6, r0, r10\n"                                                                         \
            "cmp r7, #0\n mov r7, r9\n beq 3f\n"                                                                                 \
            "mov r9, r4\n ldr r10, [r0]\n add r0, r2\n b 2f\n"                                                                   \
            "1: ldr r9, [r0]\n ldr r10, [r0, r2]\n add r0, r0, r2, lsl #1\n"                                                     \
            "2: " FLIP "uxtb16 r11, r9\n uxtb16 r9, r9, ror #8\n uxtb16 r12, r10\n uxtb16 r10, r10, ror #8\n"                    \
            "pkhbt lr, r11, r12, lsl #16\n pkhtb r12, r12, r11, asr #16\n"                                                       \
            "pkhbt r11, r9, r10, lsl #16\n pkhtb r10, r10, r9, asr #16\n"                                                        \
            "str r11, [r1, r3]\n str r12, [r1, r3, lsl #1]\n str r10, [r1, r8]\n str lr, [r1], #4\n"                             \
            "3: cmp r0, r6\n bne 1b\n"                                                                                           \
            "cbz r7, 4f\n mov r7, #0\n ldr r9, [r0]\n mov r10, r4\n b 2b\n"                                                      \
            "4: ldmia sp, {r0, r1, r8, r9}\n ldrd r4, r5, [r8, #28]\n add r0, r4\n add r1, r5\n strd r0, r1, [sp]\n"             \
            "subs r9, #1\n str r9, [sp, #12]\n bne 0b\n"                                                                         \
            "add sp, #16\n pop {r4-r11, pc}\n" : : : MS_SMALL_ASM_CLOBBERS);                                                                                 \
    }
MS_SMALL_SPLIT_DSP(ms_small_split_rows_dsp, "")
MS_SMALL_SPLIT_DSP(ms_small_split_flipped_dsp, "eor r9, r9, r5\n eor r10, r10, r5\n")

/* Move 4 * `fours` words down to `to`; at least one four. */
MS_SMALL_ASM ms_small_move_dsp(uint32_t *to __attribute__((unused)), const uint32_t *from __attribute__((unused)),
                               int32_t fours __attribute__((unused)))
{
    __asm__ volatile("push {r4-r7}\n"
                     "1: ldmia r1!, {r4-r7}\n stmia r0!, {r4-r7}\n subs r2, #1\n bne 1b\n"
                     "pop {r4-r7}\n bx lr\n" : : : MS_SMALL_ASM_CLOBBERS);
}

/* Planes that hold the rows of a strip, which `strip` rows of outputs see. A row of x begins at word `lead`; of its columns, `inside` are seen. What stands outside x is
 * there from the start; rows of it come again where a strip is not the whole. */
typedef struct {
    const ms_small_conv_shape *shape;
    uint32_t *words;
    int32_t pitch, span, strip, lead, inside;
    ms_small_split_dsp split;
} ms_small_planes_dsp;

/* Put what stands outside x into rows first...end - 1. */
MS_SMALL_STATIC void ms_small_outside_dsp(ms_small_planes_dsp *p, int32_t first, int32_t end)
{
    const int32_t row = MS_SMALL_GROUP * p->pitch;
    for (int32_t i = first * row; i < end * row; i++) {
        p->words[i] = (uint32_t)p->shape->pad_value * 0x00010001u;
    }
}

MS_INLINE void ms_small_set_planes_dsp(ms_small_planes_dsp *p, uint32_t *words, int32_t pitch, int32_t strip, const ms_small_conv_shape *shape)
{
    const int32_t odd = shape->pad_left & 1, room = 2 * pitch - shape->pad_left;
    p->shape = shape;
    p->words = words;
    p->pitch = pitch;
    p->span = (shape->kernel_h - 1) * shape->dilation_h + 1;
    p->strip = strip;
    p->lead = shape->pad_left / 2;
    p->inside = room < 0 ? 0 : shape->width < room ? shape->width : room;
    p->split.pixel = shape->channels;
    p->split.plane = 4 * pitch;
    p->split.outside = (uint32_t)(shape->pad_value ^ shape->flip) * 0x01010101u;
    p->split.flip = (uint32_t)shape->flip * 0x01010101u;
    p->split.first = odd;
    p->split.last = (p->inside - odd) & 1;
    p->split.inside = (p->inside - p->split.last) * shape->channels;
    p->split.x_row = shape->width * shape->channels;
    p->split.row = 4 * MS_SMALL_GROUP * pitch;
    ms_small_outside_dsp(p, 0, (p->strip - 1) * shape->stride_h + p->span);
}

/* Rows of x that have fewer than four channels. */
MS_SMALL_STATIC void ms_small_split_few_dsp(const uint8_t *x, uint32_t *to, const ms_small_planes_dsp *p, int32_t rows)
{
    const int32_t channels = p->shape->channels;
    for (int32_t r = 0; r < rows; r++, x += p->split.x_row, to += MS_SMALL_GROUP * p->pitch) {
        for (int32_t c = 0; c < channels; c++) {
            uint8_t *halves = (uint8_t *)(to + c * p->pitch) + 2 * (p->shape->pad_left & 1);
            for (int32_t v = 0; v < p->inside; v++) {
                halves[2 * v] = (uint8_t)(x[v * channels + c] ^ p->shape->flip);
            }
        }
    }
}

/* `rows` rows of x, of the four channels from x on. */
MS_INLINE void ms_small_split_dsp_of(const uint8_t *x, uint32_t *to, const ms_small_planes_dsp *p, int32_t rows)
{
    if (p->shape->channels < MS_SMALL_GROUP) {
        ms_small_split_few_dsp(x, to, p, rows);
    } else if (p->shape->flip) {
        ms_small_split_flipped_dsp(x, to, &p->split, rows);
    } else {
        ms_small_split_rows_dsp(x, to, &p->split, rows);
    }
}

/* The rows that `count` rows of outputs from row h on see; those that the rows before h saw lie there already. */
MS_SMALL_STATIC void ms_small_fill_planes_dsp(const uint8_t *x, int32_t h, int32_t count, ms_small_planes_dsp *p)
{
    const ms_small_conv_shape *s = p->shape;
    const int32_t row = MS_SMALL_GROUP * p->pitch, kept = h && p->span > s->stride_h ? p->span - s->stride_h : 0;
    const int32_t rows = (count - 1) * s->stride_h + p->span, top = h * s->stride_h - s->pad_top;
    const int32_t begin = top + kept < 0 ? (-top < rows ? -top : rows) : kept;
    const int32_t below = s->height - top < begin ? begin : s->height - top < rows ? s->height - top : rows;
    const int32_t end = p->inside > 0 ? below : begin;
    if (kept) {
        ms_small_move_dsp(p->words, p->words + p->strip * s->stride_h * row, kept * p->pitch);
    }
    if (p->strip < s->out_height) {
        ms_small_outside_dsp(p, kept, begin);
        ms_small_outside_dsp(p, end, rows);
    }
    if (begin < end) {
        ms_small_split_dsp_of(x + (top + begin) * p->split.x_row, p->words + begin * row + p->lead, p, end - begin);
    }
}

#endif
