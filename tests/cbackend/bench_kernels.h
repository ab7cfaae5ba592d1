/* What a benchmark of kernels shares: data, packing, timing, the processor's peak. bench_kernels.py writes the rest. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ms_add_u8.h"
#include "ms_average_u8.h"
#include "ms_conv_u8.h"
#include "ms_depthwise_u8.h"

enum { BYTES = 1 << 18, FILTERS = 1024 };

static uint8_t x[BYTES], y[BYTES], other[BYTES];
static int8_t rows[BYTES], blocks[BYTES] MS_ALIGNED;
static int32_t multiplier[FILTERS];
static int64_t offset[FILTERS];
static int16_t scratch[1 << 15];

/* pack_rows and pack_blocks of random weights. */
static void fill_conv(int32_t filters, int32_t runs, int32_t length, int32_t depth)
{
    const int32_t padded = (length + 3) / 4 * 4;
    memset(rows, 0, sizeof rows);
    memset(blocks, 0, sizeof blocks);
    for (int32_t f = 0; f < filters; f++) {
        for (int32_t k = 0; k < runs * length; k++) {
            const int32_t at = k / length * padded + k % length;
            const int8_t w = (int8_t)rand();
            rows[f * depth + k] = w;
            const int32_t whole = f < filters / 64 * 64, tile = whole ? 64 : 16;
            blocks[f / tile * tile * padded * runs + at / 4 * tile * 4 + f % tile * 4 + at % 4] = w;
        }
    }
}

/* pack_depthwise and pack_depthwise_blocks of random 3 x 3 weights. */
static void fill_depthwise(int32_t channels)
{
    const int32_t width = channels == 8 || channels == 16 || channels == 32 ? channels : 64;
    memset(blocks, 0, sizeof blocks);
    for (int32_t k = 0; k < 9 * channels; k++) {
        rows[k] = (int8_t)rand();
    }
    for (int32_t c = 0; c < (channels + 63) / 64 * 64; c++) {
        const int32_t lane = c % 64, from = c / 64 * 64 + lane % width;
        for (int32_t k = 0; k < 9 && from < channels; k++) {
            blocks[c / 64 * 768 + k % 3 * 256 + lane / 4 % 4 * 64 + lane / 16 * 16 + lane % 4 * 4 + k / 3] = rows[k * channels + from];
        }
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Multiply-accumulates of 12 independent instructions on registers. */
#define CHAINS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#if defined __AVX512VNNI__
#include <immintrin.h>
typedef __m512i lanes;
enum { PRODUCTS = 64 };
#define STEP(n) __asm__ volatile("vpdpbusd %1, %1, %0" : "+v"(s##n) : "v"(one));
#elif defined __AVXVNNI__
#include <immintrin.h>
typedef __m256i lanes;
enum { PRODUCTS = 32 };
#define STEP(n) __asm__ volatile("%{vex%} vpdpbusd %1, %1, %0" : "+x"(s##n) : "x"(one));
#elif defined __AVX2__
#include <immintrin.h>
typedef __m256i lanes;
enum { PRODUCTS = 16 };
#define STEP(n) __asm__ volatile("vpmaddwd %1, %1, %%ymm15\n\tvpaddd %%ymm15, %0, %0" : "+x"(s##n) : "x"(one) : "xmm15");
#else
typedef int32_t lanes;
enum { PRODUCTS = 1 };
#define STEP(n) s##n += one * one;
#endif

static double peak(void)
{
    double best = 1;
    for (int r = 0; r < 50; r++) {
        lanes one;
        memset(&one, 1, sizeof one);
#define START(n) lanes s##n = one;
        CHAINS(START)
        const double start = seconds();
        for (int i = 0; i < 20000; i++) {
            CHAINS(STEP)
        }
        const double taken = seconds() - start;
        best = taken < best ? taken : best;
#define KEEP(n) memcpy(y, &s##n, sizeof s##n);
        CHAINS(KEEP)
    }
    return 20000.0 * 12 * PRODUCTS / best * 1e-9;
}

static int bench(void (*const *fills)(void), void (*const *layers)(void), void (*const *plains)(void), int count, int rounds)
{
    double *times = malloc(sizeof *times * (size_t)(count * rounds));
    int *calls = malloc(sizeof *calls * (size_t)count);
    if (!times || !calls) {
        return 2;
    }
    for (int32_t i = 0; i < BYTES; i++) {
        x[i] = (uint8_t)rand();
    }
    for (int32_t i = 0; i < FILTERS; i++) {
        multiplier[i] = 1000 + rand() % (1 << 27);
        offset[i] = ((int64_t)rand() << 9) - ((int64_t)rand() << 8);
    }
    for (int n = 0; n < count; n++) {
        memset(y, 0, sizeof y);
        memset(other, 0, sizeof other);
        fills[n]();
        layers[n]();
        plains[n]();
        if (memcmp(y, other, sizeof y)) {
            fprintf(stderr, "layer %d differs from the portable form\n", n);
            return 1;
        }
        const double start = seconds();
        for (calls[n] = 0; seconds() - start < 20e-6; calls[n]++) {
            layers[n]();
        }
    }
    const double fastest = peak();
    for (int r = 0; r < rounds; r++) {
        for (int n = 0; n < count; n++) {
            layers[n]();
            const double start = seconds();
            for (int c = 0; c < calls[n]; c++) {
                layers[n]();
            }
            times[n * rounds + r] = (seconds() - start) / calls[n] * 1e6;
        }
    }
    printf("%s\n%f\n", MS_ISA_NAME, fastest > peak() ? fastest : peak());
    for (int n = 0; n < count; n++) {
        for (int r = 0; r < rounds; r++) {
            printf("%f ", times[n * rounds + r]);
        }
        putchar('\n');
    }
    return 0;
}
