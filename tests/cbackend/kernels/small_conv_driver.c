/* Runs the cases of cases.bin, which test_small_conv.py wrote, each with the C form and with this unit's; what they give goes to results.bin.
 *
 * Little-endian int32_t: how many cases; of each the kind, the numbers of shape and line, then buffers, each with its bytes first.
 * x, y and scratch lie among bytes of 0xa5; a case in which one of those changed, or x did, ends the program. So does one that
 * takes 256 bytes of stack or more, or gives something else with y over x as far as the promise of ms_small.h allows.
 * MEMORY_BEGIN, MEMORY_END: x lies there too, where reading before or behind it is a fault.
 * INTERRUPTED: a timer interrupts at drawn instants, and its handler fills 400 bytes of stack and looks whether they stay.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ms_small_conv.h"

enum { LINE, SUMS, REQUANT, NUMBERS = 36, BUFFERS = 10, ROOM = 1 << 20, GUARD = 64 };
enum { X, ROWS, ROWS_Q, FORM, FORM_Q, MULTIPLIER, OFFSET, KINK, EDGE, Y };

typedef struct { int32_t bytes; uint8_t *data; } buffer;

static uint8_t room[ROOM] __attribute__((aligned(8)));
static size_t used;

/* `bytes` bytes, the first `skew` bytes behind an aligned one. */
static buffer space(int32_t bytes, int32_t skew)
{
    const buffer found = {bytes, room + used + GUARD + skew};
    used += ((size_t)(bytes + skew) + 2 * GUARD + 7) & ~(size_t)7;
    if (used > ROOM) {
        exit(4);
    }
    return found;
}

static int32_t read_number(FILE *input)
{
    int32_t number;
    if (fread(&number, sizeof number, 1, input) != 1) {
        exit(3);
    }
    return number;
}

static buffer read_buffer(FILE *input, int32_t skew)
{
    const buffer found = space(read_number(input), skew);
    if (fread(found.data, 1, (size_t)found.bytes, input) != (size_t)found.bytes) {
        exit(3);
    }
    return found;
}

static void check_guards(buffer b)
{
    for (int32_t i = 1; i <= GUARD; i++) {
        if (b.data[-i] != 0xa5 || b.data[b.bytes + i - 1] != 0xa5) {
            printf("a byte outside was written: %ld\n", (long)(b.data[-i] != 0xa5 ? -i : b.bytes + i - 1));
            exit(5);
        }
    }
}

#if defined INTERRUPTED
#define SYSTICK ((volatile uint32_t *)0xe000e010u) /* control, reload, current */
#define VECTORS (*(volatile uint32_t *)0xe000ed08u)
#define PENDING (*(volatile uint32_t *)0xe000ed04u)
static uint32_t vectors[16] __attribute__((aligned(128))), drawn = 1;
static volatile uint32_t interrupts, spoilt;

static __attribute__((noinline)) void fill_stack(uint32_t first)
{
    volatile uint32_t words[100];
    for (uint32_t i = 0; i < 100; i++) {
        words[i] = first + i;
    }
    for (uint32_t i = 0; i < 100; i++) {
        spoilt += words[i] != first + i;
    }
}

static void tick(void)
{
    interrupts++;
    drawn = drawn * 1664525u + 1013904223u;
    fill_stack(drawn);
    for (volatile uint32_t wait = drawn >> 8 & 31; wait; wait--) { /* an instant between two ticks */
    }
    SYSTICK[1] = 2 + (drawn >> 16 & 15);
    SYSTICK[2] = 0;
    PENDING = 1u << 25;
}

static void start_interrupts(void)
{
    memcpy(vectors, (const void *)(uintptr_t)VECTORS, sizeof vectors);
    vectors[15] = (uint32_t)(uintptr_t)tick | 1;
    VECTORS = (uint32_t)(uintptr_t)vectors;
}

static void interrupt(int whether)
{
    SYSTICK[1] = 2;
    SYSTICK[2] = 0;
    SYSTICK[0] = whether ? 7 : 0;
}
#else
#define interrupt(whether) ((void)0)
#endif

/* Sizes and stage stand apart from the stack, as those of a network do. */
static ms_small_conv_shape shape;
static ms_line line;
static ms_requant requant;

static void take(const int32_t *n, const buffer *b)
{
    memcpy(&shape, n, sizeof shape);
    memcpy(&line, n + 20, sizeof line);
    requant = (ms_requant){(const int32_t *)b[MULTIPLIER].data, (const int64_t *)b[OFFSET].data, n[27], n[28], n[29], n[30], n[31], n[32],
                           b[KINK].bytes ? (const int64_t *)b[KINK].data : 0, *(const int64_t *)b[EDGE].data};
}

/* Each kernel in a function of its own, as the stack of one is measured. */
static __attribute__((noinline)) void line_form(const buffer *b, uint8_t *y, void *scratch)
{
    ms_small_conv(b[X].data, b[FORM].data, (const int32_t *)b[FORM_Q].data, y, scratch, &shape, &line);
}

static __attribute__((noinline)) void sums_form(const buffer *b, uint8_t *y, void *scratch)
{
    ms_small_conv_sums(b[X].data, b[FORM].data, (int32_t *)y, scratch, &shape);
}

static __attribute__((noinline)) void requant_form(const buffer *b, uint8_t *y, void *scratch)
{
    ms_small_conv_requant(b[X].data, b[FORM].data, y, scratch, &shape, &requant);
}

static inline void run_form(int32_t kind, const buffer *b, uint8_t *y, void *scratch)
{
    (kind == LINE ? line_form : kind == SUMS ? sums_form : requant_form)(b, y, scratch);
}

static void run(int portable, int32_t kind, const buffer *b, uint8_t *y, void *scratch)
{
    if (!portable) {
        run_form(kind, b, y, scratch);
    } else if (kind == LINE) {
        ms_small_conv_c(b[X].data, b[ROWS].data, (const int32_t *)b[ROWS_Q].data, y, scratch, &shape, &line);
    } else if (kind == SUMS) {
        ms_small_conv_sums_c(b[X].data, b[ROWS].data, (int32_t *)y, scratch, &shape);
    } else {
        ms_small_conv_requant_c(b[X].data, b[ROWS].data, y, scratch, &shape, &requant);
    }
}

/* The same with x at `x`; ends the program where y is not `expected`. */
static void run_at(int portable, int32_t kind, const buffer *b, uint8_t *x, uint8_t *y, void *scratch, const uint8_t *expected)
{
    buffer moved[BUFFERS];
    memcpy(moved, b, sizeof moved);
    memmove(x, b[X].data, (size_t)b[X].bytes);
    moved[X].data = x;
    run(portable, kind, moved, y, scratch);
    if (memcmp(y, expected, (size_t)b[Y].bytes)) {
        printf("form %d differs with x elsewhere, kind %ld\n", portable, (long)kind);
        exit(8);
    }
}

/* y begins `before` bytes before x. */
static void run_overlapped(int portable, int32_t kind, int32_t before, const buffer *b, void *scratch, const uint8_t *expected)
{
    const int32_t x_end = before + b[X].bytes;
    const buffer both = space(x_end > b[Y].bytes ? x_end : b[Y].bytes, 0);
    run_at(portable, kind, b, both.data + before, both.data, scratch, expected);
    check_guards(both);
}

/* The stack that the assembly's form takes. */
static void check_stack(int32_t kind, const buffer *b, uint8_t *y, void *scratch)
{
    enum { PAINTED = 1024, MOST = 256 };
    volatile uint8_t *top, *p;
    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (p = top - PAINTED; p < top; p++) {
        *p = 0xc3;
    }
    run_form(kind, b, y, scratch);
    for (p = top - PAINTED; p < top && *p == 0xc3; p++) {
    }
    if (top - p >= MOST) {
        printf("%ld bytes of stack, kind %ld\n", (long)(top - p), (long)kind);
        exit(9);
    }
}

static void run_case(FILE *input, FILE *output)
{
    int32_t n[NUMBERS];
    buffer b[BUFFERS];
    const int32_t kind = read_number(input);
    for (int i = 0; i < NUMBERS; i++) {
        n[i] = read_number(input);
    }
    const int32_t scratch_bytes = read_number(input);
    used = 0;
    memset(room, 0xa5, sizeof room);
    for (int i = 0; i < BUFFERS; i++) {
        b[i] = read_buffer(input, i == X ? n[33] : 0);
    }
    take(n, b);
    for (int portable = 0; portable < 2; portable++) {
        const buffer y = space(b[Y].bytes, n[34]), scratch = space(scratch_bytes, 0), kept = space(b[X].bytes, 0), other = space(b[Y].bytes, 0);
        memcpy(kept.data, b[X].data, (size_t)b[X].bytes);
        interrupt(!portable);
        run(portable, kind, b, y.data, scratch.data);
        interrupt(0);
        check_guards(y);
        check_guards(scratch);
        check_guards(b[X]);
        if (memcmp(kept.data, b[X].data, (size_t)b[X].bytes)) {
            exit(6);
        }
        fwrite(y.data, 1, (size_t)y.bytes, output);
        run_overlapped(portable, kind, -n[35], b, scratch.data, y.data);
#if defined MEMORY_BEGIN
        run_at(portable, kind, b, (uint8_t *)MEMORY_BEGIN, other.data, scratch.data, y.data);
        run_at(portable, kind, b, (uint8_t *)MEMORY_END - b[X].bytes, other.data, scratch.data, y.data);
#endif
        if (!portable) {
            check_stack(kind, b, other.data, scratch.data);
        }
    }
}

int main(void)
{
    FILE *input = fopen("cases.bin", "rb"), *output = fopen("results.bin", "wb");
    if (!input || !output) {
        return 2;
    }
#if defined INTERRUPTED
    start_interrupts();
#endif
    for (int32_t cases = read_number(input); cases > 0; cases--) {
        run_case(input, output);
    }
#if defined INTERRUPTED
    if (spoilt || interrupts < 1000) {
        return 7;
    }
#endif
    printf("%s\n", MS_ISA_NAME);
    return fclose(output);
}
