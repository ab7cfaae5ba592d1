/* ms_small_average for Armv7E-M and Armv8-M with DSP: four channels at a time, two of them in the halves of a word. */
#ifndef MS_SMALL_AVERAGE_DSP_H
#define MS_SMALL_AVERAGE_DSP_H

#include "ms_depthwise_u8.h"
#include "ms_small.h"
#include "ms_small_asm_dsp.h"

enum { MS_SMALL_HALF = 256 }; /* bytes whose sum fits 16 bits */

/* even, odd += four channels of `taps` bytes at steps of `step`; taps > 0. */
MS_SMALL_ASM ms_small_sum_fours_dsp(
    const uint8_t *x __attribute__((unused)), uint32_t sums[2] __attribute__((unused)), int32_t taps __attribute__((unused)),
    int32_t step __attribute__((unused)))
{
    __asm__ volatile("push {r4, r5, r6, lr}\n ldrd r4, r5, [r1]\n"
                     "1: ldr r6, [r0]\n add r0, r3\n uxtab16 r4, r4, r6\n uxtab16 r5, r5, r6, ror #8\n subs r2, #1\n bne 1b\n"
                     "strd r4, r5, [r1]\n pop {r4, r5, r6, pc}\n" : : : MS_SMALL_ASM_CLOBBERS);
}

/* Four channels of a window. */
MS_SMALL_STATIC void ms_small_average_four_dsp(const uint8_t *x, uint8_t *y, const ms_depthwise_u8_shape *shape,
                                                                        const ms_requant *q)
{
    const int32_t flat = shape->tap_h == shape->kernel_w * shape->tap_w;
    const int32_t rows = flat ? 1 : shape->kernel_h, columns = flat ? shape->kernel_h * shape->kernel_w : shape->kernel_w;
    int32_t sums[4] = {0, 0, 0, 0};
    for (int32_t i = 0; i < rows; i++) {
        for (int32_t j = 0; j < columns; j += MS_SMALL_HALF) {
            uint32_t halves[2] = {0, 0};
            const int32_t left = columns - j, taps = left < MS_SMALL_HALF ? left : MS_SMALL_HALF;
            ms_small_sum_fours_dsp(x + i * shape->tap_h + j * shape->tap_w, halves, taps, shape->tap_w);
            for (int32_t k = 0; k < 4; k++) {
                sums[k] += (int32_t)(halves[k & 1] >> 8 * (k & 2) & 0xffffu);
            }
        }
    }
    for (int32_t k = 0; k < 4; k++) {
        y[k] = ms_requantise(sums[k], 0, q);
    }
}

/* All windows; the last four channels overlap those before. */
MS_SMALL_STATIC void ms_small_average_fours_dsp(const uint8_t *x, uint8_t *y, const ms_depthwise_u8_shape *shape,
                                                                         const ms_requant *q)
{
    for (int32_t h = 0; h < shape->out_height; h++) {
        for (int32_t v = 0; v < shape->out_width; v++) {
            for (int32_t c = 0; c < shape->channels; c += 4) {
                const int32_t first = shape->channels - c < 4 ? shape->channels - 4 : c;
                ms_small_average_four_dsp(x + h * shape->x_row + v * shape->x_column + first, y + h * shape->y_row + v * shape->y_column + first,
                                          shape, q);
            }
        }
    }
}

MS_INLINE void ms_small_average_dsp(const uint8_t *x, uint8_t *y, const ms_depthwise_u8_shape *shape, const ms_requant *q)
{
    if (shape->channels < 4) {
        ms_small_average_c(x, y, shape, q);
    } else {
        ms_small_average_fours_dsp(x, y, shape, q);
    }
}

#endif
