/* ms_im2col: the patches that a convolution sees, one row of kernel_h * kernel_w * channels per output position.
 *
 * x  [height][width][channels]                                           integers of x_t
 * y  [out_height][out_width][kernel_h][kernel_w][channels]               the same integers, padding = pad_value
 */
#include "ms_kernels.h"

void ms_im2col(const x_t *x, y_t *y, const ms_im2col_shape *shape)
{
    for (int32_t oh = 0; oh < shape->out_height; oh++) {
        for (int32_t ow = 0; ow < shape->out_width; ow++) {
            for (int32_t kh = 0; kh < shape->kernel_h; kh++) {
                const int32_t h = oh * shape->stride_h + kh * shape->dilation_h - shape->pad_top;
                for (int32_t kw = 0; kw < shape->kernel_w; kw++) {
                    const int32_t i = ow * shape->stride_w + kw * shape->dilation_w - shape->pad_left;
                    const int inside = h >= 0 && h < shape->height && i >= 0 && i < shape->width;
                    for (int32_t c = 0; c < shape->channels; c++) {
                        *y++ = (y_t)(inside ? x[(h * shape->width + i) * shape->channels + c] : shape->pad_value);
                    }
                }
            }
        }
    }
}
