/* ms_conv2d: 2-D convolution of channels-last images (1-D: height 1), grouped, strided, dilated, padded, exact.
 *
 * x      [height][width][channels]                            integers of x_t; outside it stands pad_value
 * w      [filters][kernel_h][kernel_w][channels / groups]     constant integers of w_t
 * bias   [filters]                                            integers of acc_t, or NULL
 * patch  [kernel_h][kernel_w][channels / groups]              working memory: what one group of filters sees of x
 * y      [out_height][out_width][filters]                     integers of y_t, stage(bias + sum)
 *
 * The generator proved, from the ranges of x (and of the padding) and the weights, that every partial sum fits acc_t.
 */
#include "ms_kernels.h"

static void copy_patch(const x_t *x, x_t *patch, int32_t oh, int32_t ow, int32_t first, const ms_conv2d_shape *shape)
{
    const int32_t depth = shape->channels / shape->groups;

    for (int32_t kh = 0; kh < shape->kernel_h; kh++) {
        const int32_t h = oh * shape->stride_h + kh * shape->dilation_h - shape->pad_top;
        for (int32_t kw = 0; kw < shape->kernel_w; kw++) {
            const int32_t i = ow * shape->stride_w + kw * shape->dilation_w - shape->pad_left;
            if (h >= 0 && h < shape->height && i >= 0 && i < shape->width) {
                const x_t *pixel = x + (h * shape->width + i) * shape->channels + first;
                for (int32_t c = 0; c < depth; c++) {
                    patch[c] = pixel[c];
                }
            } else {
                for (int32_t c = 0; c < depth; c++) {
                    patch[c] = (x_t)shape->pad_value;
                }
            }
            patch += depth;
        }
    }
}

void ms_conv2d(const x_t *x, const w_t *w, const acc_t *bias, const stage_t *stage, x_t *patch, y_t *y,
               const ms_conv2d_shape *shape)
{
    const int32_t depth = shape->channels / shape->groups;
    const int32_t taps = shape->kernel_h * shape->kernel_w * depth;
    const int32_t filters = shape->filters / shape->groups;

    for (int32_t oh = 0; oh < shape->out_height; oh++) {
        for (int32_t ow = 0; ow < shape->out_width; ow++) {
            for (int32_t g = 0; g < shape->groups; g++) {
                copy_patch(x, patch, oh, ow, g * depth, shape);
                for (int32_t f = g * filters; f < (g + 1) * filters; f++) {
                    acc_t sum = bias ? bias[f] : 0;
                    for (int32_t n = 0; n < taps; n++) {
                        sum += (acc_t)patch[n] * (acc_t)w[f * taps + n];
                    }
                    *y++ = (y_t)finish(stage, f, sum);
                }
            }
        }
    }
}
