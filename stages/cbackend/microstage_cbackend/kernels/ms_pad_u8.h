/* ms_pad_u8: copies an image into the middle of a larger buffer and fills the border: what convolutions without padding read.
 *
 * x  [height][width][channels], walked with x_row, x_column and x_channel
 * y  [top + height + bottom][left + width + right][channels], dense, apart from x; each byte of x ^ flip, the border `value`
 *
 * flip = 128 turns int8_t v into uint8_t v + 128. ms_frame_u8 fills the border alone, where the layer before has written its
 * results into the middle (y_row, y_column).
 */
#ifndef MS_PAD_U8_H
#define MS_PAD_U8_H

#include "ms_fast.h"

typedef struct {
    int32_t height, width, channels, top, left, bottom, right, value;
    int32_t x_row, x_column, x_channel, flip;
} ms_pad_u8_shape;

MS_INLINE void ms_frame_u8(uint8_t *y, const ms_pad_u8_shape *shape)
{
    const int32_t row = (shape->left + shape->width + shape->right) * shape->channels;
    const int32_t left = shape->left * shape->channels, right = shape->right * shape->channels;

    memset(y, shape->value, (size_t)(shape->top * row));
    y += shape->top * row;
    for (int32_t h = 0; h < shape->height; h++, y += row) {
        memset(y, shape->value, (size_t)left);
        memset(y + row - right, shape->value, (size_t)right);
    }
    memset(y, shape->value, (size_t)(shape->bottom * row));
}

/* One row of pixels. */
MS_INLINE void ms_pad_row_u8(const uint8_t *MS_RESTRICT x, uint8_t *MS_RESTRICT y, const ms_pad_u8_shape *shape)
{
    const int32_t channels = shape->channels;
    const uint8_t flip = (uint8_t)shape->flip;

    if (shape->x_channel == 1 && shape->x_column == channels) {
        for (int32_t i = 0; i < shape->width * channels; i++) {
            y[i] = x[i] ^ flip;
        }
    } else if (shape->x_column == 1 && channels == 3) {
        const uint8_t *x1 = x + shape->x_channel, *x2 = x1 + shape->x_channel;
        for (int32_t i = 0; i < shape->width; i++) {
            y[3 * i] = x[i] ^ flip;
            y[3 * i + 1] = x1[i] ^ flip;
            y[3 * i + 2] = x2[i] ^ flip;
        }
    } else {
        for (int32_t i = 0; i < shape->width; i++) {
            for (int32_t c = 0; c < channels; c++) {
                y[i * channels + c] = x[i * shape->x_column + c * shape->x_channel] ^ flip;
            }
        }
    }
}

MS_INLINE void ms_pad_u8(const uint8_t *x, uint8_t *y, const ms_pad_u8_shape *shape)
{
    const int32_t row = (shape->left + shape->width + shape->right) * shape->channels;

    ms_frame_u8(y, shape);
    y += shape->top * row + shape->left * shape->channels;
    for (int32_t h = 0; h < shape->height; h++) {
        ms_pad_row_u8(x + h * shape->x_row, y + h * row, shape);
    }
}

#endif
