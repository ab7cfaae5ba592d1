/* ms_pad_u8: copies an image into the middle of a larger buffer and fills the border: what convolutions without padding read.
 *
 * x  [height][width][channels], dense      y  [top + height + bottom][left + width + right][channels], dense, apart from x
 *
 * ms_frame_u8 fills the border alone, where the layer before has written its results into the middle (y_row, y_column).
 */
#ifndef MS_PAD_U8_H
#define MS_PAD_U8_H

#include "ms_fast.h"

typedef struct { int32_t height, width, channels, top, left, bottom, right, value; } ms_pad_u8_shape;

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

MS_INLINE void ms_pad_u8(const uint8_t *x, uint8_t *y, const ms_pad_u8_shape *shape)
{
    const int32_t dense = shape->width * shape->channels, row = dense + (shape->left + shape->right) * shape->channels;

    ms_frame_u8(y, shape);
    y += shape->top * row + shape->left * shape->channels;
    for (int32_t h = 0; h < shape->height; h++) {
        memcpy(y + h * row, x + h * dense, (size_t)dense);
    }
}

#endif
