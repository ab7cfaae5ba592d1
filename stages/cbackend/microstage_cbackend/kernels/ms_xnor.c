/* ms_xnor: convolution or matrix product of -1/+1 by -1/+1 on packed words: sum = taps - 2 * popcount(x ^ w), exact.
 *
 * x  [height][width][channels]                            words of 64 signs (bit 1 means +1), unused bits 0;
 * w  [filters][kernel_h][kernel_w][channels]              channels counts words here
 * y  [out_height][out_width][filters]                     integers of y_t, stage(sum)
 *
 * signs  values per word group that are in use, so that a window inside x sums signs per tap; outside x counts as 0.
 */
#include "ms_kernels.h"

void ms_xnor(const uint64_t *x, const uint64_t *w, const stage_t *stage, y_t *y, const ms_conv2d_shape *shape, int32_t signs)
{
    for (int32_t oh = 0; oh < shape->out_height; oh++) {
        for (int32_t ow = 0; ow < shape->out_width; ow++) {
            const uint64_t *weights = w;
            for (int32_t f = 0; f < shape->filters; f++) {
                int32_t sum = 0;
                for (int32_t kh = 0; kh < shape->kernel_h; kh++) {
                    const int32_t h = oh * shape->stride_h + kh * shape->dilation_h - shape->pad_top;
                    for (int32_t kw = 0; kw < shape->kernel_w; kw++, weights += shape->channels) {
                        const int32_t i = ow * shape->stride_w + kw * shape->dilation_w - shape->pad_left;
                        if (h >= 0 && h < shape->height && i >= 0 && i < shape->width) {
                            const uint64_t *pixel = x + (h * shape->width + i) * shape->channels;
                            int32_t different = 0;
                            for (int32_t c = 0; c < shape->channels; c++) {
                                different += ms_popcount(pixel[c] ^ weights[c]);
                            }
                            sum += signs - 2 * different;
                        }
                    }
                }
                *y++ = (y_t)finish(stage, f, sum);
            }
        }
    }
}
