/* Runs the cases of cases.bin, which small_cases.py wrote, on a Cortex-M: each kernel twice, in memory filled with one value and
 * then with another, the second time under a timer whose handler overwrites the stack below. Results go to result.bin.
 * Ends with 3 where anything beside y and scratch changed, 4 where the second y differs, 5 where a kernel took 256 bytes of stack,
 * 6 where the timer never ran.
 *
 * Prints a line per case: instructions, bytes of stack.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ms_small_add.h"
#include "ms_small_average.h"
#include "ms_small_depthwise.h"
#include "ms_small_xnor.h"

enum { INTEGERS = 40, BUFFERS = 8, POOL = 1 << 19, GUARD = 64, PAINTED = 2048, STACK = 256 };

typedef struct { int32_t size, count; uint8_t *data; } buffer;

static uint8_t pool[POOL] __attribute__((aligned(8))), copy[POOL] __attribute__((aligned(8)));
static uint64_t constants[1 << 15], first[1 << 15];
static volatile uint32_t ticked;

#if defined __arm__
#define SYSTEM ((volatile uint32_t *)0xe000e010)
static uint32_t vectors[64] __attribute__((aligned(256)));
static uint32_t drawn = 1;

/* Leaves nothing below the stack pointer as it was, and comes again after a drawn time. */
static void __attribute__((noinline)) tick(void)
{
    volatile uint32_t mess[100];
    for (int i = 0; i < 100; i++) {
        mess[i] = drawn;
    }
    drawn = drawn * 1664525u + 1013904223u + mess[0];
    ticked++;
    SYSTEM[1] = 2 + (drawn >> 24) % 30;
    SYSTEM[2] = 0;
    *(volatile uint32_t *)0xe000ed04 = 1u << 25;
}

static void start_ticks(void)
{
    memcpy(vectors, *(void *volatile *)0xe000ed08, 64);
    vectors[15] = (uint32_t)(uintptr_t)tick | 1;
    *(volatile uint32_t *)0xe000ed08 = (uint32_t)(uintptr_t)vectors;
    SYSTEM[1] = 5;
    SYSTEM[2] = 0;
    SYSTEM[0] = 7;
}

static void stop_ticks(void) { SYSTEM[0] = 0; }
static void start_count(void) { SYSTEM[0] = 0; SYSTEM[1] = 0xffffff; SYSTEM[2] = 0; SYSTEM[0] = 5; }
static uint32_t counted(void) { return ~SYSTEM[2] & 0xffffff; }
#else
static void start_ticks(void) {}
static void stop_ticks(void) {}
static void start_count(void) {}
static uint32_t counted(void) { return 0; }
#endif

/* Sizes and stage stand apart from the stack, as those of a network do. */
static ms_small_conv_shape shape;
static ms_conv_u8_shape words;
static ms_depthwise_u8_shape taps;
static ms_add_u8_shape scales;
static ms_line line;
static ms_requant q;

static void take(const int32_t *p, const buffer *b)
{
    memcpy(&shape, p + 2, sizeof shape);
    memcpy(&words, p + 2, sizeof words);
    memcpy(&taps, p + 2, sizeof taps);
    memcpy(&scales, p + 2, sizeof scales);
    memcpy(&line, p + 22, sizeof line);
    q = (ms_requant){(int32_t *)b[4].data, (int64_t *)b[5].data, p[23], p[24], p[25], p[27], p[28], p[26],
                     b[6].count ? (int64_t *)b[6].data : 0, b[6].count ? *(int64_t *)b[7].data : 0};
}

/* Each kernel in a function of its own, as the stack of one is measured. */
#define KERNEL(name, ...) \
    static void __attribute__((noinline)) name(const int32_t *p, const buffer *b, uint8_t *x, uint8_t *y, uint8_t *scratch) \
    {                                                                                                                       \
        (void)p, (void)b, (void)scratch;                                                                                    \
        ms_small_##name(__VA_ARGS__);                                                                                       \
    }
KERNEL(depthwise, x, (int8_t *)b[2].data, (int32_t *)b[3].data, y, scratch, &shape, &line)
KERNEL(depthwise_requant, x, (int8_t *)b[2].data, y, scratch, &shape, &q)
KERNEL(xnor_sums, (uint64_t *)x, (uint64_t *)b[2].data, (int32_t *)y, scratch, p[1], &words)
KERNEL(xnor_bits, (uint64_t *)x, (uint64_t *)b[2].data, (uint64_t *)y, scratch, (int32_t *)b[3].data, &words)
KERNEL(add, x, b[2].data, y, &scales)
KERNEL(average, x, y, &taps, &q)
static void (*const kernels[])(const int32_t *, const buffer *, uint8_t *, uint8_t *, uint8_t *) = {
    depthwise, depthwise_requant, xnor_sums, xnor_bits, add, average,
};

/* One run in memory of `poison`. Integers 37...39: scratch bytes, x's place within a word, whether y is x. */
static void run(const int32_t *p, const buffer *b, uint8_t poison, int ticking)
{
    const size_t x_bytes = (size_t)(b[0].size * b[0].count), y_bytes = (size_t)(b[1].size * b[1].count);
    uint8_t *x = pool + GUARD + p[38], *scratch, *y, *end, *top;
    y = p[39] ? x : pool + (((size_t)(x - pool) + x_bytes + 2 * GUARD) & ~(size_t)7) + p[38];
    scratch = pool + (((size_t)((y > x ? y + y_bytes : x + x_bytes) - pool) + 2 * GUARD) & ~(size_t)7);
    end = scratch + p[37] + GUARD;
    memset(pool, poison, (size_t)(end - pool));
    memcpy(y, b[1].data, y_bytes);
    memcpy(x, b[0].data, x_bytes);
    memcpy(copy, pool, (size_t)(end - pool));
    take(p, b);
#if defined __arm__
    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (volatile uint8_t *at = top - PAINTED; at < top; at++) {
        *at = 0xc3;
    }
#else
    top = 0;
#endif
    ticking ? start_ticks() : start_count();
    kernels[p[0]](p, b, x, y, scratch);
    const uint32_t took = counted();
    stop_ticks();
    if (!ticking) {
        volatile uint8_t *at = top - PAINTED;
        while (top && at < top && *at == 0xc3) {
            at++;
        }
        printf("%d %lu %ld\n", (int)p[0], (unsigned long)took * 40, (long)(top - at));
        if (top - at >= STACK) {
            exit(5);
        }
    }
    memcpy(first, y, y_bytes);
    memcpy(y, copy + (y - pool), y_bytes);
    memset(scratch, poison, (size_t)p[37]);
    if (memcmp(pool, copy, (size_t)(end - pool))) {
        exit(3);
    }
}

int main(void)
{
    FILE *input = fopen("cases.bin", "rb"), *output = fopen("result.bin", "wb");
    static uint64_t kept[1 << 15];
    int32_t cases;
    if (!input || !output || fread(&cases, 4, 1, input) != 1) {
        return 2;
    }
    for (; cases > 0; cases--) {
        int32_t p[INTEGERS];
        buffer b[BUFFERS];
        uint8_t *at = (uint8_t *)constants;
        if (fread(p, 4, INTEGERS, input) != INTEGERS) {
            return 2;
        }
        for (int i = 0; i < BUFFERS; i++) {
            if (fread(&b[i], 4, 2, input) != 2) {
                return 2;
            }
            b[i].data = at;
            fread(at, (size_t)b[i].size, (size_t)b[i].count, input);
            at += (b[i].size * b[i].count + 7) & ~7;
        }
        const size_t bytes = (size_t)(b[1].size * b[1].count);
        run(p, b, 0xa5, 0);
        memcpy(kept, first, bytes);
        run(p, b, 0x5a, 1);
        if (memcmp(kept, first, bytes)) {
            return 4;
        }
        fwrite(kept, 1, bytes, output);
    }
    return fclose(output) ? 2 : ticked ? 0 : 6;
}
