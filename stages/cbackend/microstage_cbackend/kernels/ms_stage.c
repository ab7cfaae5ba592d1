/* ms_stage: a stage by itself, for values that no kernel with a stage of its own computes.
 *
 * x  [outer][channels][inner]   integers of x_t
 * y  [outer][channels][inner]   integers of y_t
 */
#include "ms_kernels.h"

void ms_stage(const x_t *x, const stage_t *stage, y_t *y, const ms_stage_shape *shape)
{
    for (int32_t o = 0; o < shape->outer; o++) {
        for (int32_t c = 0; c < shape->channels; c++) {
            for (int32_t i = 0; i < shape->inner; i++) {
                *y++ = (y_t)finish(stage, c, *x++);
            }
        }
    }
}
