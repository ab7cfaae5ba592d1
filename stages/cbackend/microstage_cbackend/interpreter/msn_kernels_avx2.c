/* The specialised kernels for AVX2, called where the processor has it. */
#include "msn_kernels.h"

#if MSN_DISPATCH
#define MS_TARGET_AVX2
#define MSN_TABLE msn_kernels_avx2
#include "msn_kernels_of.h"
#endif
