/* The specialised kernels for AVX512VNNI, called where the processor has it. */
#include "msn_kernels.h"

#if MSN_DISPATCH
#define MS_TARGET_AVX512VNNI
#define MS_SMALL /* tiles of few heights: others take compilers a minute, and gain little */
#define MSN_REST msn_kernels_avx2
#define MSN_TABLE msn_kernels_avx512vnni
#include "msn_kernels_of.h"
#endif
