/* Differing bits for Armv7E-M and Armv8-M with DSP: 18 words at a time by carry-save adders, then bytes summed by USADA8.
 *
 * r0: x; r1: w; r2: bits of weight one; r11: of two; r12: of four; lr, r3: of eight; r10: the count.
 */
#ifndef MS_SMALL_XNOR_DSP_H
#define MS_SMALL_XNOR_DSP_H

#include "ms_small.h"
#include "ms_small_asm_dsp.h"

/* l += a + b: l's bits stay, h has what is carried; b and u are used up. */
#define MS_ADD_BITS_DSP(h, l, a, b, u)                                                                          \
    "eor " u ", " l ", " a "\n and " h ", " l ", " a "\n eor " l ", " u ", " b "\n and " u ", " u ", " b "\n"    \
    "orr " h ", " h ", " u "\n"
/* Four words more: their carries of four in `to`. */
#define MS_ADD_FOUR_DSP(to)                                                                                     \
    "ldmia r1!, {r3-r6}\n ldrd r7, r8, [r0], #8\n eor r3, r7\n eor r4, r8\n"                                     \
    "ldrd r7, r8, [r0], #8\n eor r5, r7\n eor r6, r8\n"                                                          \
    MS_ADD_BITS_DSP("r7", "r2", "r3", "r4", "r8") MS_ADD_BITS_DSP("r3", "r2", "r5", "r6", "r8")                  \
    MS_ADD_BITS_DSP(to, "r11", "r7", "r3", "r8")
/* The bits of v in fields of four, with masks in r5 and r6; the fields of v in bytes, with a mask in r7. */
#define MS_COUNT_FOURS_DSP(v)                                                                                   \
    "and r4, r5, " v ", lsr #1\n sub " v ", " v ", r4\n and r4, r6, " v ", lsr #2\n and " v ", r6\n add " v ", r4\n"
#define MS_COUNT_BYTES_DSP(v) "and r4, r7, " v ", lsr #4\n and " v ", r7\n add " v ", r4\n"
#define MS_MASKS_DSP "mov r5, #0x55555555\n mov r6, #0x33333333\n mov r7, #0x0f0f0f0f\n mov r8, #0\n"

/* counts[f] = differing bits of the `words` words of 32 bits of x and those of filter f; filters > 0.
 * On the stack: x, the end of its eighteens, its end, counts, filters. */
MS_SMALL_ASM ms_small_count_dsp(
    const void *x __attribute__((unused)), const void *w __attribute__((unused)), int32_t words __attribute__((unused)),
    int32_t filters __attribute__((unused)), int32_t *counts __attribute__((unused)))
{
    __asm__ volatile(
        "push {r4-r11, lr}\n ldr r7, [sp, #36]\n sub sp, #20\n"
        "mov r4, #18\n udiv r5, r2, r4\n mul r5, r5, r4\n"
        "add r5, r0, r5, lsl #2\n add r6, r0, r2, lsl #2\n"
        "strd r0, r5, [sp]\n strd r6, r7, [sp, #8]\n str r3, [sp, #16]\n"
        "0: ldrd r0, r3, [sp]\n mov r10, #0\n cmp r0, r3\n beq 2f\n"
        "1: ldrd r3, r4, [r0], #8\n ldrd r5, r6, [r1], #8\n eor r3, r5\n eor r4, r6\n"
        "eor r2, r3, r4\n and r11, r3, r4\n"
        MS_ADD_FOUR_DSP("r12") MS_ADD_FOUR_DSP("r9")
        "and lr, r12, r9\n eor r12, r9\n"
        MS_ADD_FOUR_DSP("r9") "str r9, [sp, #-4]!\n" MS_ADD_FOUR_DSP("r9") "ldr r4, [sp], #4\n"
        MS_ADD_BITS_DSP("r3", "r12", "r9", "r4", "r8")
        MS_MASKS_DSP
        MS_COUNT_FOURS_DSP("r2") MS_COUNT_FOURS_DSP("r11") MS_COUNT_FOURS_DSP("r12") MS_COUNT_FOURS_DSP("r3") MS_COUNT_FOURS_DSP("lr")
        "add r2, r2, r11, lsl #1\n add r3, lr\n"
        MS_COUNT_BYTES_DSP("r2") MS_COUNT_BYTES_DSP("r12") MS_COUNT_BYTES_DSP("r3")
        "add r12, r12, r3, lsl #1\n add r2, r2, r12, lsl #2\n usada8 r10, r2, r8, r10\n"
        "ldr r3, [sp, #4]\n cmp r0, r3\n bne 1b\n"
        "2: ldr r11, [sp, #8]\n cmp r0, r11\n beq 4f\n" MS_MASKS_DSP
        "3: ldr r2, [r0], #4\n ldr r3, [r1], #4\n eor r2, r3\n" MS_COUNT_FOURS_DSP("r2") MS_COUNT_BYTES_DSP("r2")
        "usada8 r10, r2, r8, r10\n cmp r0, r11\n bne 3b\n"
        "4: ldrd r2, r3, [sp, #12]\n str r10, [r2], #4\n subs r3, #1\n strd r2, r3, [sp, #12]\n bne 0b\n"
        "add sp, #20\n pop {r4-r11, pc}\n" : : : MS_SMALL_ASM_CLOBBERS);
}

#endif
