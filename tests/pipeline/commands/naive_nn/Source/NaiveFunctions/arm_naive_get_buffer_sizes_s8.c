/* Sizes of buffers, which the functions overwrite: whatever else lies there is lost. */
#include "arm_nnfunctions.h"

int32_t arm_convolve_wrapper_s8_get_buffer_size_dsp(WINDOW(cmsis_nn_conv_params))
{
    return p->stride.w + in->c + filter->w + 4 * out->c;
}

int32_t arm_depthwise_conv_wrapper_s8_get_buffer_size_dsp(WINDOW(cmsis_nn_dw_conv_params))
{
    return p->ch_mult + in->c + filter->w + out->c;
}

int32_t arm_avgpool_s8_get_buffer_size_dsp(int width, int channels)
{
    return 4 * width * channels;
}
