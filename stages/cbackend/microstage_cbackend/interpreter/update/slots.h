/* slots.h: two places in flash for a network file. Of the two, what is older stays as it is until the newer one is whole.
 *
 * A slot is a page with a header, then the file. The header is written last, in one go: without it there is nothing in the
 * slot. A header that was cut off does not hold twice what it says, and is none. */
#ifndef SLOTS_H
#define SLOTS_H

#include <stdint.h>

#include "flash.h"

enum { SLOTS = 2, SLOT_BYTES = FLASH_BYTES / SLOTS, SLOT_ROOM = SLOT_BYTES - FLASH_PAGE };

/* A network file in a slot; `update` counts those that were written, from 1 on, and is 0 where the slot has none. */
typedef struct {
    uint32_t update, bytes;
    const uint8_t *file;
} slot;

void slots_open(void);
slot slot_read(int number);

/* Make room for a file of so many bytes, put its bytes there, and at last let it count. Each gives 0 where it was done. */
int slot_erase(int number, uint32_t bytes);
int slot_write(int number, uint32_t place, const void *data, uint32_t bytes);
int slot_commit(int number, uint32_t update, uint32_t bytes);

/* What was written, before it counts. */
const uint8_t *slot_file(int number);

#endif
