/* The specialised kernels for AVXVNNI, called where the processor has it. */
#include "msn_kernels.h"

#if MSN_DISPATCH
#define MS_TARGET_AVXVNNI
#define MSN_TABLE msn_kernels_avxvnni
#include "msn_kernels_of.h"
#endif
