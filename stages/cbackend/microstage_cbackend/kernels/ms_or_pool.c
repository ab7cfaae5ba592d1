/* ms_or_pool: the largest sign of each window on packed words; positions outside x take no part.
 *
 * x  [outer][height][width][inner]            words of 64 signs, bit 1 means +1; inner counts words
 * y  [outer][out_height][out_width][inner]    likewise
 */
#include "ms_kernels.h"

void ms_or_pool(const uint64_t *x, uint64_t *y, const ms_max_pool_shape *shape)
{
    for (int32_t o = 0; o < shape->outer; o++) {
        for (int32_t oh = 0; oh < shape->out_height; oh++) {
            for (int32_t ow = 0; ow < shape->out_width; ow++) {
                for (int32_t n = 0; n < shape->inner; n++) {
                    uint64_t any = 0;
                    for (int32_t kh = 0; kh < shape->kernel_h; kh++) {
                        const int32_t h = oh * shape->stride_h + kh - shape->pad_top;
                        for (int32_t kw = 0; kw < shape->kernel_w; kw++) {
                            const int32_t i = ow * shape->stride_w + kw - shape->pad_left;
                            if (h >= 0 && h < shape->height && i >= 0 && i < shape->width) {
                                any |= x[((o * shape->height + h) * shape->width + i) * shape->inner + n];
                            }
                        }
                    }
                    *y++ = any;
                }
            }
        }
    }
}
