/* ms_conv: 2-D convolution (1-D: height 1), grouped, strided, dilated, padded with zeros, exact.
 *
 * x  [channels][height][width]                            integers of x_t
 * w  [filters][channels / groups][kernel_h][kernel_w]     constant integers of w_t
 * y  [filters][out_height][out_width]                     integers of y_t
 *
 * The generator proved, from the ranges of x (and of the padding) and the weights, that every partial sum fits
 * acc_t and every result fits y_t.
 */
#include "ms_kernels.h"

void ms_conv(const x_t *x, const w_t *w, y_t *y, const ms_conv_shape *shape)
{
    const int32_t depth = shape->channels / shape->groups;
    const int32_t filters_per_group = shape->filters / shape->groups;

    for (int32_t f = 0; f < shape->filters; f++) {
        const int32_t first = f / filters_per_group * depth;
        for (int32_t oh = 0; oh < shape->out_height; oh++) {
            for (int32_t ow = 0; ow < shape->out_width; ow++) {
                acc_t sum = 0;
                for (int32_t c = 0; c < depth; c++) {
                    for (int32_t kh = 0; kh < shape->kernel_h; kh++) {
                        const int32_t h = oh * shape->stride_h + kh * shape->dilation_h - shape->pad_top;
                        for (int32_t kw = 0; kw < shape->kernel_w; kw++) {
                            const int32_t i = ow * shape->stride_w + kw * shape->dilation_w - shape->pad_left;
                            if (h >= 0 && h < shape->height && i >= 0 && i < shape->width) {
                                sum += (acc_t)x[((first + c) * shape->height + h) * shape->width + i]
                                     * (acc_t)w[((f * depth + c) * shape->kernel_h + kh) * shape->kernel_w + kw];
                            }
                        }
                    }
                }
                y[(f * shape->out_height + oh) * shape->out_width + ow] = (y_t)sum;
            }
        }
    }
}
