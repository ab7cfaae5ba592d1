/* ms_conv2d_packed: ms_conv2d with weights of 1, 2 or 4 bits, expanded filter by filter.
 *
 * w    [filters] rows of whole bytes, each [kernel_h][kernel_w][channels / groups]; ms_expand says in which order
 * row  working memory for one expanded filter
 */
#include "ms_kernels.h"

void ms_conv2d_packed(const x_t *x, const uint8_t *w, const acc_t *bias, const stage_t *stage, int8_t *row, y_t *y,
                      const ms_conv2d_shape *shape, int32_t bits)
{
    const int32_t depth = shape->channels / shape->groups;
    const int32_t taps = shape->kernel_h * shape->kernel_w * depth;
    const int32_t bytes = (taps * bits + 7) / 8;

    for (int32_t f = 0; f < shape->filters; f++) {
        const int32_t first = f / (shape->filters / shape->groups) * depth;
        ms_expand(w + f * bytes, row, taps, bits);
        for (int32_t oh = 0; oh < shape->out_height; oh++) {
            for (int32_t ow = 0; ow < shape->out_width; ow++) {
                acc_t sum = bias ? bias[f] : 0;
                for (int32_t kh = 0; kh < shape->kernel_h; kh++) {
                    const int32_t h = oh * shape->stride_h + kh * shape->dilation_h - shape->pad_top;
                    for (int32_t kw = 0; kw < shape->kernel_w; kw++) {
                        const int32_t i = ow * shape->stride_w + kw * shape->dilation_w - shape->pad_left;
                        const int inside = h >= 0 && h < shape->height && i >= 0 && i < shape->width;
                        const x_t *pixel = inside ? x + (h * shape->width + i) * shape->channels + first : x;
                        const int8_t *weights = row + (kh * shape->kernel_w + kw) * depth;
                        for (int32_t c = 0; c < depth; c++) {
                            sum += (acc_t)(inside ? pixel[c] : shape->pad_value) * (acc_t)weights[c];
                        }
                    }
                }
                y[(oh * shape->out_width + ow) * shape->filters + f] = (y_t)finish(stage, f, sum);
            }
        }
    }
}
