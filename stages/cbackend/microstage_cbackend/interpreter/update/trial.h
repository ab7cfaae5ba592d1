/* trial.h: whether a network file is one that this device can run, before it does. */
#ifndef TRIAL_H
#define TRIAL_H

#include "msn.h"
#include "msn_format.h"

enum { ARENA_BYTES = 1 << 20, ANSWER_BYTES = 1 << 16, ENDS = 16 };

/* Memory that every network of this device shares. */
extern uint64_t arena[ARENA_BYTES / 8], answer[ANSWER_BYTES / 8];

/* Opens a file: its digest, its format, its size, its golden vectors. Gives 0, or the sentence that says what is wrong. */
const char *trial(const void *file, uint32_t bytes, msn_network *network);

/* Runs a golden vector, those of steps in their order, answers into `answer`; the number of integers that differ from those in the file, -1 where none ran. */
int32_t golden_run(const msn_network *network, uint32_t vector);

/* How many golden vectors the file has. */
uint32_t golden_count(const msn_network *network);

#endif
