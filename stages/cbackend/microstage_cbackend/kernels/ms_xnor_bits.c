/* ms_xnor_bits: ms_xnor whose stage gives -1 or +1 too, stored as packed words.
 *
 * y  [out_height][out_width][(filters + 63) / 64] words, bit 1 means +1, unused bits 0
 */
#include "ms_kernels.h"

void ms_xnor_bits(const uint64_t *x, const uint64_t *w, const stage_t *stage, uint64_t *y, const ms_conv2d_shape *shape,
                  int32_t signs)
{
    for (int32_t oh = 0; oh < shape->out_height; oh++) {
        for (int32_t ow = 0; ow < shape->out_width; ow++) {
            const uint64_t *weights = w;
            uint64_t word = 0;
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
                word |= (uint64_t)(finish(stage, f, sum) > 0) << (f & 63);
                if ((f & 63) == 63 || f == shape->filters - 1) {
                    *y++ = word;
                    word = 0;
                }
            }
        }
    }
}
