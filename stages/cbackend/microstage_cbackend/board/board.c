/* A NUCLEO-F446RE (STM32F446, Cortex-M4F) without any vendor's files: vectors, memory, serial port, cycle counter.
 *
 * The core runs as it comes out of reset: 16 MHz, no wait states of flash. What is printed leaves USART2 (PA2), which the
 * board's USB plug shows as a serial port: 115200 baud, 8N1. qemu's machine netduinoplus2 (STM32F405) runs the same program.
 */
#include "board.h"

#include <stddef.h>
#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define CPACR REGISTER(0xe000ed88)
#define DEMCR REGISTER(0xe000edfc)
#define DWT_CTRL REGISTER(0xe0001000)
#define DWT_CYCCNT REGISTER(0xe0001004)
#define SYST_CSR REGISTER(0xe000e010)
#define SYST_RVR REGISTER(0xe000e014)
#define SYST_CVR REGISTER(0xe000e018)
#define RCC_AHB1ENR REGISTER(0x40023830)
#define RCC_APB1ENR REGISTER(0x40023840)
#define GPIOA_MODER REGISTER(0x40020000)
#define GPIOA_AFRL REGISTER(0x40020020)
#define USART2_SR REGISTER(0x40004400)
#define USART2_DR REGISTER(0x40004404)
#define USART2_BRR REGISTER(0x40004408)
#define USART2_CR1 REGISTER(0x4000440c)

enum { CLOCK = 16000000, BAUD = 115200, RELOAD = 0xffffff };

extern unsigned char stack_top[], data_load[], data_start[], data_end[], bss_start[], bss_end[];

static volatile uint32_t turns; /* of SysTick, whose counter has 24 bits */

static void start_serial(void)
{
    RCC_AHB1ENR |= 1u << 0;                                  /* port A */
    RCC_APB1ENR |= 1u << 17;                                 /* USART2 */
    GPIOA_MODER = (GPIOA_MODER & ~(3u << 4)) | 2u << 4;      /* PA2: alternate function */
    GPIOA_AFRL = (GPIOA_AFRL & ~(15u << 8)) | 7u << 8;       /* 7: USART2 */
    USART2_BRR = (CLOCK + BAUD / 2) / BAUD;
    USART2_CR1 = 1u << 13 | 1u << 3;                         /* on, transmitter on */
}

/* The core's cycle counter; an emulator that has none gives SysTick, which counts the core's clock in its own time. */
static void start_counter(void)
{
    DEMCR |= 1u << 24;
    DWT_CTRL |= 1;
    SYST_RVR = RELOAD;
    SYST_CVR = 0;
    SYST_CSR = 7; /* the core's clock, an interrupt at each turn, on */
}

int counts_cycles(void)
{
    return DWT_CYCCNT != DWT_CYCCNT;
}

uint32_t cycles(void)
{
    uint32_t before, value;
    if (counts_cycles()) {
        return DWT_CYCCNT;
    }
    do {
        before = turns;
        value = RELOAD - SYST_CVR;
    } while (before != turns);
    return before * (RELOAD + 1u) + value;
}

void say(const char *text)
{
    for (; *text; text++) {
        while (!(USART2_SR & 1u << 7)) {
        }
        USART2_DR = (uint32_t)(unsigned char)*text;
    }
}

void say_number(int64_t number)
{
    char digits[21], *at = digits + sizeof digits - 1;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    *at = 0;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (number < 0) {
        *--at = '-';
    }
    say(at);
}

/* Tells a debugger or an emulator that takes semihosting to end; without one the fault below waits for a reset. */
static void end(int code)
{
    register uint32_t operation __asm__("r0") = 0x20;
    const uint32_t block[2] = {0x20026, (uint32_t)code}; /* ADP_Stopped_ApplicationExit */
    register const uint32_t *argument __asm__("r1") = block;
    __asm__ volatile("bkpt 0xab" : : "r"(operation), "r"(argument) : "memory");
}

void reset(void)
{
    CPACR |= 0xfu << 20; /* the floating-point unit */
    __asm__ volatile("dsb\n\tisb");
    memcpy(data_start, data_load, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    start_serial();
    start_counter();
    end(main());
    for (;;) {
    }
}

static void fault(void)
{
    for (;;) {
    }
}

static void tick(void)
{
    turns++;
}

__attribute__((section(".vectors"), used)) static const uintptr_t vectors[16] = {
    (uintptr_t)stack_top, (uintptr_t)reset, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault, (uintptr_t)fault,
    (uintptr_t)fault,     [15] = (uintptr_t)tick,
};
