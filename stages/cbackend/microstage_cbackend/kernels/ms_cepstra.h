/* Mel-frequency cepstra in integers: the same bytes from every compiler, at every level, with floats or without.
 *
 * The file that includes it gives sizes and tables before (writers/features_tables.py computes them):
 *
 *   MS_WINDOW, MS_HALF, MS_BANDS        samples of a frame; half the length of its transform, 2^n; triangles
 *   MS_FIRST, MS_WEIGHT                 the first bin in a triangle; bits behind the point of weights
 *   ms_hann[MS_WINDOW / 2 + 1]          2^31 times the rising half of the window
 *   ms_cosine[2 * MS_HALF]              2^30 cos(pi k / MS_HALF)
 *   ms_reversed[MS_HALF]                k with its bits in reverse order
 *   ms_bins[MS_BANDS + 1], ms_rising[]  bins from one edge of a triangle to the next; 2^MS_WEIGHT times their weight
 *                                       in the triangle that begins there (the rest is in the one before)
 *   ms_roots[96]                        2^31 / sqrt(a) for a / 2^25 from 32 on
 *   ms_inverses[64], ms_logarithms[64]  2^31 / x and 2^30 ln(x) for x from 1 to 2
 *
 * Numbers are blocks with one exponent: a frame is brought to full scale, and again by each stage of its transform, so
 * that what is 80 dB below the loudest bin still has 16 bits. Products and sums are of 64 bits and cannot overflow.
 */
#ifndef MS_CEPSTRA_H
#define MS_CEPSTRA_H

#include <stdint.h>

#define MS_LN2 744261118 /* 2^30 ln 2 */

/* Zeros above the highest one of x, which is not 0. */
static inline int ms_leading(uint64_t x)
{
#if defined __GNUC__
    return __builtin_clzll(x);
#else
    int n = 0;
    for (int step = 32; step; step /= 2) {
        if (!(x >> (64 - step))) {
            x <<= step;
            n += step;
        }
    }
    return n;
#endif
}

static inline int64_t ms_times(int32_t a, int32_t b)
{
    return (int64_t)a * b;
}

/* x / 2^shift to nearest; shift from 1. */
static inline int32_t ms_nearest(int64_t x, int shift)
{
    return (int32_t)((x + ((int64_t)1 << (shift - 1))) >> shift);
}

/* 2^shift x, without a shift of what is negative. */
static inline int32_t ms_up(int32_t x, int shift)
{
    return (int32_t)((uint32_t)x << shift);
}

/* The bits of x that matter, in an unsigned number that is as long. */
static inline uint32_t ms_bits(int32_t x)
{
    return (uint32_t)(x ^ (x >> 31));
}

/* Sample n, brought to full scale, under the window. */
static inline int32_t ms_under_window(const int16_t *samples, int n, int up)
{
    return ms_nearest(ms_times(ms_up(samples[n], up), ms_hann[n <= MS_WINDOW / 2 ? n : MS_WINDOW - n]), 32);
}

/* A frame under its window, even samples real, odd ones imaginary, in bit-reversed order. Returns b: all is below 2^b,
 * at most 30; 0 where all is 0. z is 2^*e times as large as the samples. */
static int ms_windowed(const int16_t *samples, int32_t *z, int *e)
{
    uint32_t any = 0;
    for (int n = 0; n < MS_WINDOW; n++) {
        any |= ms_bits(samples[n]) | (samples[n] != 0);
    }
    if (!any) {
        return 0;
    }
    const int up = ms_leading(any) - 33;
    any = 1;
    for (int n = 0; n < MS_HALF; n++) {
        int32_t *const to = z + 2 * ms_reversed[n];
        to[0] = 2 * n < MS_WINDOW ? ms_under_window(samples, 2 * n, up) : 0;
        to[1] = 2 * n < MS_WINDOW ? ms_under_window(samples, 2 * n + 1, up) : 0;
        any |= ms_bits(to[0]) | ms_bits(to[1]);
    }
    *e = up - 1;
    return 64 - ms_leading(any);
}

/* (a c + b d) / 2^32, rounded down. */
static inline int32_t ms_turned(int32_t a, int32_t c, int32_t b, int32_t d)
{
    return (int32_t)((ms_times(a, c) + ms_times(b, d)) >> 32);
}

/* Joins neighbours, for a length that is no power of 4; as ms_join with half the factor. */
static inline int ms_join_two(int32_t *z, int b)
{
    const int up = b < 30 ? 30 - b : 0;
    uint32_t any = 1;
    for (int32_t *p = z; p < z + 2 * MS_HALF; p += 4) {
        const int32_t ar = ms_up(p[0], up) >> 1, ai = ms_up(p[1], up) >> 1;
        const int32_t br = ms_up(p[2], up) >> 1, bi = ms_up(p[3], up) >> 1;
        p[0] = ar + br;
        p[1] = ai + bi;
        p[2] = ar - br;
        p[3] = ai - bi;
        any |= ms_bits(p[0]) | ms_bits(p[1]) | ms_bits(p[2]) | ms_bits(p[3]);
    }
    return 64 - ms_leading(any);
}

/* Joins four transforms of m into one of 4 m, everywhere. What is below 2^b comes out 2^(28 - b) times as large, but
 * no smaller than a quarter, with magnitudes below 2^30.5 as they were. Returns the b of the result. The 2 stands for
 * what four numbers lose on average where they are rounded down; elsewhere it cancels. */
static int ms_join(int32_t *z, int m, int b)
{
    const int up = b < 30 ? 30 - b : 0, step = MS_HALF / (2 * m), quarter = MS_HALF / 2;
    uint32_t any = 1;
    for (int j = 0; j < m; j++) {
        const int32_t *const w = ms_cosine + j * step, *const w2 = w + j * step, *const w3 = w2 + j * step;
        const int32_t r1 = w[0], i1 = w[quarter], r2 = w2[0], i2 = w2[quarter], r3 = w3[0], i3 = w3[quarter];
        for (int32_t *p = z + 2 * j; p < z + 2 * MS_HALF; p += 8 * m) {
            int32_t *const q = p + 2 * m, *const s = q + 2 * m, *const t = s + 2 * m;
            const int32_t b0 = ms_up(s[0], up), b1 = ms_up(s[1], up);
            const int32_t br = ms_turned(b0, r1, b1, -i1), bi = ms_turned(b0, i1, b1, r1);
            const int32_t d0 = ms_up(t[0], up), d1 = ms_up(t[1], up);
            const int32_t dr = ms_turned(d0, r3, d1, -i3), di = ms_turned(d0, i3, d1, r3);
            const int32_t c0 = ms_up(q[0], up), c1 = ms_up(q[1], up);
            const int32_t cr = ms_turned(c0, r2, c1, -i2), ci = ms_turned(c0, i2, c1, r2);
            const int32_t ar = ms_up(p[0], up) >> 2, ai = ms_up(p[1], up) >> 2;
            p[0] = ar + cr + (br + dr) + 2;
            p[1] = ai + ci + (bi + di) + 2;
            q[0] = ar - cr + (bi - di);
            q[1] = ai - ci - (br - dr);
            s[0] = ar + cr - (br + dr);
            s[1] = ai + ci - (bi + di);
            t[0] = ar - cr - (bi - di);
            t[1] = ai - ci + (br - dr);
            any |= ms_bits(p[0]) | ms_bits(p[1]) | ms_bits(q[0]) | ms_bits(q[1]);
            any |= ms_bits(s[0]) | ms_bits(s[1]) | ms_bits(t[0]) | ms_bits(t[1]);
        }
    }
    return 64 - ms_leading(any);
}

/* 2 sqrt(x) of x below 2^62. */
static uint32_t ms_twice_root(uint64_t x)
{
    if (!x) {
        return 0;
    }
    const int shift = (ms_leading(x) - 2) & ~1;
    x <<= shift;                                    /* 2^60 to 2^62 */
    const uint32_t a = (uint32_t)(x >> 30);         /* 2^30 to 2^32 */
    const uint32_t guess = ms_roots[(a >> 25) - 32];
    const int64_t off = ((int64_t)1 << 62) - (int64_t)((uint64_t)a * (guess * guess));
    const int64_t y = ((int64_t)guess << 16) + ((off >> 31) * (int64_t)guess >> 16); /* 2^47 / sqrt(a), to 2^-13 */
    const int64_t root = (int64_t)((uint64_t)a * (uint64_t)y >> 32);                 /* 2^30 to 2^31 */
    const int64_t rest = (int64_t)x - root * root;
    return (uint32_t)(root + ((rest >> 20) * y >> 43)) << 1 >> (shift / 2);
}

/* Twice the magnitude of bin k, from the transform of even and odd samples, below 2^b; 2^(30 - b) times as large. */
static uint32_t ms_magnitude(const int32_t *z, int k, int b)
{
    const int32_t *const low = z + 2 * k, *const high = z + 2 * (MS_HALF - k);
    const int32_t r = ms_cosine[k], i = ms_cosine[k + MS_HALF / 2], one = (int32_t)1 << 30;
    const int32_t low_r = ms_up(low[0], 31 - b) >> 1, low_i = ms_up(low[1], 31 - b) >> 1;
    const int32_t high_r = ms_up(high[0], 31 - b) >> 1, high_i = ms_up(high[1], 31 - b) >> 1;
    const int32_t odd_r = low_i + high_i, odd_i = high_r - low_r;
    const int32_t re = ms_nearest(ms_times(low_r + high_r, one) + ms_times(odd_r, r) - ms_times(odd_i, i), 31);
    const int32_t im = ms_nearest(ms_times(low_i - high_i, one) + ms_times(odd_r, i) + ms_times(odd_i, r), 31);
    return ms_twice_root((uint64_t)ms_times(re, re) + (uint64_t)ms_times(im, im));
}

/* x / 2^e as 26 bits m and 6 bits s: 2^(s - 46) m. */
static uint32_t ms_packed(uint64_t x, int e)
{
    if (!x) {
        return 0;
    }
    const int length = 64 - ms_leading(x), exponent = length + 20 - e;
    const int shift = length - 26 - (exponent < 0 ? exponent : 0);
    return (uint32_t)(shift < 0 ? x << -shift : x >> shift) | (uint32_t)(exponent < 0 ? 0 : exponent) << 26;
}

/* Mel bands of a frame: sums of weighted magnitudes, packed. `z` holds 2 * MS_HALF words. */
static void ms_frame(const int16_t *samples, int32_t *z, uint32_t *bands)
{
    int e = 0, b = ms_windowed(samples, z, &e);
    if (!b) {
        for (int n = 0; n < MS_BANDS; n++) {
            bands[n] = 0;
        }
        return;
    }
    int m = 1;
    if (MS_HALF & 0xaaaa) {
        e += b < 30 ? 29 - b : -1;
        b = ms_join_two(z, b);
        m = 2;
    }
    for (; m < MS_HALF; m *= 4) {
        e += b < 30 ? 28 - b : -2;
        b = ms_join(z, m, b);
    }
    e += 30 - b;
    const uint32_t *weight = ms_rising;
    uint64_t before = 0;
    for (int n = 0, k = MS_FIRST; n <= MS_BANDS; n++) {
        uint64_t rising = 0;
        for (int end = k + ms_bins[n]; k < end; k++) {
            const uint32_t size = ms_magnitude(z, k, b);
            rising += (uint64_t)size * *weight;
            before += (uint64_t)size * (((uint32_t)1 << MS_WEIGHT) - *weight++);
        }
        if (n) {
            bands[n - 1] = ms_packed(before, e + 1 + MS_WEIGHT);
        }
        before = rising;
    }
}

/* 2^30 ln(x); x is not 0. */
static int64_t ms_ln(uint64_t x)
{
    const int leading = ms_leading(x);
    const uint32_t m = (uint32_t)(x << leading >> 32); /* 2^31 to 2^32 */
    const int place = (int)(m >> 25) & 63;
    /* 2^32 times what is left beside 1, below 2^-6 */
    const int64_t r = ((int64_t)((uint64_t)m * ms_inverses[place]) - ((int64_t)1 << 62)) >> 30;
    const int64_t square = r * r >> 32;
    return ms_logarithms[place] + ((r - square / 2 + (square * r >> 32) / 3) >> 2) + (int64_t)(63 - leading) * MS_LN2;
}

/* 2^24 ln(band / largest + floor), of a packed band, 2^62 floor * largest and 2^30 ln(largest). */
static int32_t ms_logarithm(uint32_t band, uint64_t floor, int64_t largest)
{
    const int exponent = (int)(band >> 26);
    const int64_t ln = ms_ln(((uint64_t)(band & 0x3ffffffu) << 16) + (floor >> exponent));
    return ms_nearest(ln + (int64_t)(exponent - 62) * MS_LN2 - largest, 6);
}
#endif
