/* Prints what one inference takes: `instructions N stack BYTES arena BYTES`. With EMPTY defined it infers nothing and is
 * what a firmware is without the network.
 *
 * Instructions come from a clock of the emulator, which -icount shift=0 advances by a nanosecond for each: on the MPS2
 * boards timer 0, at 25 MHz; on RISC-V the counter of retired instructions. A loop of known length is counted first.
 * Stack below main's own is painted and looked through afterwards.
 */
#include <stdio.h>
#include <stdint.h>

enum { PAINTED = 32768, PAINT = 0xa5, LOOPS = 1000000 };

#if defined __arm__
enum { PER_TICK = 40 };
#define STACK_POINTER "mov %0, sp"
#define TIMER ((volatile uint32_t *)0x40000000)
static void start(void) { TIMER[2] = 0xffffffffu; TIMER[1] = 0xffffffffu; TIMER[0] = 1; }
static inline __attribute__((always_inline)) uint32_t ticks(void) { return ~TIMER[1]; }
static void loop(uint32_t n) { __asm__ volatile("1: subs %0, %0, #1\n\tbne 1b" : "+r"(n) : : "cc"); }
#else
enum { PER_TICK = 1 };
#define STACK_POINTER "mv %0, sp"
static void start(void) {}
static inline __attribute__((always_inline)) uint32_t ticks(void)
{
    uint32_t t;
    __asm__ volatile(".option push\n\t.option arch, +zicsr\n\tcsrr %0, minstret\n\t.option pop" : "=r"(t));
    return t;
}
static void loop(uint32_t n) { __asm__ volatile("1: addi %0, %0, -1\n\tbnez %0, 1b" : "+r"(n)); }
#endif

#if defined EMPTY
static __attribute__((noinline)) int infer(void) { return 0; }
enum { ARENA = 0 };
#else
#include "call.h"
#endif

int main(void)
{
    uint32_t began, taken;
    volatile unsigned char *top, *p;

    start();
    began = ticks();
    loop(LOOPS);
    taken = (ticks() - began) * PER_TICK;
    if (taken < 2 * LOOPS || taken > 2 * LOOPS + 10 * PER_TICK) {
        printf("the clock counted %lu instructions of %d\n", (unsigned long)taken, 2 * LOOPS);
        return 3;
    }
    __asm__ volatile(STACK_POINTER : "=r"(top));
    for (p = top - PAINTED; p < top; p++) {
        *p = PAINT;
    }
    began = ticks();
    if (infer()) {
        return 2;
    }
    taken = ticks() - began;
    for (p = top - PAINTED; p < top && *p == PAINT; p++) {
    }
    printf("instructions %llu stack %lu arena %lu\n", (unsigned long long)taken * PER_TICK, (unsigned long)(top - p), (unsigned long)ARENA);
    return 0;
}
