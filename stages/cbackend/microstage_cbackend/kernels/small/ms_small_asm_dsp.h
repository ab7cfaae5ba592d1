/* ms_small_asm_dsp.h: functions in assembly for Armv7E-M and Armv8-M with DSP.
 *
 * They keep the calling convention themselves: what is pushed lies below SP, and SP is nothing but the stack's end, so that an
 * interrupt finds a stack at every instruction.
 */
#ifndef MS_SMALL_ASM_DSP_H
#define MS_SMALL_ASM_DSP_H

#define MS_SMALL_ASM static __attribute__((naked, noinline, unused)) void
/* What a caller must expect to be changed: the compiler sees no more of the body. */
#define MS_SMALL_ASM_CLOBBERS "r0", "r1", "r2", "r3", "r12", "lr", "cc", "memory"

#endif
