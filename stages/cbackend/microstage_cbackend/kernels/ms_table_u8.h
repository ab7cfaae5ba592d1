/* ms_table_u8: y = table[x], any function of a byte: an activation, a change of scale or sign.
 *
 * x, y   dense, `count` bytes; y may be x
 * table  256 entries, or as many as the proven range of x reaches
 */
#ifndef MS_TABLE_U8_H
#define MS_TABLE_U8_H

#include "ms_fast.h"

MS_INLINE void ms_table_u8(const uint8_t *x, const uint8_t *table, uint8_t *y, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = table[x[i]];
    }
}

#endif
