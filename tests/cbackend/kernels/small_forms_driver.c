/* Runs cases of the kernels for small machines that test_small_forms.py wrote to cases.bin; what y holds goes to result.bin.
 *
 * Each case runs twice, with other bytes around x, y and scratch each time: those stay as they are, and what comes out is the
 * same. The deepest stack of each kernel is printed; 256 bytes or more, in an optimised build, end it with 6. With INTERRUPTED a timer's handler that uses stack and vectors runs all the while.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ms_small_add.h"
#include "ms_small_average.h"
#include "ms_small_conv.h"
#include "ms_small_depthwise.h"

enum { INTEGERS = 32, CONSTANTS = 6, ROOM = 64, MEMORY = 96 * 1024, PAINTED = 2048, PAINT = 0xa5, STACK = 256 };

#if defined __OPTIMIZE__
enum { OPTIMIZED = 1 };
#else
enum { OPTIMIZED = 0 };
#endif

typedef struct { int32_t size, count; void *data; } buffer;
typedef struct { int32_t kernel, x_bytes, y_bytes, scratch, above, skew; const uint8_t *x; } frame;
typedef struct { uint8_t *x, *y, *scratch, *end; } places; /* up to `end` memory is looked after */

static uint64_t words[MEMORY / 8];
static uint8_t *const memory = (uint8_t *)words;
static FILE *input;

static uint64_t number(int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (uint64_t)(unsigned)fgetc(input) << (8 * i);
    }
    return value;
}

static buffer read_buffer(void)
{
    buffer b = {(int32_t)number(4), 0, 0};
    b.count = (int32_t)number(4);
    b.data = malloc((size_t)b.size * (size_t)b.count + 8);
    if (!b.data) {
        exit(2);
    }
    for (int32_t i = 0; i < b.count; i++) {
        const uint64_t value = number(b.size);
        switch (b.size) {
            case 1: ((uint8_t *)b.data)[i] = (uint8_t)value; break;
            case 4: ((int32_t *)b.data)[i] = (int32_t)value; break;
            default: ((int64_t *)b.data)[i] = (int64_t)value;
        }
    }
    return b;
}

/* x before y with room between them or, with above >= 0, in one memory: x that many bytes above the start of y. */
static places place(const frame *f)
{
    const int32_t joined = f->above + f->x_bytes > f->y_bytes ? f->above + f->x_bytes : f->y_bytes;
    const int32_t both = f->above < 0 ? (f->x_bytes + ROOM + 7) / 8 * 8 + f->y_bytes : joined;
    places p;
    p.scratch = memory + ROOM;
    p.y = p.scratch + (f->scratch + 7) / 8 * 8 + ROOM + f->skew;
    p.x = f->above < 0 ? p.y : p.y + f->above;
    p.y = f->above < 0 ? p.x + (f->x_bytes + ROOM + 7) / 8 * 8 : p.y;
    p.end = (f->above < 0 ? p.x : p.y) + both + ROOM;
    if (p.end > memory + MEMORY) {
        printf("memory for a case of %ld bytes is missing\n", (long)both);
        exit(3);
    }
    return p;
}

static int may_change(const places *p, const frame *f, const uint8_t *at)
{
    return (at >= p->y && at < p->y + f->y_bytes) || (at >= p->scratch && at < p->scratch + f->scratch);
}

static void fill(const places *p, const frame *f, int poison)
{
    memset(memory, poison, (size_t)(p->end - memory));
    memcpy(p->x, f->x, (size_t)f->x_bytes);
}

static void check(const places *p, const frame *f, int poison, int32_t n)
{
    for (uint8_t *at = memory; at < p->end; at++) {
        const int of_x = at >= p->x && at < p->x + f->x_bytes;
        if (!may_change(p, f, at) && *at != (of_x ? f->x[at - p->x] : poison)) {
            printf("case %ld, kernel %ld: a byte %ld from y, %ld from scratch was written\n", (long)n, (long)f->kernel, (long)(at - p->y),
                   (long)(at - p->scratch));
            exit(4);
        }
    }
}

/* Sizes and stage stand apart from the stack, as those of a network do. */
static ms_small_conv_shape conv_shape;
static ms_depthwise_u8_shape taps;
static ms_add_u8_shape scales;
static ms_line line;
static ms_requant q;

static void take(const int32_t *s, const buffer *b)
{
    const int64_t *kink = b[4].count ? b[4].data : 0;
    conv_shape = (ms_small_conv_shape){s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10], s[11], s[12], s[13], s[14], s[15],
                                       s[16], s[17], s[18], 2};
    line = (ms_line){s[19], s[20], s[21], s[22], s[23], s[24], s[25]};
    q = (ms_requant){b[2].data, b[3].data, s[20], s[21], s[22], s[24], s[25], s[23], kink, kink ? *(const int64_t *)b[5].data : 0};
    taps = (ms_depthwise_u8_shape){s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10]};
    scales = (ms_add_u8_shape){s[0], s[1], s[2], s[3], s[20], s[21], s[22], s[24], s[25], s[23]};
}

/* Each kernel in a function of its own, as the stack of one is measured. */
#define KERNEL(name, ...)                                                              \
    static __attribute__((noinline)) void name(const buffer *b, const places *p)       \
    {                                                                                  \
        (void)b;                                                                       \
        ms_small_##name(__VA_ARGS__);                                                  \
    }
KERNEL(conv, p->x, b[0].data, b[1].data, p->y, p->scratch, &conv_shape, &line)
KERNEL(conv_sums, p->x, b[0].data, (int32_t *)(void *)p->y, p->scratch, &conv_shape)
KERNEL(conv_requant, p->x, b[0].data, p->y, p->scratch, &conv_shape, &q)
KERNEL(depthwise, p->x, b[0].data, b[1].data, p->y, p->scratch, &conv_shape, &line)
KERNEL(depthwise_requant, p->x, b[0].data, p->y, p->scratch, &conv_shape, &q)
KERNEL(average, p->x, p->y, &taps, &q)
KERNEL(add, p->x, b[0].data, p->y, &scales)
static const struct { void (*call)(const buffer *, const places *); const char *name; } kernels[] = {
    {conv, "conv"}, {conv_sums, "conv_sums"}, {conv_requant, "conv_requant"}, {depthwise, "depthwise"},
    {depthwise_requant, "depthwise_requant"}, {average, "average"}, {add, "add"},
};
static long deepest[sizeof kernels / sizeof kernels[0]];

#if defined __arm__
#define STACK_POINTER "mov %0, sp"
#elif defined __riscv
#define STACK_POINTER "mv %0, sp"
#endif

/* Calls the kernel; returns the bytes of stack that it took. */
static long called(int32_t kernel, const buffer *b, const places *p)
{
#if defined STACK_POINTER && !defined INTERRUPTED
    volatile uint8_t *top, *at;
    __asm__ volatile(STACK_POINTER : "=r"(top));
    for (at = top - PAINTED; at < top; at++) {
        *at = PAINT;
    }
    kernels[kernel].call(b, p);
    for (at = top - PAINTED; at < top && *at == PAINT; at++) {
    }
    return (long)(top - at);
#else
    kernels[kernel].call(b, p);
    return 0;
#endif
}

#if defined INTERRUPTED
#define REGISTER(address) (*(volatile uint32_t *)(address))
static uint32_t vectors[64] __attribute__((aligned(256)));
static volatile uint32_t interrupts, seed = 1;

static void tick(void)
{
    volatile uint8_t junk[96];
    for (unsigned i = 0; i < sizeof junk; i++) {
        junk[i] = (uint8_t)(i ^ seed);
    }
#if defined __ARM_FP
    __asm__ volatile("vmov s0, %0\n\tvmov s1, %0\n\tvmov s2, %0\n\tvmov s8, s0\n\tvmov s15, s0" : : "r"(seed) : "s0", "s1", "s2", "s8", "s15");
#endif
    seed = seed * 1664525u + 1013904223u;
    interrupts++;
    REGISTER(0xe000e014) = 2 + (seed >> 24) % 61; /* SysTick: reload */
    REGISTER(0xe000e018) = 0;
}

static void start_interrupts(void)
{
    memcpy(vectors, (const void *)(uintptr_t)REGISTER(0xe000ed08), sizeof vectors);
    vectors[15] = (uint32_t)(uintptr_t)tick;
    REGISTER(0xe000ed08) = (uint32_t)(uintptr_t)vectors; /* VTOR */
    REGISTER(0xe000e014) = 40;
    REGISTER(0xe000e018) = 0;
    REGISTER(0xe000e010) = 7;
}

static void stop_interrupts(void)
{
    REGISTER(0xe000e010) = 0;
}
#else
static void start_interrupts(void) {}
static void stop_interrupts(void) {}
static const unsigned interrupts = 0;
#endif

static void run(int32_t n, FILE *output)
{
    int32_t s[INTEGERS];
    buffer x, b[CONSTANTS];
    long stack = 0;
    uint8_t *first;
    frame f;

    f.kernel = (int32_t)number(4);
    f.y_bytes = (int32_t)number(4);
    f.scratch = (int32_t)number(4);
    f.above = (int32_t)number(4);
    f.skew = (int32_t)number(4);
    for (int i = 0; i < INTEGERS; i++) {
        s[i] = (int32_t)number(4);
    }
    x = read_buffer();
    for (int i = 0; i < CONSTANTS; i++) {
        b[i] = read_buffer();
    }
    f.x = x.data;
    f.x_bytes = x.count;
    first = malloc((size_t)f.y_bytes + 1);
    for (int round = 0; round < 2; round++) {
        const int poison = round ? 0xff : 0x5a;
        const places p = place(&f);
        fill(&p, &f, poison);
        take(s, b);
        start_interrupts();
        stack = called(f.kernel, b, &p);
        stop_interrupts();
        check(&p, &f, poison, n);
        if (round && memcmp(first, p.y, (size_t)f.y_bytes) != 0) {
            printf("case %ld, kernel %ld: what lies around its memory changed its results\n", (long)n, (long)f.kernel);
            exit(5);
        }
        memcpy(first, p.y, (size_t)f.y_bytes);
    }
    fwrite(first, 1, (size_t)f.y_bytes, output);
    free(first);
    free(x.data);
    for (int i = 0; i < CONSTANTS; i++) {
        free(b[i].data);
    }
    deepest[f.kernel] = stack > deepest[f.kernel] ? stack : deepest[f.kernel];
}

int main(void)
{
    int wrong = 0;
    FILE *output = fopen("result.bin", "wb");
    input = fopen("cases.bin", "rb");
    if (!input || !output) {
        return 2;
    }
    const int32_t cases = (int32_t)number(4);
    for (int32_t n = 0; n < cases; n++) {
        run(n, output);
    }
    for (size_t k = 0; k < sizeof kernels / sizeof kernels[0]; k++) {
        printf("%s %ld\n", kernels[k].name, deepest[k]);
        wrong |= OPTIMIZED && deepest[k] >= STACK;
    }
    printf("%s interrupts %lu\n", MS_ISA_NAME, (unsigned long)interrupts);
    return fclose(output) ? 2 : wrong ? 6 : 0;
}
