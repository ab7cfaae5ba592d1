/* Runs cases that test_kernels.py wrote: each names a kernel, its integers and its buffers; the results go to a file.
 *
 * Little-endian: kernel, 24 integers, then per buffer its element's bytes and count, its data. Buffers are allocated to the
 * byte, so that a sanitizer sees every access beyond them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ms_add_u8.h"
#include "ms_average_u8.h"
#include "ms_conv_u8.h"
#include "ms_depthwise_u8.h"
#include "ms_pack.h"
#include "ms_pad_u8.h"
#include "ms_xnor.h"

enum { INTEGERS = 24, BUFFERS = 8 };

typedef struct { int32_t size, count; void *data; } buffer;

static FILE *input, *output;

static uint64_t number(int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) {
        value |= (uint64_t)(unsigned)fgetc(input) << (8 * i);
    }
    return value;
}

static void *memory_of(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) {
        exit(2);
    }
    return memory;
}

static buffer read_buffer(void)
{
    buffer b = {(int32_t)number(4), 0, 0};
    b.count = (int32_t)number(4);
    b.data = memory_of((size_t)b.size * (size_t)b.count);
    for (int32_t i = 0; i < b.count; i++) {
        const uint64_t value = number(b.size);
        switch (b.size) {
            case 1: ((uint8_t *)b.data)[i] = (uint8_t)value; break;
            case 4: ((int32_t *)b.data)[i] = (int32_t)value; break;
            default: ((uint64_t *)b.data)[i] = value;
        }
    }
    return b;
}

static void write_buffer(buffer b)
{
    for (int32_t i = 0; i < b.count; i++) {
        const uint64_t value = b.size == 1 ? ((uint8_t *)b.data)[i] : b.size == 4 ? (uint64_t)((int32_t *)b.data)[i] : ((uint64_t *)b.data)[i];
        for (int k = 0; k < b.size; k++) {
            fputc((int)(value >> (8 * k) & 255), output);
        }
    }
}

/* b: x, y, then constants. */
MS_ENTRY static void run(int32_t kernel, const int32_t *p, const buffer *b)
{
    const int64_t *kink = b[6].count ? b[6].data : 0;
    const ms_requant q = {b[4].data, b[5].data, p[0], p[1], p[2], p[3], p[4], p[5], kink, kink ? *(const int64_t *)b[7].data : 0};
    const ms_conv_u8_shape conv = {p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15], p[16], p[17], p[18], p[19]};
    const ms_depthwise_u8_shape taps = {p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14], p[15], p[16]};
    const ms_pad_u8_shape pad = {p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11]};
    const void *x = b[0].data, *rows = b[2].data, *blocks = b[3].data;
    void *y = b[1].data;
    const int32_t positions = conv.out_height * conv.out_width, patches = (positions < 4 ? positions : 4) + (conv.bits < 8);
    void *scratch = kernel <= 3 ? memory_of(2 * (size_t)(patches * conv.depth)) : 0;

    switch (kernel) {
        case 0: ms_conv_u8_c(x, rows, y, scratch, &conv, &q); break;
        case 1: ms_conv_u8(x, MS_BLOCKED ? blocks : rows, y, scratch, &conv, &q); break;
        case 2: ms_conv_u8_c(x, rows, y, scratch, &conv, 0); break;
        case 3: ms_conv_u8_sums(x, MS_BLOCKED ? blocks : rows, y, scratch, &conv); break;
        case 4: ms_depthwise_u8_c(x, rows, y, &taps, &q); break;
        case 5: ms_depthwise_u8(x, MS_DEPTHWISE_BLOCKED ? blocks : rows, y, &taps, &q); break;
        case 6: ms_average_u8(x, y, &taps, &q); break;
        case 7: ms_add_u8(x, rows, y, &(const ms_add_u8_shape){p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9]}); break;
        case 8: ms_frame_u8(y, &pad); break;
        case 9: ms_pack(x, y, &(const ms_pack_shape){p[0], p[1], p[2]}); break;
        case 10: ms_pad_u8(x, y, &pad); break;
        case 11: ms_xnor_sums_c(x, rows, y, p[0], &conv); break;
        case 12: ms_xnor_sums(x, rows, y, p[0], &conv); break;
        case 13: ms_xnor_bits_c(x, rows, y, blocks, &conv); break;
        case 14: ms_xnor_bits(x, rows, y, blocks, &conv); break;
        default: exit(3);
    }
    free(scratch);
}

#if defined MS_BARE
__attribute__((constructor)) static void switch_vectors_on(void)
{
    __asm__ volatile("csrs mstatus, %0" : : "r"(0x600));
}
#endif

int main(int argc, char **argv)
{
#if defined MS_BARE /* no arguments */
    argc = 3;
    argv = (char *[]){"driver", "cases.bin", "result.bin"};
#endif
    if (argc != 3 || !(input = fopen(argv[1], "rb")) || !(output = fopen(argv[2], "wb"))) {
        return 2;
    }
    puts(MS_ISA_NAME);
    for (int32_t cases = (int32_t)number(4); cases > 0; cases--) {
        int32_t p[INTEGERS];
        buffer b[BUFFERS];
        const int32_t kernel = (int32_t)number(4);
        for (int i = 0; i < INTEGERS; i++) {
            p[i] = (int32_t)number(4);
        }
        for (int i = 0; i < BUFFERS; i++) {
            b[i] = read_buffer();
        }
        run(kernel, p, b);
        write_buffer(b[1]);
        for (int i = 0; i < BUFFERS; i++) {
            free(b[i].data);
        }
    }
    return fclose(output) ? 2 : 0;
}
