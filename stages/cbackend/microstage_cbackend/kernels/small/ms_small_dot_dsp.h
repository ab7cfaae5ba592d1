/* ms_small_dot_dsp.h: products of patches and packed pairs of filters for Armv7E-M and Armv8-M with DSP, in assembly.
 *
 * A halfword of weights holds w0 + 256 * w1 of two filters. SMLAD with the word itself sums S = A0 + 256 * A1, with its SXTB16
 * A0; A1 = (S - A0) / 256, exact where -2^23 <= A1 < 2^23. S may wrap on its way: sums are taken modulo 2^32.
 * A line needs two instructions: (offset * 256 + (256 * A1 * m >> 32)) >> (shift + 8) = (offset + (A1 * m >> 32)) >> shift.
 *
 * Weights of 4, 2 and 1 bits ("fields"): u = w + half, unsigned, of two filters side by side, S = A0 + 2^bits * A1 by a mask of
 * both, A0 by a mask of one; -half * sum(x) is in the sums from the beginning. Of one bit, u is 0 or 2.
 *
 * A fine line takes one more for filter 0, whose sum is shifted and has its bias in one; filter 1's is 256 * A1 as it is. A bent
 * one takes three more for each.
 *
 * Each function is an ordinary one with a single assembly statement, which keeps r4-r11 on the stack itself and leaves SP a stack
 * pointer at every instruction: interrupts may come anywhere.
 */
#ifndef MS_SMALL_DOT_DSP_H
#define MS_SMALL_DOT_DSP_H

#include "ms_small_end_dsp.h"

/* What the assembly is told, and where it keeps what it walks; the numbers are the bytes before a member. */
typedef struct ms_dot_dsp ms_dot_dsp;
typedef void ms_dot_function_dsp(ms_dot_dsp *);
struct ms_dot_dsp {
    uint32_t clamps;             /*  0: whether up, down or back is not 0 */
    uint8_t *end, *y;            /*  4, 8: where the outputs of the first position end and begin */
    int32_t row;                 /* 12: bytes from the outputs of a position to those of the next one */
    uint32_t *x, *x_end;         /* 16, 20: patches as ms_small_gather_dsp.h lays them */
    const int32_t *q;            /* 24: biases and multipliers */
    int32_t offset;              /* 28 */
    uint32_t up, down, back;     /* 32, 36, 40: clamp of four bytes: + up, saturated; - down, saturated; + back */
    const void *w;               /* 44 */
    ms_dot_function_dsp *function;
    int32_t edge;                /* 52 */
};

#if defined __GNUC__
#define MS_DSP_FUNCTION __attribute__((noinline, unused)) static void
#endif

/* r0: the frame, kept at sp with the end of the patches at sp + 4; r11: the frame, lr: the weights, r12: q. */
#define MS_DSP_ASM(before, body, words)                                                                                      \
    register ms_dot_dsp *at __asm__("r0") = frame;                                                                          \
    __asm__ volatile("push {r4-r11}\n" before "ldr r1,[r0,#20]\n push {r0,r1}\n mov r11,r0\n ldr lr,[r0,#44]\n ldr r12,[r0,#24]\n" \
                     body "add sp,#8+4*" words "\n pop {r4-r11}\n"                                                           \
                     : "+r"(at) : : "r1", "r2", "r3", "r12", "lr", "cc", "memory")

/* ---- four positions x two filters: sums of filter 0 in r0-r3, packed sums in r4-r7 */
#define MS_DSP_BIAS_4X2 \
    "ldmia r12!,{r0,r4}\n str r12,[r11,#24]\n mov r1,r0\n mov r2,r0\n mov r3,r0\n mov r5,r4\n mov r6,r4\n mov r7,r4\n"
#define MS_DSP_NULL_4X2 \
    "mov r0,#0\n mov r1,#0\n mov r2,#0\n mov r3,#0\n mov r4,#0\n mov r5,#0\n mov r6,#0\n mov r7,#0\n"

#define MS_DSP_FINE_BIAS_4X2 \
    "ldr r4,[r12],#4\n str r12,[r11,#24]\n mov r0,#0\n mov r1,#0\n mov r2,#0\n mov r3,#0\n mov r5,r4\n mov r6,r4\n mov r7,r4\n"

/* Two weights of each filter: 16 products in 12 instructions. */
#define MS_DSP_PAIRS_4X2 \
    "ldr r10,[lr],#4\n ldrd r8,r9,[r12],#8\n sxtb16 r11,r10\n" \
    "smlad r0,r8,r11,r0\n smlad r4,r8,r10,r4\n smlad r1,r9,r11,r1\n smlad r5,r9,r10,r5\n" \
    "ldrd r8,r9,[r12],#8\n" \
    "smlad r2,r8,r11,r2\n smlad r6,r8,r10,r6\n smlad r3,r9,r11,r3\n smlad r7,r9,r10,r7\n"

/* Eight weights of each filter. */
#define MS_DSP_PAIRS_4X2_8 MS_DSP_PAIRS_4X2 MS_DSP_PAIRS_4X2 MS_DSP_PAIRS_4X2 MS_DSP_PAIRS_4X2

#define MS_DSP_LOOP_4X2(step) "ldr r12,[r11,#16]\n2:\n" step "ldr r11,[sp,#4]\n cmp r12,r11\n bne 2b\n ldr r11,[sp]\n"

#define MS_DSP_CLAMP(r) "uqadd8 " r "," r ",r8\n uqsub8 " r "," r ",r9\n uadd8 " r "," r ",r10\n"
#define MS_DSP_CLAMPS "ldrd r8,r9,[r11,#32]\n ldr r10,[r11,#40]\n"

/* Both filters of a position in two bytes of r0-r3, stored at y, y + row... */
#define MS_DSP_LINE_4X2(shift, bits) \
    "ldr r12,[r11,#24]\n ldmia r12!,{r8,r9}\n ldr r10,[r11,#28]\n" \
    MS_DSP_APART_4X2 \
    "smmla r0,r0,r8,r10\n smmla r1,r1,r8,r10\n smmla r2,r2,r8,r10\n smmla r3,r3,r8,r10\n lsl r10,r10,#" bits "\n" \
    "smmla r4,r4,r9,r10\n smmla r5,r5,r9,r10\n smmla r6,r6,r9,r10\n smmla r7,r7,r9,r10\n" \
    "usat r0,#8,r0,asr #" shift "\n usat r1,#8,r1,asr #" shift "\n usat r2,#8,r2,asr #" shift "\n usat r3,#8,r3,asr #" shift "\n" \
    "usat r4,#8,r4,asr #" shift "+" bits "\n usat r5,#8,r5,asr #" shift "+" bits "\n" \
    "usat r6,#8,r6,asr #" shift "+" bits "\n usat r7,#8,r7,asr #" shift "+" bits "\n" \
    "orr r0,r0,r4,lsl #8\n orr r1,r1,r5,lsl #8\n orr r2,r2,r6,lsl #8\n orr r3,r3,r7,lsl #8\n" \
    MS_DSP_STORE_4X2
#define MS_DSP_STORE_4X2 \
    "ldmia r11,{r4-r7}\n cbnz r4,4f\n" \
    "3: add r8,r6,r7,lsl #1\n strh r3,[r8,r7]\n strh r2,[r8]\n strh r1,[r6,r7]\n strh r0,[r6],#2\n" \
    "str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n b 5f\n" \
    "4: " MS_DSP_CLAMPS MS_DSP_CLAMP("r0") MS_DSP_CLAMP("r1") MS_DSP_CLAMP("r2") MS_DSP_CLAMP("r3") "b 3b\n5:\n"

/* Sums of filter 0 and what is 2^bits times those of filter 1, with their biases, times multipliers, plus the offset. q of two
 * filters is bias 1, bias 0, multiplier 0, multiplier 1. */
#define MS_DSP_FINE_4X2 \
    "add r0,r8,r0,lsl #8\n add r1,r8,r1,lsl #8\n add r2,r8,r2,lsl #8\n add r3,r8,r3,lsl #8\n ldr r8,[r11,#28]\n" \
    "smmla r0,r0,r9,r8\n smmla r1,r1,r9,r8\n smmla r2,r2,r9,r8\n smmla r3,r3,r9,r8\n" \
    "smmla r4,r4,r10,r8\n smmla r5,r5,r10,r8\n smmla r6,r6,r10,r8\n smmla r7,r7,r10,r8\n"
#define MS_DSP_APART_4X2 "sub r4,r4,r0\n sub r5,r5,r1\n sub r6,r6,r2\n sub r7,r7,r3\n"
/* Of 8 bits the bias of filter 1 has been in its sums from the beginning. */
#define MS_DSP_FINE_4X2_8 MS_DSP_APART_4X2 "ldr r12,[r11,#24]\n ldmia r12!,{r8-r10}\n" MS_DSP_FINE_4X2
#define MS_DSP_FINE_4X2_FIELDS(bits) \
    MS_DSP_APART_4X2 "ldr r12,[r11,#24]\n ldr r8,[r12],#4\n add r4,r8,r4,lsl #8-" bits "\n add r5,r8,r5,lsl #8-" bits "\n" \
    "add r6,r8,r6,lsl #8-" bits "\n add r7,r8,r7,lsl #8-" bits "\n ldmia r12!,{r8-r10}\n str r12,[r11,#24]\n" MS_DSP_FINE_4X2
#define MS_DSP_FINE_4X2_4 MS_DSP_FINE_4X2_FIELDS("4")
#define MS_DSP_FINE_4X2_2 MS_DSP_FINE_4X2_FIELDS("2")
#define MS_DSP_FINE_4X2_1 MS_DSP_FINE_4X2_FIELDS("1")
/* A multiplier becomes its kink: 256 is in `one`. Below the edge, in `edge`, the kink is taken off. */
#define MS_DSP_KINK(m, one) "clz " m "," m "\n lsr " m "," one "," m "\n"
#define MS_DSP_BEND(r, edge, kink) "cmp " r "," edge "\n it lt\n sublt " r "," r "," kink "\n"
#define MS_DSP_BENT_4X2 \
    "ldr r8,[r11,#52]\n mov r11,#256\n" MS_DSP_KINK("r9", "r11") MS_DSP_KINK("r10", "r11") "ldr r11,[sp]\n" \
    MS_DSP_BEND("r0", "r8", "r9") MS_DSP_BEND("r1", "r8", "r9") MS_DSP_BEND("r2", "r8", "r9") MS_DSP_BEND("r3", "r8", "r9") \
    MS_DSP_BEND("r4", "r8", "r10") MS_DSP_BEND("r5", "r8", "r10") MS_DSP_BEND("r6", "r8", "r10") MS_DSP_BEND("r7", "r8", "r10")
#define MS_DSP_LEVELS_4X2(shift) \
    MS_DSP_LEVEL("r0", shift) MS_DSP_LEVEL("r1", shift) MS_DSP_LEVEL("r2", shift) MS_DSP_LEVEL("r3", shift) \
    MS_DSP_LEVEL("r4", shift) MS_DSP_LEVEL("r5", shift) MS_DSP_LEVEL("r6", shift) MS_DSP_LEVEL("r7", shift) \
    "orr r0,r0,r4,lsl #8\n orr r1,r1,r5,lsl #8\n orr r2,r2,r6,lsl #8\n orr r3,r3,r7,lsl #8\n" MS_DSP_STORE_4X2
#define MS_DSP_LEVEL(r, shift) "usat " r ",#8," r ",asr #" shift "\n"

#define MS_DSP_END_4X2_sums(bits) \
    MS_DSP_APART_4X2 "asr r4,r4,#" bits "\n asr r5,r5,#" bits "\n asr r6,r6,#" bits "\n asr r7,r7,#" bits "\n" \
    "ldrd r8,r9,[r11,#4]\n ldr r10,[r11,#12]\n add r12,r9,#8\n str r12,[r11,#8]\n" \
    "strd r0,r4,[r9]\n add r9,r9,r10\n strd r1,r5,[r9]\n add r9,r9,r10\n strd r2,r6,[r9]\n add r9,r9,r10\n strd r3,r7,[r9]\n" \
    "cmp r12,r8\n bne 1b\n"

/* ---- one position x two filters: r0 and r1 */
#define MS_DSP_BIAS_1X2 "ldmia r12!,{r0,r1}\n str r12,[r11,#24]\n"
#define MS_DSP_NULL_1X2 "mov r0,#0\n mov r1,#0\n"
#define MS_DSP_PAIR_1X2(x, w) "sxtb16 r2," w "\n smlad r1," x "," w ",r1\n smlad r0," x ",r2,r0\n"
#define MS_DSP_PAIRS_1X2 \
    "ldmia r12!,{r4-r7}\n ldmia lr!,{r8-r11}\n" MS_DSP_PAIR_1X2("r4", "r8") MS_DSP_PAIR_1X2("r5", "r9") \
    MS_DSP_PAIR_1X2("r6", "r10") MS_DSP_PAIR_1X2("r7", "r11")
#define MS_DSP_LOOP_1X2(step) "ldr r3,[sp,#4]\n ldr r12,[r11,#16]\n2:\n" step "cmp r12,r3\n bne 2b\n ldr r11,[sp]\n"

#define MS_DSP_LINE_1X2(shift, bits) \
    "ldr r12,[r11,#24]\n ldmia r12!,{r8,r9}\n ldr r10,[r11,#28]\n sub r1,r1,r0\n smmla r0,r0,r8,r10\n lsl r10,r10,#" bits "\n" \
    "smmla r1,r1,r9,r10\n usat r0,#8,r0,asr #" shift "\n usat r1,#8,r1,asr #" shift "+" bits "\n" MS_DSP_STORE_1X2
#define MS_DSP_STORE_1X2 \
    "orr r0,r0,r1,lsl #8\n ldmia r11,{r4-r6}\n cbz r4,3f\n" MS_DSP_CLAMPS MS_DSP_CLAMP("r0") \
    "3: strb r0,[r6],#1\n cmp r6,r5\n beq 5f\n lsr r0,r0,#8\n strb r0,[r6],#1\n str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n5:\n"
#define MS_DSP_FINE_1X2(bits) \
    "ldr r12,[r11,#24]\n ldmia r12!,{r4-r7}\n str r12,[r11,#24]\n ldr r8,[r11,#28]\n sub r1,r1,r0\n" \
    "add r0,r5,r0,lsl #8\n add r1,r4,r1,lsl #8-" bits "\n smmla r0,r0,r6,r8\n smmla r1,r1,r7,r8\n"
#define MS_DSP_BENT_1X2 \
    "ldr r8,[r11,#52]\n mov r9,#256\n" MS_DSP_KINK("r6", "r9") MS_DSP_KINK("r7", "r9") \
    MS_DSP_BEND("r0", "r8", "r6") MS_DSP_BEND("r1", "r8", "r7")
#define MS_DSP_LEVELS_1X2(shift) MS_DSP_LEVEL("r0", shift) MS_DSP_LEVEL("r1", shift) MS_DSP_STORE_1X2

#define MS_DSP_APART_1X2(bits) "sub r1,r1,r0\n asr r1,r1,#" bits "\n"
#define MS_DSP_END_1X2_sums(bits) \
    MS_DSP_APART_1X2(bits) "ldrd r5,r6,[r11,#4]\n str r0,[r6],#4\n cmp r6,r5\n beq 5f\n str r1,[r6],#4\n" \
    "str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n5:\n"

/* ---- fields. Before: -half * sum(x) of the four patches, or of the one, pushed. */
#define MS_DSP_MINUS_4(mask) \
    "ldrd r4,r5,[r0,#16]\n mvn r6,#" mask "\n mov r1,#0\n mov r2,#0\n mov r3,#0\n mov r12,#0\n" \
    "1: ldmia r4!,{r7-r10}\n smlad r1,r7,r6,r1\n smlad r2,r8,r6,r2\n smlad r3,r9,r6,r3\n smlad r12,r10,r6,r12\n" \
    "cmp r4,r5\n bne 1b\n push {r1-r3,r12}\n"
#define MS_DSP_MINUS_1(mask) \
    "ldrd r4,r5,[r0,#16]\n mvn r6,#" mask "\n mov r1,#0\n" \
    "1: ldmia r4!,{r7-r10}\n smlad r1,r7,r6,r1\n smlad r1,r8,r6,r1\n smlad r1,r9,r6,r1\n smlad r1,r10,r6,r1\n" \
    "cmp r4,r5\n bne 1b\n mov r2,r1\n push {r1,r2}\n"

/* r0, r4: biases of filter 0 and of both; to them what is taken off. */
#define MS_DSP_START_4X2(bits) \
    "add r8,sp,#8\n ldmia r8,{r8-r10,r12}\n add r1,r0,r9\n add r2,r0,r10\n add r3,r0,r12\n add r0,r0,r8\n" \
    "add r5,r4,r9\n add r6,r4,r10\n add r7,r4,r12\n add r4,r4,r8\n add r4,r4,r8,lsl #" bits "\n" \
    "add r5,r5,r9,lsl #" bits "\n add r6,r6,r10,lsl #" bits "\n add r7,r7,r12,lsl #" bits "\n"
#define MS_DSP_FIELD_BIAS_4X2(bits) "ldmia r12!,{r0,r4}\n str r12,[r11,#24]\n" MS_DSP_START_4X2(bits)
#define MS_DSP_FIELD_NULL_4X2(bits) "mov r0,#0\n mov r4,#0\n" MS_DSP_START_4X2(bits)
#define MS_DSP_START_1X2(bits) "ldr r2,[sp,#8]\n add r0,r0,r2\n add r1,r1,r2\n add r1,r1,r2,lsl #" bits "\n"

/* Two weights of each filter, both in `mask` of the word in r11, the first in `one`. */
#define MS_DSP_FIELD_4X2(mask, one) \
    "and r10,r11,#" mask "\n ldrd r8,r9,[r12],#8\n smlad r4,r8,r10,r4\n smlad r5,r9,r10,r5\n and r10,r10,#" one "\n" \
    "smlad r0,r8,r10,r0\n smlad r1,r9,r10,r1\n ldrd r8,r9,[r12],#8\n smlad r2,r8,r10,r2\n smlad r3,r9,r10,r3\n" \
    "and r10,r11,#" mask "\n smlad r6,r8,r10,r6\n smlad r7,r9,r10,r7\n"
#define MS_DSP_FIELD_1X2(mask, one) \
    "ldr r4,[r12],#4\n and r2,r8,#" mask "\n smlad r1,r4,r2,r1\n and r2,r2,#" one "\n smlad r0,r4,r2,r0\n"
#define MS_DSP_TURN_4X2(bits) "ror r11,r11,#2*" bits "\n"
#define MS_DSP_TURN_1X2(bits) "ror r8,r8,#2*" bits "\n"
#define MS_DSP_WORD_4X2 "ldr r11,[lr],#4\n"
#define MS_DSP_WORD_1X2 "ldr r8,[lr],#4\n"
/* A word of 4 bits holds 2 steps, of 2 bits 4, of 1 bit 8. */
#define MS_DSP_TWO(form, mask, one, bits) MS_DSP_FIELD_##form(mask, one) MS_DSP_TURN_##form(bits) MS_DSP_FIELD_##form(mask, one)
#define MS_DSP_FOUR(form, mask, one, bits) MS_DSP_TWO(form, mask, one, bits) MS_DSP_TURN_##form(bits) MS_DSP_TWO(form, mask, one, bits)
#define MS_DSP_STEPS_4(form) MS_DSP_WORD_##form MS_DSP_TWO(form, "0xff00ff", "0xf000f", "4") MS_DSP_WORD_##form MS_DSP_TWO(form, "0xff00ff", "0xf000f", "4")
#define MS_DSP_STEPS_2(form) MS_DSP_WORD_##form MS_DSP_FOUR(form, "0xf000f", "0x30003", "2")
#define MS_DSP_STEPS_1(form) \
    MS_DSP_WORD_##form MS_DSP_FOUR(form, "0x60006", "0x20002", "1") MS_DSP_TURN_##form("1") MS_DSP_FOUR(form, "0x60006", "0x20002", "1")

/* Functions: ms_dot_<form>_dsp_<bits>_<end>, an end being line, fine or bent with its shift, or sums; long: of 8 bits and a
 * multiple of 16 weights. */
#define MS_DSP_4X2_8(end, start, finish) \
    MS_DSP_FUNCTION ms_dot_4X2_dsp_8_##end(ms_dot_dsp *frame) \
    { MS_DSP_ASM("", "1: " start MS_DSP_LOOP_4X2(MS_DSP_PAIRS_4X2_8) finish, "0"); } \
    MS_DSP_FUNCTION ms_dot_4X2_dsp_long_##end(ms_dot_dsp *frame) \
    { MS_DSP_ASM("", "1: " start MS_DSP_LOOP_4X2(MS_DSP_PAIRS_4X2_8 MS_DSP_PAIRS_4X2_8) finish, "0"); }
#define MS_DSP_1X2_8(end, start, finish) \
    MS_DSP_FUNCTION ms_dot_1X2_dsp_8_##end(ms_dot_dsp *frame) \
    { MS_DSP_ASM("", "1: " start MS_DSP_LOOP_1X2(MS_DSP_PAIRS_1X2) finish, "0"); }
#define MS_DSP_4X2_FIELDS(b, minus, end, start, finish) \
    MS_DSP_FUNCTION ms_dot_4X2_dsp_##b##_##end(ms_dot_dsp *frame) \
    { MS_DSP_ASM(MS_DSP_MINUS_4(minus), "1: " start MS_DSP_LOOP_4X2(MS_DSP_STEPS_##b(4X2)) finish, "4"); }
#define MS_DSP_1X2_FIELDS(b, minus, end, start, finish) \
    MS_DSP_FUNCTION ms_dot_1X2_dsp_##b##_##end(ms_dot_dsp *frame) \
    { MS_DSP_ASM(MS_DSP_MINUS_1(minus), "1: " start MS_DSP_START_1X2(#b) MS_DSP_LOOP_1X2(MS_DSP_STEPS_##b(1X2)) finish, "2"); }

#define MS_DSP_LINES_8(shift) \
    MS_DSP_4X2_8(line_##shift, MS_DSP_BIAS_4X2, MS_DSP_LINE_4X2(#shift, "8")) \
    MS_DSP_1X2_8(line_##shift, MS_DSP_BIAS_1X2, MS_DSP_LINE_1X2(#shift, "8"))
#define MS_DSP_FINES_8(shift) \
    MS_DSP_4X2_8(fine_##shift, MS_DSP_FINE_BIAS_4X2, MS_DSP_FINE_4X2_8 MS_DSP_LEVELS_4X2(#shift)) \
    MS_DSP_4X2_8(bent_##shift, MS_DSP_FINE_BIAS_4X2, MS_DSP_FINE_4X2_8 MS_DSP_BENT_4X2 MS_DSP_LEVELS_4X2(#shift)) \
    MS_DSP_1X2_8(fine_##shift, MS_DSP_NULL_1X2, MS_DSP_FINE_1X2("8") MS_DSP_LEVELS_1X2(#shift)) \
    MS_DSP_1X2_8(bent_##shift, MS_DSP_NULL_1X2, MS_DSP_FINE_1X2("8") MS_DSP_BENT_1X2 MS_DSP_LEVELS_1X2(#shift))
MS_SMALL_SHIFTS(MS_DSP_LINES_8)
MS_SMALL_FINE_SHIFTS(MS_DSP_FINES_8)
MS_DSP_4X2_8(sums, MS_DSP_NULL_4X2, MS_DSP_END_4X2_sums("8"))
MS_DSP_1X2_8(sums, MS_DSP_NULL_1X2, MS_DSP_END_1X2_sums("8"))

#define MS_DSP_LINES(b, minus, shift) \
    MS_DSP_4X2_FIELDS(b, minus, line_##shift, MS_DSP_FIELD_BIAS_4X2(#b), MS_DSP_LINE_4X2(#shift, #b)) \
    MS_DSP_1X2_FIELDS(b, minus, line_##shift, MS_DSP_BIAS_1X2, MS_DSP_LINE_1X2(#shift, #b))
#define MS_DSP_FINES(b, minus, shift) \
    MS_DSP_4X2_FIELDS(b, minus, fine_##shift, MS_DSP_FIELD_NULL_4X2(#b), MS_DSP_FINE_4X2_##b MS_DSP_LEVELS_4X2(#shift)) \
    MS_DSP_4X2_FIELDS(b, minus, bent_##shift, MS_DSP_FIELD_NULL_4X2(#b), MS_DSP_FINE_4X2_##b MS_DSP_BENT_4X2 MS_DSP_LEVELS_4X2(#shift)) \
    MS_DSP_1X2_FIELDS(b, minus, fine_##shift, MS_DSP_NULL_1X2, MS_DSP_FINE_1X2(#b) MS_DSP_LEVELS_1X2(#shift)) \
    MS_DSP_1X2_FIELDS(b, minus, bent_##shift, MS_DSP_NULL_1X2, MS_DSP_FINE_1X2(#b) MS_DSP_BENT_1X2 MS_DSP_LEVELS_1X2(#shift))
#define MS_DSP_SUMS(b, minus) \
    MS_DSP_4X2_FIELDS(b, minus, sums, MS_DSP_FIELD_NULL_4X2(#b), MS_DSP_END_4X2_sums(#b)) \
    MS_DSP_1X2_FIELDS(b, minus, sums, MS_DSP_NULL_1X2, MS_DSP_END_1X2_sums(#b))
#define MS_DSP_LINES_4(shift) MS_DSP_LINES(4, "0x70007", shift)
#define MS_DSP_FINES_4(shift) MS_DSP_FINES(4, "0x70007", shift)
MS_SMALL_SHIFTS(MS_DSP_LINES_4)
MS_SMALL_FINE_SHIFTS(MS_DSP_FINES_4)
MS_DSP_SUMS(4, "0x70007")
#define MS_DSP_LINES_2(shift) MS_DSP_LINES(2, "0x10001", shift)
#define MS_DSP_FINES_2(shift) MS_DSP_FINES(2, "0x10001", shift)
MS_SMALL_SHIFTS(MS_DSP_LINES_2)
MS_SMALL_FINE_SHIFTS(MS_DSP_FINES_2)
MS_DSP_SUMS(2, "0x10001")
#define MS_DSP_LINES_1(shift) MS_DSP_LINES(1, "0", shift)
#define MS_DSP_FINES_1(shift) MS_DSP_FINES(1, "0", shift)
MS_SMALL_SHIFTS(MS_DSP_LINES_1)
MS_SMALL_FINE_SHIFTS(MS_DSP_FINES_1)
MS_DSP_SUMS(1, "0")

#endif
