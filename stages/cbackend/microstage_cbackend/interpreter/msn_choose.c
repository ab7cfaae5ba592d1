/* Which kernels a network gets: by the processor, once, when it is opened; and which function a layer's kernel is. */
#include "msn_kernels.h"
#include "msn_layers.h"

#if MSN_DISPATCH
#include "host/ms_dispatch.h"

const msn_kernels *msn_best_kernels(void)
{
    switch (ms_cpu()) {
    case MS_CPU_AVX512VNNI: return &msn_kernels_avx512vnni;
    case MS_CPU_AVXVNNI: return &msn_kernels_avxvnni;
    case MS_CPU_AVX2: return &msn_kernels_avx2;
    default: return &msn_kernels_plain;
    }
}
#else
const msn_kernels *msn_best_kernels(void)
{
    return &msn_kernels_plain;
}
#endif

const msn_kernels *msn_kernels_of_rows(void)
{
    return msn_kernels_plain.conv_layout == MSN_LAYOUT_ROWS ? &msn_kernels_plain : 0;
}

static msn_layer_function specialised(const msn_kernels *kernels, uint32_t kernel)
{
    switch (kernel) {
    case MSN_KERNEL_PACK: return kernels->pack;
    case MSN_KERNEL_XNOR_SUMS: return kernels->xnor_sums;
    case MSN_KERNEL_XNOR_BITS: return kernels->xnor_bits;
    case MSN_KERNEL_CONV_U8: return kernels->conv_u8;
    case MSN_KERNEL_CONV_U8_SUMS: return kernels->conv_u8_sums;
    case MSN_KERNEL_DEPTHWISE_U8: return kernels->depthwise_u8;
    case MSN_KERNEL_AVERAGE_U8: return kernels->average_u8;
    case MSN_KERNEL_ADD_U8: return kernels->add_u8;
    case MSN_KERNEL_PAD_U8: return kernels->pad_u8;
    case MSN_KERNEL_FRAME_U8: return kernels->frame_u8;
    default: return 0;
    }
}

static msn_layer_function of_any_types(uint32_t kernel)
{
    switch (kernel) {
    case MSN_KERNEL_LINEAR: return msn_linear;
    case MSN_KERNEL_LINEAR_PACKED: return msn_linear_packed;
    case MSN_KERNEL_CONV2D: return msn_conv2d;
    case MSN_KERNEL_CONV2D_PACKED: return msn_conv2d_packed;
    case MSN_KERNEL_DEPTHWISE: return msn_depthwise;
    case MSN_KERNEL_IM2COL: return msn_im2col;
    case MSN_KERNEL_MAX_POOL: return msn_max_pool;
    case MSN_KERNEL_SUM_POOL: return msn_sum_pool;
    case MSN_KERNEL_OR_POOL: return msn_or_pool;
    case MSN_KERNEL_ADD:
    case MSN_KERNEL_MUL:
    case MSN_KERNEL_BLEND: return msn_pair;
    case MSN_KERNEL_COPY: return msn_copy;
    case MSN_KERNEL_GATHER: return msn_gather;
    case MSN_KERNEL_STAGE: return msn_stage_alone;
    case MSN_KERNEL_TABLE: return msn_table;
    case MSN_KERNEL_SOFTMAX: return msn_softmax;
    case MSN_KERNEL_TOP: return msn_top;
    case MSN_KERNEL_TAKE: return msn_take;
    default: return 0;
    }
}

msn_layer_function msn_function_of(const msn_kernels *kernels, uint32_t kernel)
{
    const msn_layer_function found = specialised(kernels, kernel);
    return found ? found : of_any_types(kernel);
}
