/* ms_small_add for Armv7E-M and Armv8-M with DSP: four bytes at a time, held to low..high and flipped together. */
#ifndef MS_SMALL_ADD_DSP_H
#define MS_SMALL_ADD_DSP_H

#include "ms_add_u8.h"
#include "ms_small.h"
#include "ms_small_asm_dsp.h"

/* For every byte: up = 255 - high, down = up + low, back = low + flip. fours: of bytes, at least one. */
typedef struct { int32_t multiplier_a, multiplier_b, offset, shift; uint32_t up, down, back; int32_t fours, zero; } ms_small_sum_dsp;

/* r4, r5: four of a and of b; r6: levels; r10, r11: multipliers; r12: offset; lr: shift; on the stack: up, down, back. */
#define MS_SMALL_ADD_BYTE_DSP(a, b, EVEN)                                                                         \
    a "\n " b "\n mla r7, r7, r10, r12\n mla r7, r8, r11, r7\n" EVEN "asr r7, lr\n usat r7, #8, r7\n"
/* A tie goes to the value with the parity of r9: a level that would have the other is made one less by taking 1 off. */
#define MS_SMALL_TO_EVEN_DSP "asr r8, r7, lr\n eor r8, r9\n and r8, #1\n sub r7, r8\n"
#define MS_SMALL_ADD_FOURS_DSP(name, EVEN)                                                                        \
    MS_SMALL_ASM name(                                                                                            \
        const uint8_t *a __attribute__((unused)), const uint8_t *b __attribute__((unused)), uint8_t *y __attribute__((unused)), \
        const ms_small_sum_dsp *sum __attribute__((unused)))                                                      \
    {                                                                                                             \
        __asm__ volatile(                                                                                         \
            "push {r4-r11, lr}\n ldmia r3!, {r4-r10}\n push {r8-r10}\n ldrd r3, r9, [r3]\n"                       \
            "mov r10, r4\n mov r11, r5\n mov r12, r6\n mov lr, r7\n"                                              \
            "1: ldr r4, [r0], #4\n ldr r5, [r1], #4\n"                                                            \
            MS_SMALL_ADD_BYTE_DSP("uxtb r7, r4", "uxtb r8, r5", EVEN) "mov r6, r7\n"                              \
            MS_SMALL_ADD_BYTE_DSP("uxtb r7, r4, ror #8", "uxtb r8, r5, ror #8", EVEN) "orr r6, r6, r7, lsl #8\n"  \
            MS_SMALL_ADD_BYTE_DSP("uxtb r7, r4, ror #16", "uxtb r8, r5, ror #16", EVEN) "orr r6, r6, r7, lsl #16\n" \
            MS_SMALL_ADD_BYTE_DSP("lsr r7, r4, #24", "lsr r8, r5, #24", EVEN) "orr r6, r6, r7, lsl #24\n"         \
            "ldmia sp, {r4, r5, r7}\n uqadd8 r6, r6, r4\n uqsub8 r6, r6, r5\n uadd8 r6, r6, r7\n"                 \
            "str r6, [r2], #4\n subs r3, #1\n bne 1b\n"                                                           \
            "add sp, #12\n pop {r4-r11, pc}\n" : : : MS_SMALL_ASM_CLOBBERS);                                                                  \
    }
MS_SMALL_ADD_FOURS_DSP(ms_small_add_fours_dsp, "")
MS_SMALL_ADD_FOURS_DSP(ms_small_add_fours_even_dsp, MS_SMALL_TO_EVEN_DSP)

MS_INLINE void ms_small_add_dsp(const uint8_t *a, const uint8_t *b, uint8_t *y, const ms_add_u8_shape *shape)
{
    const uint32_t all = 0x01010101u, up = 255u - (uint32_t)shape->high, low = (uint32_t)shape->low;
    const ms_small_sum_dsp sum = {shape->multiplier_a, shape->multiplier_b, shape->offset, shape->shift, all * up, all * (up + low),
                                  all * ((low + (uint32_t)shape->flip) & 255u), shape->count / 4, shape->zero};
    if (sum.fours && shape->even && shape->shift) {
        ms_small_add_fours_even_dsp(a, b, y, &sum);
    } else if (sum.fours) {
        ms_small_add_fours_dsp(a, b, y, &sum);
    }
    ms_add_u8_c(a, b, y, 4 * sum.fours, shape);
}

#endif
