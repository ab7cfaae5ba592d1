/* flash_qemu.c: flash.h under an emulator. It lies in the board's PSRAM; the host keeps it in `flash.bin` while the power is off.
 *
 * Where there is a file `power.txt`, the power goes when so many bytes were programmed. */
#include "flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *const memory = (uint8_t *)0x21000000;
static FILE *kept;
static long power = -1;

const uint8_t *flash_open(void)
{
    FILE *file = fopen("power.txt", "r");

    if (file && fscanf(file, "%ld", &power) != 1) {
        power = -1;
    }
    memset(memory, 0xff, FLASH_BYTES);
    kept = fopen("flash.bin", "r+b");
    if (!kept) {
        kept = fopen("flash.bin", "w+b");
        fwrite(memory, 1, FLASH_BYTES, kept);
    }
    rewind(kept);
    fread(memory, 1, FLASH_BYTES, kept);
    return memory;
}

/* What the memory holds is kept. */
static int keep(uint32_t place, uint32_t bytes)
{
    return fseek(kept, (long)place, SEEK_SET) || fwrite(memory + place, 1, bytes, kept) != bytes || fflush(kept);
}

int flash_erase(uint32_t place, uint32_t bytes)
{
    if (place % FLASH_PAGE || bytes % FLASH_PAGE || place > FLASH_BYTES || bytes > FLASH_BYTES - place) {
        return -1;
    }
    memset(memory + place, 0xff, bytes);
    return keep(place, bytes);
}

int flash_program(uint32_t place, const void *data, uint32_t bytes)
{
    const uint8_t *from = data;
    const int cut = power >= 0 && power < (long)bytes;
    const uint32_t count = cut ? (uint32_t)power : bytes;

    if (place > FLASH_BYTES || bytes > FLASH_BYTES - place) {
        return -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        memory[place + i] &= from[i];
    }
    if (keep(place, count)) {
        return -1;
    }
    if (cut) {
        puts("the power is gone");
        exit(0);
    }
    power -= power >= 0 ? (long)bytes : 0;
    return memcmp(memory + place, data, bytes);
}
