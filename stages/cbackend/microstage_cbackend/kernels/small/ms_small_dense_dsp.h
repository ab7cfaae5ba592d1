/* ms_small_dense_dsp.h: one position x four filters for Armv7E-M and Armv8-M with DSP, in assembly: dense layers.
 *
 * Weights of 8 bits: two packed pairs of filters as in ms_small_dot_dsp.h, their words in turns.
 * Of 4 bits: a halfword holds u0 + 16 * u1 + 256 * u2 + 4096 * w3 with u = w + 8. AND, UXTB16, BIC and the word itself sum
 * S0 = A0, S1 = S0 + 16 * A1, S2 = S1 + 256 * A2, S3 = S2 + 4096 * A3, exact where every A is in -2^19..2^19-1; -8 * sum(x) is in
 * the sums of the first three from the beginning.
 * Of 2 bits and 1 the same halfwords lie in words of two or four steps, one above another, u = w + 2, or 2 or 0 for +1 and -1, of
 * the fourth filter too. A step is what a mask leaves of the word, turned.
 */
#ifndef MS_SMALL_DENSE_DSP_H
#define MS_SMALL_DENSE_DSP_H

#include "ms_small_dot_dsp.h"

#define MS_DSP_PAIRS_1X4 \
    "ldrd r4,r5,[r12],#8\n ldmia lr!,{r6-r9}\n" \
    "sxtb16 r10,r6\n smlad r1,r4,r6,r1\n smlad r0,r4,r10,r0\n sxtb16 r10,r7\n smlad r3,r4,r7,r3\n smlad r2,r4,r10,r2\n" \
    "sxtb16 r10,r8\n smlad r1,r5,r8,r1\n smlad r0,r5,r10,r0\n sxtb16 r10,r9\n smlad r3,r5,r9,r3\n smlad r2,r5,r10,r2\n"
/* Sixteen weights of each filter a turn; of a row that is no multiple of them the first turn is half of one. */
#define MS_DSP_LOOP_1X4_LONG(half) \
    "ldr r12,[r11,#16]\n ldr r11,[sp,#4]\n sub r10,r11,r12\n tst r10,#16\n bne 6f\n" \
    "2:\n" half "6:\n" half "cmp r12,r11\n bne 2b\n ldr r11,[sp]\n"
#define MS_DSP_LOOP_1X4(step) "ldr r12,[r11,#16]\n ldr r11,[sp,#4]\n2:\n" step "cmp r12,r11\n bne 2b\n ldr r11,[sp]\n"

/* Sums in r0-r3; r8, r9: offset of filters 0 and 2, of 1 and 3, whose sums are 2^bits times as large. Four bytes, or the last ones. */
#define MS_DSP_TIMES_1X4 "smmla r0,r0,r4,r8\n smmla r1,r1,r5,r9\n smmla r2,r2,r6,r8\n smmla r3,r3,r7,r9\n"
#define MS_DSP_STORE_1X4(shift, bits) \
    "usat r0,#8,r0,asr #" shift "\n usat r1,#8,r1,asr #" shift "+" bits "\n usat r2,#8,r2,asr #" shift "\n usat r3,#8,r3,asr #" shift "+" bits "\n" \
    "orr r0,r0,r1,lsl #8\n orr r0,r0,r2,lsl #16\n orr r0,r0,r3,lsl #24\n ldmia r11,{r4-r6}\n cbz r4,3f\n" \
    MS_DSP_CLAMPS MS_DSP_CLAMP("r0") \
    "3: sub r7,r5,r6\n cmp r7,#4\n blt 4f\n str r0,[r6],#4\n str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n b 5f\n" \
    "4: strb r0,[r6],#1\n lsr r0,r0,#8\n cmp r6,r5\n bne 4b\n5:\n"
/* The biases of a fine line, those of filters 1 and 3 shifted by `by`, and its multipliers. */
#define MS_DSP_FINE_1X4(by) \
    "ldr r12,[r11,#24]\n ldmia r12!,{r4-r7}\n add r0,r4,r0,lsl #8\n add r1,r5,r1,lsl #" by "\n add r2,r6,r2,lsl #8\n" \
    "add r3,r7,r3,lsl #" by "\n ldmia r12!,{r4-r7}\n str r12,[r11,#24]\n ldr r8,[r11,#28]\n mov r9,r8\n" MS_DSP_TIMES_1X4
#define MS_DSP_BENT_1X4 \
    "ldr r8,[r11,#52]\n mov r9,#256\n" MS_DSP_KINK("r4", "r9") MS_DSP_KINK("r5", "r9") MS_DSP_KINK("r6", "r9") MS_DSP_KINK("r7", "r9") \
    MS_DSP_BEND("r0", "r8", "r4") MS_DSP_BEND("r1", "r8", "r5") MS_DSP_BEND("r2", "r8", "r6") MS_DSP_BEND("r3", "r8", "r7")
#define MS_DSP_LEVELS_1X4(shift) MS_DSP_STORE_1X4(shift, "0")
#define MS_DSP_END_1X4_sums \
    "ldrd r5,r6,[r11,#4]\n sub r7,r5,r6\n cmp r7,#16\n blt 4f\n stmia r6!,{r0-r3}\n str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n b 5f\n" \
    "4: str r0,[r6],#4\n mov r0,r1\n mov r1,r2\n cmp r6,r5\n bne 4b\n5:\n"

#define MS_DSP_BIAS_1X4 "1: ldmia r12!,{r0-r3}\n str r12,[r11,#24]\n"
#define MS_DSP_NULL_1X4 "1: mov r0,#0\n mov r1,#0\n mov r2,#0\n mov r3,#0\n"
#define MS_DSP_APART_1X4 "sub r1,r1,r0\n sub r3,r3,r2\n"
#define MS_DSP_FACTORS_1X4 "ldr r12,[r11,#24]\n ldmia r12!,{r4-r7}\n ldr r8,[r11,#28]\n"

#define MS_DSP_1X4_8(end, start, finish) \
    MS_DSP_FUNCTION ms_dot_1X4_dsp_8_##end(ms_dot_dsp *frame) \
    { MS_DSP_ASM("", start MS_DSP_LOOP_1X4_LONG(MS_DSP_PAIRS_1X4 MS_DSP_PAIRS_1X4) MS_DSP_APART_1X4 finish, "0"); }
#define MS_DSP_DENSE(shift) \
    MS_DSP_1X4_8(line_##shift, MS_DSP_BIAS_1X4, MS_DSP_FACTORS_1X4 "lsl r9,r8,#8\n" MS_DSP_TIMES_1X4 MS_DSP_STORE_1X4(#shift, "8"))
#define MS_DSP_FINE_DENSE(shift) \
    MS_DSP_1X4_8(fine_##shift, MS_DSP_NULL_1X4, MS_DSP_FINE_1X4("0") MS_DSP_LEVELS_1X4(#shift)) \
    MS_DSP_1X4_8(bent_##shift, MS_DSP_NULL_1X4, MS_DSP_FINE_1X4("0") MS_DSP_BENT_1X4 MS_DSP_LEVELS_1X4(#shift))
MS_SMALL_SHIFTS(MS_DSP_DENSE)
MS_SMALL_FINE_SHIFTS(MS_DSP_FINE_DENSE)
MS_DSP_1X4_8(sums, MS_DSP_NULL_1X4, "asr r1,r1,#8\n asr r3,r3,#8\n" MS_DSP_END_1X4_sums)

#define MS_DSP_QUAD_1X4(x, w) \
    "and r10," w ",#0xf000f\n smlad r0," x ",r10,r0\n uxtb16 r10," w "\n smlad r1," x ",r10,r1\n" \
    "bic r10," w ",#0xf000f000\n smlad r2," x ",r10,r2\n smlad r3," x "," w ",r3\n"
#define MS_DSP_QUADS_1X4 \
    "ldmia r12!,{r4,r5,r8,r9}\n ldrd r6,r7,[lr],#8\n" MS_DSP_QUAD_1X4("r4", "r6") MS_DSP_QUAD_1X4("r5", "r7") \
    "ldrd r6,r7,[lr],#8\n" MS_DSP_QUAD_1X4("r8", "r6") MS_DSP_QUAD_1X4("r9", "r7")
#define MS_DSP_MINUS_1X4 \
    "ldr r4,[sp,#8]\n add r5,r4,r4,lsl #4\n add r6,r5,r4,lsl #8\n add r0,r0,r4\n add r1,r1,r5\n add r2,r2,r6\n add r3,r3,r6\n"
#define MS_DSP_QUADS_APART_1X4 \
    "sub r3,r3,r2\n sub r2,r2,r1\n sub r1,r1,r0\n asr r3,r3,#12\n asr r2,r2,#8\n asr r1,r1,#4\n"

/* A step of a word of narrow fields, turned; r8: the mask. */
#define MS_DSP_NARROW_1X4(x, w, turn) \
    "and r7,r8," w turn "\n and r10,r7,#0xf000f\n smlad r0," x ",r10,r0\n uxtb16 r10,r7\n smlad r1," x ",r10,r1\n" \
    "bic r10,r7,#0xf000f000\n smlad r2," x ",r10,r2\n smlad r3," x ",r7,r3\n"
#define MS_DSP_NARROWS_1X4(w, first, second) \
    "ldmia r12!,{r4,r5}\n" MS_DSP_NARROW_1X4("r4", w, first) MS_DSP_NARROW_1X4("r5", w, second)
#define MS_DSP_STEPS_1X4_2 "ldrd r6,r9,[lr],#8\n" MS_DSP_NARROWS_1X4("r6", "", ",ror #2") MS_DSP_NARROWS_1X4("r9", "", ",ror #2")
#define MS_DSP_STEPS_1X4_1 "ldr r6,[lr],#4\n" MS_DSP_NARROWS_1X4("r6", "", ",ror #1") MS_DSP_NARROWS_1X4("r6", ",ror #2", ",ror #3")
#define MS_DSP_NARROW_MINUS_1X4(mask) MS_DSP_MINUS_1X4 "add r3,r3,r4,lsl #12\n mov r8,#" mask "\n"

/* ms_dot_1X4_dsp_<bits>_<end>: `minus` is taken off each field, `before` makes the sums ready for `loop`. */
#define MS_DSP_1X4_FIELDS(bits, minus, before, loop, end, start, finish) \
    MS_DSP_FUNCTION ms_dot_1X4_dsp_##bits##_##end(ms_dot_dsp *frame) \
    { MS_DSP_ASM(MS_DSP_MINUS_1(minus), start before loop MS_DSP_QUADS_APART_1X4 finish, "2"); }
#define MS_DSP_1X4_4(end, start, finish) \
    MS_DSP_1X4_FIELDS(4, "0x70007", MS_DSP_MINUS_1X4, MS_DSP_LOOP_1X4_LONG(MS_DSP_QUADS_1X4), end, start, finish)
#define MS_DSP_1X4_2(end, start, finish) \
    MS_DSP_1X4_FIELDS(2, "0x10001", MS_DSP_NARROW_MINUS_1X4("0x33333333"), \
                      MS_DSP_LOOP_1X4_LONG(MS_DSP_STEPS_1X4_2), end, start, finish)
#define MS_DSP_1X4_1(end, start, finish) \
    MS_DSP_1X4_FIELDS(1, "0", MS_DSP_NARROW_MINUS_1X4("0x22222222"), \
                      MS_DSP_LOOP_1X4_LONG(MS_DSP_STEPS_1X4_1), end, start, finish)
#define MS_DSP_LINE_QUADS(bits, shift) \
    MS_DSP_1X4_##bits(line_##shift, MS_DSP_BIAS_1X4, MS_DSP_FACTORS_1X4 "mov r9,r8\n" MS_DSP_TIMES_1X4 MS_DSP_STORE_1X4(#shift, "0"))
#define MS_DSP_FINE_QUADS(bits, shift) \
    MS_DSP_1X4_##bits(fine_##shift, MS_DSP_NULL_1X4, MS_DSP_FINE_1X4("8") MS_DSP_LEVELS_1X4(#shift)) \
    MS_DSP_1X4_##bits(bent_##shift, MS_DSP_NULL_1X4, MS_DSP_FINE_1X4("8") MS_DSP_BENT_1X4 MS_DSP_LEVELS_1X4(#shift))
#define MS_DSP_DENSE_FIELDS(shift) MS_DSP_LINE_QUADS(4, shift) MS_DSP_LINE_QUADS(2, shift) MS_DSP_LINE_QUADS(1, shift)
#define MS_DSP_FINE_DENSE_FIELDS(shift) MS_DSP_FINE_QUADS(4, shift) MS_DSP_FINE_QUADS(2, shift) MS_DSP_FINE_QUADS(1, shift)
MS_SMALL_SHIFTS(MS_DSP_DENSE_FIELDS)
MS_SMALL_FINE_SHIFTS(MS_DSP_FINE_DENSE_FIELDS)
MS_DSP_1X4_4(sums, MS_DSP_NULL_1X4, MS_DSP_END_1X4_sums)
MS_DSP_1X4_2(sums, MS_DSP_NULL_1X4, MS_DSP_END_1X4_sums)
MS_DSP_1X4_1(sums, MS_DSP_NULL_1X4, MS_DSP_END_1X4_sums)

#endif
