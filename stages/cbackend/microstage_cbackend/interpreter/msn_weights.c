#include "msn_weights.h"

#include "msn_check.h"

static uint32_t number_of(const msn_network *network, const msn_layer *layer)
{
    return msn_tensor_at(network, layer->operands[MSN_W])->offset;
}

const uint8_t *msn_weights_in_rows(const msn_network *network, const msn_layer *layer)
{
    uint64_t bytes;
    return msn_packed_at(network, MSN_LAYOUT_ROWS, number_of(network, layer), &bytes);
}

static int layout_of(const msn_kernels *kernels, uint32_t kernel)
{
    switch (kernel) {
    case MSN_KERNEL_CONV_U8:
    case MSN_KERNEL_CONV_U8_SUMS: return kernels->conv_layout;
    case MSN_KERNEL_DEPTHWISE_U8: return kernels->depthwise_layout;
    default: return MSN_LAYOUT_ROWS;
    }
}

const uint8_t *msn_weights(const msn_network *network, const msn_layer *layer, const msn_kernels **kernels)
{
    uint64_t bytes;
    const uint32_t layout = (uint32_t)layout_of(*kernels, layer->kernel);
    const uint8_t *found = msn_packed_at(network, layout, number_of(network, layer), &bytes);
    if (!found) {
        *kernels = msn_kernels_of_rows();
        found = msn_weights_in_rows(network, layer);
    }
    return found;
}
