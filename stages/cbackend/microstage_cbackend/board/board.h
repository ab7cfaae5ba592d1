/* What main.c needs of a board: another board is another board.c and board.ld. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

int main(void);

/* Prints on the serial port. */
void say(const char *text);
void say_number(int64_t number);

/* Cycles of the core since it started, modulo 2^32; 1 where the core has a counter of them, 0 under an emulator. */
uint32_t cycles(void);
int counts_cycles(void);

#endif
