#include "slots.h"

#include <string.h>

static const uint8_t *flash;

/* `update` and `bytes`, and each again with its bits turned. */
typedef struct {
    char magic[8];
    uint32_t update, bytes, not_update, not_bytes;
} header;

static uint32_t start_of(int number)
{
    return (uint32_t)number * SLOT_BYTES;
}

void slots_open(void)
{
    flash = flash_open();
}

const uint8_t *slot_file(int number)
{
    return flash + start_of(number) + FLASH_PAGE;
}

slot slot_read(int number)
{
    const slot none = {0, 0, 0};
    header found;

    memcpy(&found, flash + start_of(number), sizeof found);
    if (memcmp(found.magic, "MSN-SLOT", 8) || found.update != ~found.not_update || found.bytes != ~found.not_bytes) {
        return none;
    }
    const slot there = {found.update, found.bytes, slot_file(number)};
    return found.update && found.bytes <= SLOT_ROOM ? there : none;
}

int slot_erase(int number, uint32_t bytes)
{
    const uint32_t pages = (bytes + FLASH_PAGE - 1) / FLASH_PAGE + 1;
    return bytes > SLOT_ROOM || flash_erase(start_of(number), pages * FLASH_PAGE);
}

int slot_write(int number, uint32_t place, const void *data, uint32_t bytes)
{
    return place > SLOT_ROOM || bytes > SLOT_ROOM - place || flash_program(start_of(number) + FLASH_PAGE + place, data, bytes);
}

int slot_commit(int number, uint32_t update, uint32_t bytes)
{
    const header written = {{'M', 'S', 'N', '-', 'S', 'L', 'O', 'T'}, update, bytes, ~update, ~bytes};
    return flash_program(start_of(number), &written, sizeof written);
}
