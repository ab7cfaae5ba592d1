/* msn_kernels.h: the specialised kernels for one instruction set, as a table of functions. */
#ifndef MSN_KERNELS_H
#define MSN_KERNELS_H

#include "msn_work.h"

/* Whether the unit for each of these sets is compiled and asked for at run time: x86-64 with gcc or clang. */
#if !defined MSN_DISPATCH
#if defined __x86_64__ && defined __GNUC__ && !defined MSN_SMALL
#define MSN_DISPATCH 1
#else
#define MSN_DISPATCH 0
#endif
#endif

typedef void (*msn_layer_function)(const msn_work *work);

typedef struct msn_kernels {
    const char *instructions;
    int conv_layout, depthwise_layout; /* MSN_LAYOUT_... that they read */
    msn_layer_function conv_u8, conv_u8_sums, depthwise_u8, average_u8, add_u8, pad_u8, frame_u8, pack, xnor_sums, xnor_bits;
} msn_kernels;

extern const msn_kernels msn_kernels_plain;
#if MSN_DISPATCH
extern const msn_kernels msn_kernels_avx2, msn_kernels_avxvnni, msn_kernels_avx512vnni;
#endif

/* The table for this processor. */
const msn_kernels *msn_best_kernels(void);

/* The table that reads weights in rows, which every file has; null where there is none. */
const msn_kernels *msn_kernels_of_rows(void);

/* The function of a layer, null of a kernel that is not here. */
msn_layer_function msn_function_of(const msn_kernels *kernels, uint32_t kernel);

#endif
