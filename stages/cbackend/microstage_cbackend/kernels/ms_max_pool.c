/* ms_max_pool: the largest value of each window; positions outside x take no part.
 *
 * x  [outer][height][width][inner]            integers of x_t (channels first: outer; channels last: inner)
 * y  [outer][out_height][out_width][inner]    integers of the same range
 *
 * The generator proved that every window holds at least one position of x.
 */
#include "ms_kernels.h"

void ms_max_pool(const x_t *x, y_t *y, const ms_max_pool_shape *shape)
{
    for (int32_t o = 0; o < shape->outer; o++) {
        for (int32_t oh = 0; oh < shape->out_height; oh++) {
            for (int32_t ow = 0; ow < shape->out_width; ow++) {
                for (int32_t n = 0; n < shape->inner; n++) {
                    x_t largest = 0;
                    int seen = 0;
                    for (int32_t kh = 0; kh < shape->kernel_h; kh++) {
                        const int32_t h = oh * shape->stride_h + kh - shape->pad_top;
                        for (int32_t kw = 0; kw < shape->kernel_w; kw++) {
                            const int32_t i = ow * shape->stride_w + kw - shape->pad_left;
                            if (h >= 0 && h < shape->height && i >= 0 && i < shape->width) {
                                const x_t value = x[((o * shape->height + h) * shape->width + i) * shape->inner + n];
                                if (!seen || value > largest) {
                                    largest = value;
                                    seen = 1;
                                }
                            }
                        }
                    }
                    *y++ = (y_t)largest;
                }
            }
        }
    }
}
