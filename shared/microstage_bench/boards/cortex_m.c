/* Startup for Cortex-M under an emulator: vectors, memory, files by semihosting, main, exit code. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern unsigned char stack_top[], data_load[], data_start[], data_end[], bss_start[], bss_end[];
extern void initialise_monitor_handles(void);
extern int main(int argc, char **argv);

void _init(void) {}
void _fini(void) {}

void reset(void)
{
#if defined __ARM_FP || defined __ARM_FEATURE_MVE
    *(volatile uint32_t *)0xe000ed88 |= 0xfu << 20; /* CPACR: access to floating point and vectors */
    __asm__ volatile("dsb\n\tisb");
#endif
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    initialise_monitor_handles();
    exit(main(0, NULL));
}

static void fault(void)
{
    exit(99);
}

/* Who counts with the system timer has a function of this name. */
__attribute__((weak)) void system_tick(void)
{
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)stack_top, (uintptr_t)reset, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault, 0, 0, 0, 0, 0, 0, 0, 0, (uintptr_t)system_tick,
};
