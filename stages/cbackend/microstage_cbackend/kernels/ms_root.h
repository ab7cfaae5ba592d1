/* Square roots of integers, without a library. */
#ifndef MS_ROOT_H
#define MS_ROOT_H

#include <stdint.h>

/* value < 2^62: its root is the result times 2^-`places`, rounded down; the result has 31 bits, but for zero. */
static inline uint32_t ms_root(uint64_t value, int32_t *places)
{
    uint64_t bit = (uint64_t)1 << 60, root = 0;
    *places = 0;
    while (value && value < bit) {
        value <<= 2;
        ++*places;
    }
    for (; bit; bit >>= 2) {
        const uint64_t next = root + bit;
        root >>= 1;
        if (value >= next) {
            value -= next;
            root += bit;
        }
    }
    return (uint32_t)root;
}

#endif
