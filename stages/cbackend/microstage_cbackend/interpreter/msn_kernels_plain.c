/* The specialised kernels for any processor or, where nothing is chosen at run time, for what the compiler's flags allow. */
#include "msn_kernels.h"

#if MSN_DISPATCH
#define MS_PORTABLE
#endif
#if defined MSN_SMALL
#define MS_SMALL
#endif
#define MSN_TABLE msn_kernels_plain
#include "msn_kernels_of.h"
