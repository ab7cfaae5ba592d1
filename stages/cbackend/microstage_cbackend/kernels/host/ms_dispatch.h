/* ms_cpu: the best instruction set of this processor that the operating system lets programs use; for MS_DISPATCH.
 *
 * One unit of a model is compiled per set, with MS_TARGET_<set> defined before the kernels are included and its functions
 * named after it; the caller asks once and calls the one that fits. x86-64 with gcc or clang; elsewhere MS_CPU_PLAIN.
 */
#ifndef MS_DISPATCH_H
#define MS_DISPATCH_H

typedef enum { MS_CPU_PLAIN, MS_CPU_AVX2, MS_CPU_AVXVNNI, MS_CPU_AVX512VNNI } ms_cpu_kind;

#if defined __x86_64__ && defined __GNUC__
#include <cpuid.h>

/* Bits of XCR0: which registers the operating system saves. */
static inline unsigned ms_saved_registers(void)
{
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static inline ms_cpu_kind ms_cpu(void)
{
    unsigned a, b, c, d, b7, c7, a71 = 0, saved;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1) || !(c >> 23 & 1)) { /* OSXSAVE, POPCNT */
        return MS_CPU_PLAIN;
    }
    saved = ms_saved_registers();
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d) || !(b7 >> 5 & 1) || (saved & 6) != 6) { /* AVX2, YMM */
        return MS_CPU_PLAIN;
    }
    /* AVX512F, DQ, BW, VL, VNNI; opmask and ZMM */
    if ((b7 >> 16 & 1) && (b7 >> 17 & 1) && (b7 >> 30 & 1) && (b7 >> 31 & 1) && (c7 >> 11 & 1) && (saved & 0xe6) == 0xe6) {
        return MS_CPU_AVX512VNNI;
    }
    if (a >= 1 && __get_cpuid_count(7, 1, &a71, &b, &c, &d) && (a71 >> 4 & 1)) {
        return MS_CPU_AVXVNNI;
    }
    return MS_CPU_AVX2;
}
#else
static inline ms_cpu_kind ms_cpu(void)
{
    return MS_CPU_PLAIN;
}
#endif

#endif
