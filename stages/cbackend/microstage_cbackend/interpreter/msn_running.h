/* msn_running.h: a program that runs. */
#ifndef MSN_RUNNING_H
#define MSN_RUNNING_H

#include "msn.h"
#include "msn_work.h"

/* What a call is made in: `turn` of the repeat that holds it, or 0. */
typedef struct {
    const msn_network *network;
    const msn_program *program;
    uint8_t *arena;
    const void *const *inputs;
    void *const *outputs;
    const msn_call *call;
    uint32_t turn;
} msn_running;

/* Where argument n of the call lies. */
uint8_t *msn_place_of(const msn_running *run, uint32_t n);

/* The layers of a part, one after another. */
void msn_run_part(const msn_running *run, const msn_part *part);

/* The calls between parts. */
void msn_zero(const msn_running *run);
void msn_move(const msn_running *run);
void msn_turn(const msn_running *run);
void msn_forget(const msn_running *run);

#endif
