/* The part of CMSIS-NN's interface that `make footprint AGAINST=` calls, for a library of ours that computes it in the
 * plainest way.
 */
#ifndef ARM_NNFUNCTIONS_H
#define ARM_NNFUNCTIONS_H

#include <stdint.h>

typedef struct { int32_t w, h; } cmsis_nn_tile;
typedef struct { void *buf; int32_t size; } cmsis_nn_context;
typedef struct { int32_t n, h, w, c; } cmsis_nn_dims;
typedef struct { int32_t *multiplier, *shift; } cmsis_nn_per_channel_quant_params;
typedef struct { int32_t multiplier, shift; } cmsis_nn_per_tensor_quant_params;
typedef struct { int32_t min, max; } cmsis_nn_activation;
typedef struct {
    int32_t input_offset, output_offset;
    cmsis_nn_tile stride, padding, dilation;
    cmsis_nn_activation activation;
} cmsis_nn_conv_params;
typedef struct {
    int32_t input_offset, output_offset, ch_mult;
    cmsis_nn_tile stride, padding, dilation;
    cmsis_nn_activation activation;
} cmsis_nn_dw_conv_params;
typedef struct { cmsis_nn_tile stride, padding; cmsis_nn_activation activation; } cmsis_nn_pool_params;
typedef struct { int32_t input_offset, filter_offset, output_offset; cmsis_nn_activation activation; } cmsis_nn_fc_params;

#define WINDOW(parameters)                                                                                             \
    const parameters *p, const cmsis_nn_dims *in, const cmsis_nn_dims *filter, const cmsis_nn_dims *out
int32_t arm_convolve_wrapper_s8_get_buffer_size_dsp(WINDOW(cmsis_nn_conv_params));
int32_t arm_depthwise_conv_wrapper_s8_get_buffer_size_dsp(WINDOW(cmsis_nn_dw_conv_params));
int32_t arm_avgpool_s8_get_buffer_size_dsp(int width, int channels);

#define WEIGHTED(parameters, factors)                                                                                  \
    const cmsis_nn_context *context, const parameters *p, const factors *q, const cmsis_nn_dims *in, const int8_t *x,  \
        const cmsis_nn_dims *filter, const int8_t *weights, const cmsis_nn_dims *biases, const int32_t *bias,          \
        const cmsis_nn_dims *out, int8_t *y
int arm_convolve_wrapper_s8(WEIGHTED(cmsis_nn_conv_params, cmsis_nn_per_channel_quant_params));
int arm_depthwise_conv_wrapper_s8(WEIGHTED(cmsis_nn_dw_conv_params, cmsis_nn_per_channel_quant_params));
int arm_fully_connected_s8(WEIGHTED(cmsis_nn_fc_params, cmsis_nn_per_tensor_quant_params));
int arm_elementwise_add_s8(const int8_t *a, const int8_t *b, int32_t offset_a, int32_t multiplier_a, int32_t shift_a,
                           int32_t offset_b, int32_t multiplier_b, int32_t shift_b, int32_t headroom, int8_t *y,
                           int32_t offset, int32_t multiplier, int32_t shift, int32_t low, int32_t high, int32_t count);
int arm_avgpool_s8(const cmsis_nn_context *context, const cmsis_nn_pool_params *p, const cmsis_nn_dims *in,
                   const int8_t *x, const cmsis_nn_dims *filter, const cmsis_nn_dims *out, int8_t *y);

#endif
