/* Windows of int16 samples as integers at a gain of their own, and the answer at that gain: integers and shifts alone. */
#ifndef MS_WHOLE_GAIN_H
#define MS_WHOLE_GAIN_H

#include <stdint.h>

#include "ms_root.h"

/* The smallest exponent of a power of two that no sample exceeds; `lowest` of a window of zeros. */
static inline int32_t ms_whole_exponent_of(const int16_t *samples, int32_t count, int32_t lowest)
{
    int32_t largest = 0, exponent = 0;
    for (int32_t i = 0; i < count; i++) {
        const int32_t size = samples[i] < 0 ? -samples[i] : samples[i];
        largest = size > largest ? size : largest;
    }
    while (largest > (int32_t)1 << exponent) {
        exponent++;
    }
    return largest == 0 || exponent < lowest ? lowest : exponent;
}

/* sample * 2^places to the nearest integer, halves to even, held to -limit..limit. */
static inline int32_t ms_whole_level(int32_t sample, int32_t places, int32_t limit)
{
    int32_t level;
    if (places >= 0) {
        level = sample * ((int32_t)1 << (places > 15 ? 15 : places));
    } else {
        const int32_t rest = sample & (((int32_t)1 << -places) - 1), half = (int32_t)1 << (-places - 1);
        level = sample >> -places;
        level += rest > half || (rest == half && (level & 1));
    }
    return level > limit ? limit : level < -limit ? -limit : level;
}

/* value / 2^places to the nearest integer, halves up, from 0 on, at most 2^31 - 1. */
static inline int32_t ms_whole_answer(int64_t value, int32_t places)
{
    if (value <= 0 || places > 62) {
        return 0;
    }
    const int64_t found = places > 0 ? (value + ((int64_t)1 << (places - 1))) >> places : value;
    return (int32_t)(found < INT32_MAX ? found : INT32_MAX);
}

/* The size of a phasor of integers over count, times 2^point, rounded down; 61 bits hold it. */
static inline int64_t ms_whole_mean(int32_t real, int32_t imaginary, int32_t count, int32_t point)
{
    const int64_t square = (int64_t)real * real + (int64_t)imaginary * imaginary;
    int32_t places;
    const int64_t mean = ((int64_t)ms_root((uint64_t)square, &places) << 31) / count; /* times 2^(places + 31) */
    const int32_t down = places + 31 - point;
    return down >= 0 ? mean >> down : mean * ((int64_t)1 << -down);
}

#endif
