/* flash.h: memory that is read in place, erased a page at a time to 0xff, and programmed from ones to zeros.
 *
 * A board's own driver takes the place of flash_qemu.c. */
#ifndef FLASH_H
#define FLASH_H

#include <stddef.h>
#include <stdint.h>

enum { FLASH_PAGE = 4096, FLASH_BYTES = 4 << 20 };

/* Where the flash lies; call it once before all else. */
const uint8_t *flash_open(void);

/* Each gives 0 where the flash then holds what it should. Places are bytes from its start; erased are whole pages. */
int flash_erase(uint32_t place, uint32_t bytes);
int flash_program(uint32_t place, const void *data, uint32_t bytes);

#endif
