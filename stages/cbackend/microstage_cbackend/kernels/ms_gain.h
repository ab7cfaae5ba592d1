/* Windows of real samples as integers at a gain of their own, a power of two: exact in float, without a library. */
#ifndef MS_GAIN_H
#define MS_GAIN_H

#include <stdint.h>
#include <string.h>

#include "ms_root.h"

/* The pattern of a float's bits without its sign: patterns are in the order of the numbers' sizes. */
static inline uint32_t ms_size_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x7fffffffu;
}

/* 2^exponent, from 2^-126 to 2^127. */
static inline float ms_power_of_two(int32_t exponent)
{
    const uint32_t bits = (uint32_t)(exponent + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return power;
}

/* Whether a sample is a number, and not beyond 2^highest. */
static inline int ms_is_sample(float sample, int32_t highest)
{
    return ms_size_of(sample) <= (uint32_t)(highest + 127) << 23;
}

/* The smallest exponent, at least `lowest`, of a power of two that no sample exceeds. */
static inline int32_t ms_exponent_of(const float *samples, int32_t count, int32_t lowest)
{
    uint32_t largest = 0;
    for (int32_t i = 0; i < count; i++) {
        const uint32_t size = ms_size_of(samples[i]);
        largest = size > largest ? size : largest;
    }
    const int32_t exponent = (int32_t)(largest >> 23) - 127 + ((largest & 0x7fffffu) != 0);
    return exponent > lowest ? exponent : lowest;
}

/* The nearest integer to a value, halves to even, held to -limit..limit. */
static inline int32_t ms_level(float value, int32_t limit)
{
    if (value >= (float)limit) {
        return limit;
    }
    if (value <= (float)-limit) {
        return -limit;
    }
    const int32_t whole = (int32_t)value;
    const float rest = value - (float)whole;
    if (rest > 0.5f || (rest == 0.5f && whole % 2)) {
        return whole + 1;
    }
    return rest < -0.5f || (rest == -0.5f && whole % 2) ? whole - 1 : whole;
}

/* The size of a phasor of integers, to one unit of float64: Newton's step from a root of 31 bits. */
static inline double ms_size(int32_t real, int32_t imaginary)
{
    const int64_t square = (int64_t)real * real + (int64_t)imaginary * imaginary;
    int32_t places;
    const uint32_t whole = ms_root((uint64_t)square, &places);
    const double root = (double)whole * (double)ms_power_of_two(-places);
    return square ? 0.5 * (root + (double)square / root) : 0;
}

#endif
