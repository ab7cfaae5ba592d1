/* Patches of ms_small_conv for Helium: 16 bytes at a time, borders made on the way, their bytes summed. */
#ifndef MS_SMALL_GATHER_MVE_H
#define MS_SMALL_GATHER_MVE_H

#include "ms_small_end_mve.h"

/* What a call has of its layer, at the head of scratch as the stack is small. `blocks` of 16 bytes make a filter. Patches follow
 * `start`, what the sums of four positions start from. */
typedef struct {
    const uint8_t *x, *w;
    void *y;
    const ms_small_conv_shape *shape;
    ms_small_stage stage;
    int32_t blocks, first, past; /* filters first...past - 1 are computed next */
    ms_end_mve end;
    int32_t start[4];
} ms_layer_mve;

typedef char ms_patches_follow_start_mve[sizeof(ms_layer_mve) == offsetof(ms_layer_mve, start) + 16 && sizeof(ms_layer_mve) <= 208 ? 1 : -1];

/* A patch that is being written: its bytes lie 16 together, `step` apart, k of them in those at `at`; `sum` is that of all. */
typedef struct { uint8_t *at; int32_t step, k; uint32_t sum; } ms_patch_mve;

/* The first `taken` of `bytes`, no more than the 16 together have room for. */
MS_INLINE void ms_put_some_mve(ms_patch_mve *patch, uint8x16_t bytes, int32_t taken, mve_pred16_t some)
{
    vstrbq_p_u8(patch->at + patch->k, bytes, some);
    patch->sum = vaddvaq_p_u8(patch->sum, bytes, some);
    patch->k += taken;
    if (patch->k == 16) {
        patch->k = 0;
        patch->at += patch->step;
    }
}

/* `count` bytes that stand outside the image. */
static MS_ONCE void ms_put_border_mve(ms_patch_mve *patch, int32_t count, int32_t value)
{
    for (int32_t taken; count > 0; count -= taken) {
        taken = count < 16 - patch->k ? count : 16 - patch->k;
        ms_put_some_mve(patch, vdupq_n_u8((uint8_t)value), taken, vctp8q((uint32_t)taken));
    }
}

/* `count` bytes of the image: x ^ flip is what kernels see. */
MS_INLINE void ms_put_pixels_mve(ms_patch_mve *patch, const uint8_t *x, int32_t count, int32_t flip)
{
    for (; patch->k == 0 && count >= 16; count -= 16, x += 16) {
        const uint8x16_t bytes = veorq_u8(vldrbq_u8(x), vdupq_n_u8((uint8_t)flip));
        vstrbq_u8(patch->at, bytes);
        patch->sum = vaddvaq_u8(patch->sum, bytes);
        patch->at += patch->step;
    }
    for (int32_t taken; count > 0; count -= taken, x += taken) {
        taken = count < 16 - patch->k ? count : 16 - patch->k;
        const mve_pred16_t some = vctp8q((uint32_t)taken);
        ms_put_some_mve(patch, veorq_u8(vldrbq_z_u8(x, some), vdupq_n_u8((uint8_t)flip)), taken, some);
    }
}

/* A row of taps from `column` of the image on: what lies left of it, in it, right of it. */
static MS_ONCE void ms_put_row_mve(ms_patch_mve *patch, const uint8_t *row, int32_t column, const ms_small_conv_shape *shape)
{
    const int32_t width = shape->dilation_w == 1 ? shape->kernel_w : 1, channels = shape->channels;
    for (int32_t j = 0; j < shape->kernel_w; j += width, column += shape->dilation_w) {
        const int32_t first = column < 0 ? 0 : column, last = column + width < shape->width ? column + width : shape->width;
        if (first < last) {
            ms_put_border_mve(patch, (first - column) * channels, shape->pad_value);
            ms_put_pixels_mve(patch, row + first * channels, (last - first) * channels, shape->flip);
            ms_put_border_mve(patch, (column + width - last) * channels, shape->pad_value);
        } else {
            ms_put_border_mve(patch, width * channels, shape->pad_value);
        }
    }
}

/* Whether the window whose first tap is (top, column) lies in the image, and its rows are runs of bytes. */
MS_INLINE int ms_inside_mve(int32_t top, int32_t column, const ms_small_conv_shape *shape)
{
    const int32_t bottom = top + (shape->kernel_h - 1) * shape->dilation_h, right = column + shape->kernel_w;
    return top >= 0 && column >= 0 && bottom < shape->height && right <= shape->width && shape->dilation_w == 1;
}

/* Writes the patch of position p to `at`; returns the sum of its bytes. */
static MS_ONCE int32_t ms_gather_mve(const ms_layer_mve *layer, uint8_t *at, int32_t step, int32_t p)
{
    const ms_small_conv_shape *shape = layer->shape;
    const int32_t top = p / shape->out_width * shape->stride_h - shape->pad_top;
    const int32_t column = p % shape->out_width * shape->stride_w - shape->pad_left;
    const uint8_t *x = layer->x;
    const int32_t row = shape->width * shape->channels, inside = ms_inside_mve(top, column, shape);
    ms_patch_mve patch = {at, step, 0, 0};
    for (int32_t plane = 0; plane < shape->planes; plane++, x += shape->height * row) {
        for (int32_t i = 0, h = top; i < shape->kernel_h; i++, h += shape->dilation_h) {
            if (inside) {
                ms_put_pixels_mve(&patch, x + h * row + column * shape->channels, shape->kernel_w * shape->channels, shape->flip);
            } else if (h >= 0 && h < shape->height) {
                ms_put_row_mve(&patch, x + h * row, column, shape);
            } else {
                ms_put_border_mve(&patch, shape->kernel_w * shape->channels, shape->pad_value);
            }
        }
    }
    return (int32_t)patch.sum;
}

#endif
