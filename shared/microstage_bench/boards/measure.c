/* Prints what one inference takes: `instructions N stack BYTES arena BYTES wrong N`. With EMPTY defined it infers nothing
 * and is what a firmware is without the network.
 *
 * vectors.bin holds, VECTORS times, what goes in and what has to come out. The instructions are those of the first
 * inference, the stack is the deepest of all, and every byte that came out otherwise is counted as wrong.
 *
 * Instructions come from a clock of the emulator, which -icount shift=0 advances by a nanosecond for each: on a Cortex-M
 * the system timer, on RISC-V the counter of retired instructions. CLOCK is how often it ticks in a thousand
 * instructions. A loop of known length is counted first. Stack below main's own is painted and looked through afterwards.
 *
 * With LAYERS defined the network calls ms_mark(n) before its layer n, from 1 on, and a `layerN INSTRUCTIONS` each is
 * printed; `layer0` is what belongs to none.
 */
#include <stdint.h>
#include <stdio.h>

enum { PAINTED = 32768, PAINT = 0xa5, LOOPS = 1000000 };

#if defined __arm__
#define STACK_POINTER "mov %0, sp"
#define TIMER ((volatile uint32_t *)0xe000e010) /* control, reload, current: 24 bits, downwards */
static volatile uint32_t rounds;
void system_tick(void) { rounds++; }

static void start(void)
{
    TIMER[1] = 0xffffff;
    TIMER[2] = 0;
    TIMER[0] = 7; /* of the processor's clock, with its interrupt */
    while (!TIMER[2]) {
    }
}

static inline __attribute__((always_inline)) uint64_t ticks(void)
{
    uint32_t before, now;
    do {
        before = rounds;
        now = TIMER[2];
    } while (before != rounds);
    return ((uint64_t)before << 24) + (0xffffff - now);
}

static void loop(uint32_t n) { __asm__ volatile(".syntax unified\n1: subs %0, %0, #1\n\tbne 1b" : "+l"(n) : : "cc"); }
#else
#define STACK_POINTER "mv %0, sp"
static void start(void)
{
#if __riscv_xlen == 64
    __asm__ volatile(".option push\n\t.option arch, +zicsr\n\tcsrs mstatus, %0\n\t.option pop" : : "r"(3 << 9)); /* vectors on */
#endif
}

static inline __attribute__((always_inline)) uint64_t ticks(void)
{
    uint32_t t;
    __asm__ volatile(".option push\n\t.option arch, +zicsr\n\tcsrr %0, minstret\n\t.option pop" : "=r"(t));
    return t;
}
static void loop(uint32_t n) { __asm__ volatile("1: addi %0, %0, -1\n\tbnez %0, 1b" : "+r"(n)); }
#endif

#if defined LAYERS
static uint64_t spent[LAYERS + 1], marked;
static int layer;

void ms_mark(int next)
{
    const uint64_t now = ticks();
    spent[layer] += now - marked;
    layer = next;
    marked = now;
}

static void begin_layers(void)
{
    for (layer = LAYERS; layer > 0; layer--) {
        spent[layer] = 0;
    }
    spent[0] = 0;
    marked = ticks();
}

static void print_layers(void)
{
    for (int n = 0; n <= LAYERS; n++) {
        printf(" layer%d %lu", n, (unsigned long)(spent[n] * 1000 / CLOCK));
    }
}
#else
static void ms_mark(int next) { (void)next; }
static void begin_layers(void) {}
static void print_layers(void) {}
#endif

typedef struct { void *at; size_t bytes; } memory;
#if defined EMPTY
static char nothing;
#define TAKEN {&nothing, 1}
#define GIVEN {&nothing, 1}
static __attribute__((noinline)) int infer(void) { return 0; }
enum { ARENA = 0 };
#else
#include "call.h" /* TAKEN, GIVEN, infer, ARENA */
#endif

static __attribute__((noinline)) void fill(FILE *file)
{
    const memory taken[] = {TAKEN};
    for (size_t n = 0; n < sizeof taken / sizeof taken[0]; n++) {
        fread(taken[n].at, 1, taken[n].bytes, file);
    }
}

/* How many bytes of what was given are not those of the file. */
static __attribute__((noinline)) unsigned long differing(FILE *file)
{
    const memory given[] = {GIVEN};
    unsigned long wrong = 0;
    for (size_t n = 0; n < sizeof given / sizeof given[0]; n++) {
        for (size_t i = 0; i < given[n].bytes; i++) {
            wrong += ((unsigned char *)given[n].at)[i] != fgetc(file);
        }
    }
    return wrong;
}

int main(void)
{
    volatile unsigned char *top, *p;
    unsigned long wrong = 0, deepest = 0;
    uint64_t began, instructions = 0;
    FILE *file = fopen("vectors.bin", "rb");

    start();
    began = ticks();
    loop(LOOPS);
    instructions = (ticks() - began) * 1000 / CLOCK;
    if (!file || instructions < 2 * LOOPS || instructions > 2 * LOOPS + 400) {
        printf("the clock counted %lu instructions of %d\n", (unsigned long)instructions, 2 * LOOPS);
        return 3;
    }
    __asm__ volatile(STACK_POINTER : "=r"(top));
    for (int vector = 0; vector < VECTORS; vector++) {
        fill(file);
        for (p = top - PAINTED; p < top; p++) {
            *p = PAINT;
        }
        begin_layers();
        began = ticks();
        if (infer()) {
            return 2;
        }
        instructions = vector ? instructions : (ticks() - began) * 1000 / CLOCK;
        ms_mark(0);
        for (p = top - PAINTED; p < top && *p == PAINT; p++) {
        }
        deepest = (unsigned long)(top - p) > deepest ? (unsigned long)(top - p) : deepest;
        wrong += differing(file);
    }
    printf("instructions %llu stack %lu arena %lu wrong %lu", (unsigned long long)instructions, deepest,
           (unsigned long)ARENA, wrong);
    print_layers();
    printf("\n");
    return 0;
}
