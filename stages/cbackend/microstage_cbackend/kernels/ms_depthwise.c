/* ms_depthwise: a convolution with one filter per channel, channels last, exact.
 *
 * x     [height][width][channels]            integers of x_t; outside it stands pad_value
 * w     [kernel_h][kernel_w][channels]       constant integers of w_t
 * bias  [channels]                           integers of acc_t, or NULL
 * sums  [channels]                           working memory
 * y     [out_height][out_width][channels]    integers of y_t, stage(bias + sum)
 *
 * The generator proved, from the ranges of x (and of the padding) and the weights, that every partial sum fits acc_t.
 */
#include "ms_kernels.h"

void ms_depthwise(const x_t *x, const w_t *w, const acc_t *bias, const stage_t *stage, acc_t *sums, y_t *y,
                  const ms_conv2d_shape *shape)
{
    const int32_t channels = shape->channels;

    for (int32_t oh = 0; oh < shape->out_height; oh++) {
        for (int32_t ow = 0; ow < shape->out_width; ow++) {
            for (int32_t c = 0; c < channels; c++) {
                sums[c] = bias ? bias[c] : 0;
            }
            for (int32_t kh = 0; kh < shape->kernel_h; kh++) {
                const int32_t h = oh * shape->stride_h + kh * shape->dilation_h - shape->pad_top;
                for (int32_t kw = 0; kw < shape->kernel_w; kw++) {
                    const int32_t i = ow * shape->stride_w + kw * shape->dilation_w - shape->pad_left;
                    const w_t *weights = w + (kh * shape->kernel_w + kw) * channels;
                    if (h >= 0 && h < shape->height && i >= 0 && i < shape->width) {
                        const x_t *pixel = x + (h * shape->width + i) * channels;
                        for (int32_t c = 0; c < channels; c++) {
                            sums[c] += (acc_t)pixel[c] * (acc_t)weights[c];
                        }
                    } else if (shape->pad_value != 0) {
                        for (int32_t c = 0; c < channels; c++) {
                            sums[c] += (acc_t)shape->pad_value * (acc_t)weights[c];
                        }
                    }
                }
            }
            for (int32_t c = 0; c < channels; c++) {
                *y++ = (y_t)finish(stage, c, sums[c]);
            }
        }
    }
}
