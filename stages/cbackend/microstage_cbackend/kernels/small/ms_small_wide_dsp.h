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
/* Sums may be so far apart that their difference is none of 32 bits: each begins with the offset, in r5 and r6. */
#define MS_DSP_EACH_4X1(r, end) "mov r10,r5\n mov r12,r6\n" MS_DSP_NEXT_##end(r, "r4")
#define MS_DSP_REQUANT_4X1(end) \
    "ldrd r7,r8,[r11,#24]\n ldr r4,[r7],#4\n ldrd r5,r6,[r8],#8\n strd r7,r8,[r11,#24]\n" MS_DSP_SHIFT_##end("r9") \
    MS_DSP_EACH_4X1("r0", end) MS_DSP_EACH_4X1("r1", end) MS_DSP_EACH_4X1("r2", end) MS_DSP_EACH_4X1("r3", end) MS_DSP_STORE_4X1
#define MS_DSP_END_4X1_requant MS_DSP_REQUANT_4X1(requant)
#define MS_DSP_END_4X1_shifted MS_DSP_REQUANT_4X1(shifted)
#define MS_DSP_BENT_4X1(r) "mov r10,r5\n mov r12,r6\n" MS_DSP_BENT(r, "r4")
#define MS_DSP_END_4X1_kinked \
    "str lr,[r11,#44]\n ldrd r7,r8,[r11,#24]\n ldr r4,[r7],#4\n ldrd r5,r6,[r8],#8\n strd r7,r8,[r11,#24]\n" MS_DSP_KINK("r8", "8") \
    MS_DSP_BENT_4X1("r0") MS_DSP_BENT_4X1("r1") MS_DSP_BENT_4X1("r2") MS_DSP_BENT_4X1("r3") MS_DSP_BACK \
    MS_DSP_SHIFTED("r0") MS_DSP_SHIFTED("r1") MS_DSP_SHIFTED("r2") MS_DSP_SHIFTED("r3") MS_DSP_STORE_4X1
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
    "ldr r12,[r11,#24]\n ldr r8,[r12],#4\n ldr r10,[r11,#28]\n smmla r0,r0,r8,r10\n usat r0,#8,r0,asr #" shift "\n" \
    "ldmia r11,{r4-r6}\n cbz r4,3f\n" MS_DSP_CLAMPS MS_DSP_CLAMP("r0") \
    "3: strb r0,[r6],#1\n str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n"
#define MS_DSP_END_1X1_requant MS_DSP_ONES(MS_DSP_ONE("r0", requant))
#define MS_DSP_END_1X1_shifted MS_DSP_ONES(MS_DSP_ONE("r0", shifted))
#define MS_DSP_END_1X1_kinked MS_DSP_ONES(MS_DSP_ONE("r0", kinked))
#define MS_DSP_END_1X1_sums "ldrd r5,r6,[r11,#4]\n str r0,[r6],#4\n str r6,[r11,#8]\n cmp r6,r5\n bne 1b\n"

#define MS_DSP_WIDE(form, rows, shift) \
    MS_DSP_FUNCTION ms_dot_##form##_dsp_8_##shift(ms_dot_dsp *frame) \
    { MS_DSP_ASM("", MS_DSP_BIAS_##form MS_DSP_LOOP_1X4(rows) MS_DSP_LINE_##form(#shift), "0"); }
#define MS_DSP_WIDE_ALONE(form, rows, end) \
    MS_DSP_FUNCTION ms_dot_##form##_dsp_8_##end(ms_dot_dsp *frame) \
    { MS_DSP_ASM("", MS_DSP_NULL_##form MS_DSP_LOOP_1X4(rows) MS_DSP_END_##form##_##end, "0"); }

#define MS_DSP_WIDES(shift) MS_DSP_WIDE(4X1, MS_DSP_ROW_4X1 MS_DSP_ROW_4X1, shift) MS_DSP_WIDE(1X1, MS_DSP_ROW_1X1, shift)
MS_SMALL_SHIFTS(MS_DSP_WIDES)
#define MS_DSP_WIDES_ALONE(end) MS_DSP_WIDE_ALONE(4X1, MS_DSP_ROW_4X1 MS_DSP_ROW_4X1, end) MS_DSP_WIDE_ALONE(1X1, MS_DSP_ROW_1X1, end)
MS_DSP_ALONE(MS_DSP_WIDES_ALONE)

#endif
