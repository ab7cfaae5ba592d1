/* ms_machine.h: whether this is a small machine, a microcontroller: kernels that save memory run there, others elsewhere.
 *
 * Told by the processor family alone, so that every unit of a program says the same whatever its other flags are.
 * -DMS_SMALL_MACHINE=1 makes any machine one (for a test on a PC), -DMS_SMALL_MACHINE=0 none; all units of a program
 * are compiled with the same.
 */
#ifndef MS_MACHINE_H
#define MS_MACHINE_H

#if !defined MS_SMALL_MACHINE
#if defined __ARM_ARCH_PROFILE && __ARM_ARCH_PROFILE == 'M'
#define MS_SMALL_MACHINE 1
#elif defined __ARM_ARCH_6M__ || defined __ARM_ARCH_7M__ || defined __ARM_ARCH_7EM__ || defined __TARGET_PROFILE_M
#define MS_SMALL_MACHINE 1
#elif defined __ARM_ARCH_8M_BASE__ || defined __ARM_ARCH_8M_MAIN__ || defined __ARM_ARCH_8_1M_MAIN__
#define MS_SMALL_MACHINE 1
#elif defined __riscv && __riscv_xlen == 32
#define MS_SMALL_MACHINE 1
#elif defined __XTENSA__ || defined __AVR__ || defined __MSP430__
#define MS_SMALL_MACHINE 1
#else
#define MS_SMALL_MACHINE 0
#endif
#endif

#endif
