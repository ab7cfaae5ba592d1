/* ms_small_wide_dsp.h: one filter at a time for Armv7E-M and Armv8-M with DSP, in assembly: sums of any size, weights of 8 bits in rows.
 *
 * Slower than packed pairs by a sixth, for layers whose sums may leave -2^23..2^23-1 or whose weights do not fit in pairs.
 */
#ifndef MS_SMALL_WIDE_DSP_H
#define MS_SMALL_WIDE_DSP_H

#include "ms_small_dot_dsp.h"

/* ---- four positions: r0-r3 */
#define MS_DSP_ROW_4X1 \
    "ldr r8,[lr],#4\n sxtb16 r9,r8\n sxtb16 r8,r8,ror #8\n" \
    "ldmia r12!,{r4-r7}\n smlad r0,r4,r9,r0\n smlad r1,r5,r9,r1\n smlad r2,r6,r9,r2\n smlad r3,r7,r9,r3\n" \
    "ldmia r12!,{r4-r7}\n smlad r0,r4,r8,r0\n smlad r1,r5,r8,r1\n smlad r2,r6,r8,r2\n smlad r3,r7,r8,r3\n"
#define MS_DSP_BIAS_4X1 "1: ldr r0,[r12],#4\n str r12,[r11,#24]\n mov r1,r0\n mov r2,r0\n mov r3,r0\n"
#define MS_DSP_NULL_4X1 "1: mov r0,#0\n mov r1,#0\n mov r2,#0\n mov r3,#0\n"
#define MS_DSP_LINE_4X1(shift) \
    "ldr r12,[r11,#24]\n ldr r8,[r12],#4\n ldr r10,[r11,#28]\n" \
    "smmla r0,r0,r8,r10\n smmla r1,r1,r8,r10\n smmla r2,r2,r8,r10\n smmla r3,r3,r8,r10\n" \
    "usat r0,#8,r0,asr #" shift "\n usat r1,#8,r1,asr #" shift "\n usat r2,#8,r2,asr #" shift "\n usat r3,#8,r3,asr #" shift "\n" \
    MS_DSP_STORE_4X1
#define MS_DSP_STORE_4X1 \
    "orr r0,r0,r1,lsl #8\n orr r0,r0,r2,lsl #16\n orr r0,r0,r3,lsl #24\n ldmia r11,{r4-r7}\n cbz r4,3f\n" \
    MS_DSP_CLAMPS MS_DSP_CLAMP("r0") \
    "3: add r8,r6,r7,lsl #1\n lsr r1,r0,#8\n strb r1,[r6,r7]\n lsr r1,r0,#16\n strb r1,[r8]\n lsr r1,r0,#24\n strb r1,[r8,r7]\n" \
    "strb r0,[r6],#1\n str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n"
#define MS_DSP_FINE_4X1 \
    "ldr r12,[r11,#24]\n ldmia r12!,{r8,r9}\n str r12,[r11,#24]\n ldr r10,[r11,#28]\n" \
    "add r0,r8,r0,lsl #8\n add r1,r8,r1,lsl #8\n add r2,r8,r2,lsl #8\n add r3,r8,r3,lsl #8\n" \
    "smmla r0,r0,r9,r10\n smmla r1,r1,r9,r10\n smmla r2,r2,r9,r10\n smmla r3,r3,r9,r10\n"
#define MS_DSP_BENT_4X1 \
    "ldr r8,[r11,#52]\n mov r10,#256\n" MS_DSP_KINK("r9", "r10") \
    MS_DSP_BEND("r0", "r8", "r9") MS_DSP_BEND("r1", "r8", "r9") MS_DSP_BEND("r2", "r8", "r9") MS_DSP_BEND("r3", "r8", "r9")
#define MS_DSP_LEVELS_4X1(shift) \
    MS_DSP_LEVEL("r0", shift) MS_DSP_LEVEL("r1", shift) MS_DSP_LEVEL("r2", shift) MS_DSP_LEVEL("r3", shift) MS_DSP_STORE_4X1
#define MS_DSP_END_4X1_sums \
    "ldrd r5,r6,[r11,#4]\n ldr r7,[r11,#12]\n add r8,r6,r7,lsl #1\n str r1,[r6,r7]\n str r2,[r8]\n str r3,[r8,r7]\n" \
    "str r0,[r6],#4\n str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n"

/* ---- one position: r0 */
#define MS_DSP_ROW_1X1 \
    "ldmia r12!,{r4-r7}\n ldrd r8,r9,[lr],#8\n sxtb16 r1,r8\n sxtb16 r8,r8,ror #8\n sxtb16 r2,r9\n sxtb16 r9,r9,ror #8\n" \
    "smlad r0,r4,r1,r0\n smlad r0,r5,r8,r0\n smlad r0,r6,r2,r0\n smlad r0,r7,r9,r0\n"
#define MS_DSP_BIAS_1X1 "1: ldr r0,[r12],#4\n str r12,[r11,#24]\n"
#define MS_DSP_NULL_1X1 "1: mov r0,#0\n"
#define MS_DSP_LINE_1X1(shift) \
    "ldr r12,[r11,#24]\n ldr r8,[r12],#4\n ldr r10,[r11,#28]\n smmla r0,r0,r8,r10\n usat r0,#8,r0,asr #" shift "\n" MS_DSP_STORE_1X1
#define MS_DSP_STORE_1X1 \
    "ldmia r11,{r4-r6}\n cbz r4,3f\n" MS_DSP_CLAMPS MS_DSP_CLAMP("r0") \
    "3: strb r0,[r6],#1\n str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n"
#define MS_DSP_FINE_1X1 \
    "ldr r12,[r11,#24]\n ldmia r12!,{r8,r9}\n str r12,[r11,#24]\n ldr r10,[r11,#28]\n add r0,r8,r0,lsl #8\n smmla r0,r0,r9,r10\n"
#define MS_DSP_BENT_1X1 "ldr r8,[r11,#52]\n mov r10,#256\n" MS_DSP_KINK("r9", "r10") MS_DSP_BEND("r0", "r8", "r9")
#define MS_DSP_LEVELS_1X1(shift) MS_DSP_LEVEL("r0", shift) MS_DSP_STORE_1X1
#define MS_DSP_END_1X1_sums "ldrd r5,r6,[r11,#4]\n str r0,[r6],#4\n str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n"

#define MS_DSP_WIDE(form, rows, end, start, finish) \
    MS_DSP_FUNCTION ms_dot_##form##_dsp_8_##end(ms_dot_dsp *frame) \
    { MS_DSP_ASM("", start MS_DSP_LOOP_1X4(rows) finish, "0"); }
#define MS_DSP_WIDE_FINES(form, rows, shift) \
    MS_DSP_WIDE(form, rows, fine_##shift, MS_DSP_NULL_##form, MS_DSP_FINE_##form MS_DSP_LEVELS_##form(#shift)) \
    MS_DSP_WIDE(form, rows, bent_##shift, MS_DSP_NULL_##form, MS_DSP_FINE_##form MS_DSP_BENT_##form MS_DSP_LEVELS_##form(#shift))
#define MS_DSP_WIDES(shift) \
    MS_DSP_WIDE(4X1, MS_DSP_ROW_4X1 MS_DSP_ROW_4X1, line_##shift, MS_DSP_BIAS_4X1, MS_DSP_LINE_4X1(#shift)) \
    MS_DSP_WIDE(1X1, MS_DSP_ROW_1X1, line_##shift, MS_DSP_BIAS_1X1, MS_DSP_LINE_1X1(#shift))
#define MS_DSP_WIDE_FINES_BOTH(shift) \
    MS_DSP_WIDE_FINES(4X1, MS_DSP_ROW_4X1 MS_DSP_ROW_4X1, shift) MS_DSP_WIDE_FINES(1X1, MS_DSP_ROW_1X1, shift)
MS_SMALL_SHIFTS(MS_DSP_WIDES)
MS_SMALL_FINE_SHIFTS(MS_DSP_WIDE_FINES_BOTH)
MS_DSP_WIDE(4X1, MS_DSP_ROW_4X1 MS_DSP_ROW_4X1, sums, MS_DSP_NULL_4X1, MS_DSP_END_4X1_sums)
MS_DSP_WIDE(1X1, MS_DSP_ROW_1X1, sums, MS_DSP_NULL_1X1, MS_DSP_END_1X1_sums)

#endif
