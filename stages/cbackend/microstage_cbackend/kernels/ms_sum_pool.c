/* ms_sum_pool: stage(sum of each window), the integers behind average and global pooling; outside x stands 0.
 *
 * x  [outer][height][width][inner]            integers of x_t (channels first: outer; channels last: inner)
 * y  [outer][out_height][out_width][inner]    integers of y_t
 *
 * The stage is one for all channels. The generator proved that every partial sum fits acc_t.
 */
#include "ms_kernels.h"

void ms_sum_pool(const x_t *x, const stage_t *stage, y_t *y, const ms_sum_pool_shape *shape)
{
    for (int32_t o = 0; o < shape->outer; o++) {
        for (int32_t oh = 0; oh < shape->out_height; oh++) {
            for (int32_t ow = 0; ow < shape->out_width; ow++) {
                for (int32_t n = 0; n < shape->inner; n++) {
                    acc_t sum = 0;
                    for (int32_t kh = 0; kh < shape->kernel_h; kh++) {
                        const int32_t h = oh * shape->stride_h + kh - shape->pad_top;
                        for (int32_t kw = 0; kw < shape->kernel_w; kw++) {
                            const int32_t i = ow * shape->stride_w + kw - shape->pad_left;
                            if (h >= 0 && h < shape->height && i >= 0 && i < shape->width) {
                                sum += x[((o * shape->height + h) * shape->width + i) * shape->inner + n];
                            }
                        }
                    }
                    *y++ = (y_t)finish(stage, 0, sum);
                }
            }
        }
    }
}
