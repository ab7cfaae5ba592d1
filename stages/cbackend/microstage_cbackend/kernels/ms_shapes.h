/* What the kernels are told about a layer; all sizes in elements, all steps in elements. */
#ifndef MS_SHAPES_H
#define MS_SHAPES_H

#include <stdint.h>

typedef struct {
    int32_t height, width, channels, out_height, out_width;
    int32_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left, pad_value;
} ms_im2col_shape;

typedef struct {
    int32_t outer, height, width, inner, out_height, out_width;
    int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left;
} ms_max_pool_shape;

typedef struct { int32_t size[4], x_step[4], w_step[4]; } ms_pair_shape;

typedef struct { int32_t size[4], x_start, x_step[4], y_start, y_step[4]; } ms_copy_shape;

#endif
