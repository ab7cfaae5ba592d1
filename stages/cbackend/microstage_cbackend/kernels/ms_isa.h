/* ms_isa.h: which instructions this translation unit may use, from the compiler's own macros.
 *
 * MS_PORTABLE given: none. MS_TARGET_AVX512VNNI, MS_TARGET_AVXVNNI or MS_TARGET_AVX2 given: that one, whatever the flags
 * (gcc and clang, x86-64), for a unit that is called only after ms_cpu() said that the processor has it.
 */
#ifndef MS_ISA_H
#define MS_ISA_H

#include "ms_machine.h"

#if MS_SMALL_MACHINE
#elif defined MS_TARGET_AVX512VNNI
#define MS_FEATURES "avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,popcnt"
#elif defined MS_TARGET_AVXVNNI
#define MS_FEATURES "avx2,avxvnni,popcnt"
#elif defined MS_TARGET_AVX2
#define MS_FEATURES "avx2,popcnt"
#endif

#if defined MS_PORTABLE
#define MS_ISA_NAME "portable"
#elif MS_SMALL_MACHINE && defined __ARM_FEATURE_MVE && __ARM_FEATURE_MVE & 1 && !defined __ARM_BIG_ENDIAN
#define MS_ARM_MVE 1
#define MS_ISA_NAME "arm-mve"
#elif MS_SMALL_MACHINE && defined __riscv
#define MS_RV32 1
#define MS_ISA_NAME "rv32"
#elif MS_SMALL_MACHINE && defined __ARM_FEATURE_DSP && !defined __ARM_BIG_ENDIAN
#define MS_ARM_DSP 1
#define MS_ISA_NAME "arm-dsp"
#elif MS_SMALL_MACHINE
#define MS_ISA_NAME "portable"
#elif defined MS_TARGET_AVX512VNNI || (!defined MS_FEATURES && defined __AVX512VNNI__ && defined __AVX512BW__ && defined __AVX512VL__)
#define MS_AVX512VNNI 1
#define MS_ISA_NAME "avx512vnni"
#elif defined MS_TARGET_AVXVNNI || (!defined MS_FEATURES && defined __AVXVNNI__)
#define MS_AVX2 1
#define MS_AVXVNNI 1
#define MS_ISA_NAME "avxvnni"
#elif defined MS_TARGET_AVX2 || (!defined MS_FEATURES && defined __AVX2__)
#define MS_AVX2 1
#define MS_ISA_NAME "avx2"
#elif defined __ARM_FEATURE_DOTPROD && defined __ARM_NEON && !defined __ARM_BIG_ENDIAN
#define MS_NEON_DOT 1
#define MS_ISA_NAME "neon-dot"
#elif defined __ARM_FEATURE_DSP && !defined __ARM_NEON && !defined __ARM_BIG_ENDIAN
#define MS_ARM_DSP 1
#define MS_ISA_NAME "arm-dsp"
#elif defined __riscv_vector && defined __riscv_v_intrinsic && __riscv_v_intrinsic >= 11000
#define MS_RVV 1
#define MS_ISA_NAME "rvv"
#else
#define MS_ISA_NAME "portable"
#endif

/* A folder of C as firmwares take it has no host/, in which the vector kernels of large processors are. */
#if defined __has_include && (defined MS_AVX512VNNI || defined MS_AVX2 || defined MS_NEON_DOT || defined MS_RVV)
#if !__has_include("host/ms_avx512.h")
#undef MS_AVX512VNNI
#undef MS_AVX2
#undef MS_AVXVNNI
#undef MS_NEON_DOT
#undef MS_RVV
#undef MS_ISA_NAME
#define MS_ISA_NAME "portable"
#endif
#endif

/* 1: dense weights lie in blocks of 16 filters x 4 inputs (pack_blocks); 0: in rows (pack_rows). */
#if defined MS_AVX512VNNI || defined MS_AVX2 || defined MS_NEON_DOT
#define MS_BLOCKED 1
#else
#define MS_BLOCKED 0
#endif

/* Weights begin at a cache line where whole lines of them are read at once, on small machines at a word. */
#if defined __GNUC__ && MS_SMALL_MACHINE
#define MS_ALIGNED __attribute__((aligned(8)))
#elif defined __GNUC__ && (defined MS_AVX512VNNI || defined MS_AVX2)
#define MS_ALIGNED __attribute__((aligned(64)))
#else
#define MS_ALIGNED
#endif

#if defined MS_AVX512VNNI || defined MS_AVX2
#include <immintrin.h>
#elif defined MS_NEON_DOT
#include <arm_neon.h>
#elif defined MS_RVV
#include <riscv_vector.h>
#elif defined MS_ARM_MVE
#include <arm_acle.h>
#include <arm_mve.h>
#elif defined MS_ARM_DSP
#include <arm_acle.h>
#endif

#if defined __GNUC__ && defined MS_FEATURES
#define MS_ENTRY __attribute__((target(MS_FEATURES)))
#define MS_INLINE static inline __attribute__((always_inline, target(MS_FEATURES)))
#elif defined __GNUC__
#define MS_ENTRY
#define MS_INLINE static inline __attribute__((always_inline))
#else
#define MS_ENTRY
#define MS_INLINE static inline
#endif

/* One function for all its callers: less code and less stack. */
#if defined __GNUC__
#define MS_ONCE __attribute__((noinline, unused))
#else
#define MS_ONCE
#endif

/* Whether the optimiser knows v: a kernel may then choose among many versions of itself. MS_SMALL given: never, for less code. */
#if defined __GNUC__ && defined __OPTIMIZE__ && !defined MS_SMALL
#define MS_IS_CONSTANT(v) __builtin_constant_p(v)
#else
#define MS_IS_CONSTANT(v) ((void)(v), 0)
#endif

#if defined __GNUC__
#define MS_RESTRICT __restrict__
#else
#define MS_RESTRICT restrict
#endif

#if defined __clang__
/* At -O1 some counts are not known in time: a loop that stays one is slower, not wrong, and no reason for a warning. */
#pragma clang diagnostic ignored "-Wpass-failed"
#define MS_UNROLL _Pragma("clang loop unroll(full)")
#define MS_UNROLL_4 _Pragma("clang loop unroll_count(4)")
#define MS_ROLLED _Pragma("clang loop unroll(disable)")
#elif defined __GNUC__
#define MS_UNROLL _Pragma("GCC unroll 16")
#define MS_UNROLL_4 _Pragma("GCC unroll 4")
#define MS_ROLLED _Pragma("GCC unroll 1")
#else
#define MS_UNROLL
#define MS_UNROLL_4
#define MS_ROLLED
#endif

#endif
