/* Programs: inputs held against their ranges, then one call after another. */
#include "msn_running.h"
#include "msn_values.h"

static const msn_face *faces_of(const msn_running *run)
{
    return (const msn_face *)run->network->faces + run->program->first_face;
}

uint8_t *msn_place_of(const msn_running *run, uint32_t n)
{
    const msn_argument *a = (const msn_argument *)run->network->places + run->call->first_argument + n;
    const size_t at = a->offset + (size_t)run->turn * a->advance;

    if (a->base == 0) {
        return run->arena + at;
    }
    if (a->base <= run->program->inputs) {
        return (uint8_t *)(uintptr_t)run->inputs[a->base - 1] + at; /* is never written */
    }
    return (uint8_t *)run->outputs[a->base - 1 - run->program->inputs] + at;
}

/* Whether all integers of an input lie where its face says. */
static int lies_within(const msn_face *face, const void *input)
{
    const msn_source from = {input, face->ctype};
    const int signed_bytes = face->ctype == MSN_TYPE_INT8 && face->low <= INT8_MIN && face->high >= INT8_MAX;
    const int all = signed_bytes || (face->ctype == MSN_TYPE_UINT8 && face->low <= 0 && face->high >= UINT8_MAX);
    int64_t values[MSN_RUN];

    for (uint32_t i = 0; !all && face->ctype != MSN_TYPE_UINT64 && i < face->elements; i += MSN_RUN) {
        const int32_t count = msn_run_of((int64_t)face->elements - i);
        int outside = 0;
        msn_load(values, from, i, 1, count);
        for (int32_t k = 0; k < count; k++) {
            outside |= values[k] < face->low || values[k] > face->high;
        }
        if (outside) {
            return 0;
        }
    }
    return 1;
}

static msn_status check_ends(const msn_running *run)
{
    if (!run->arena && msn_arena_bytes(run->network)) {
        return MSN_NULL;
    }
    if ((uintptr_t)run->arena % 8) {
        return MSN_UNALIGNED;
    }
    for (uint32_t i = 0; i < run->program->inputs; i++) {
        if (!run->inputs || !run->inputs[i]) {
            return MSN_NULL;
        }
    }
    for (uint32_t i = 0; i < run->program->outputs; i++) {
        if (!run->outputs || !run->outputs[i]) {
            return MSN_NULL;
        }
    }
    for (uint32_t i = 0; i < run->program->inputs; i++) {
        if (!lies_within(&faces_of(run)[i], run->inputs[i])) {
            return MSN_OUT_OF_RANGE;
        }
    }
    return MSN_OK;
}

static void make(const msn_running *run)
{
    switch (run->call->kind) {
    case MSN_CALL_RUN: msn_run_part(run, (const msn_part *)run->network->parts + run->call->subject); break;
    case MSN_CALL_ZERO: msn_zero(run); break;
    case MSN_CALL_MOVE: msn_move(run); break;
    case MSN_CALL_FORGET: msn_forget(run); break;
    default: msn_turn(run); break;
    }
}

/* The calls behind a repeat, as often as it says. */
static void repeat(msn_running *run, const msn_call *first)
{
    for (uint32_t turn = 0; turn < first->count; turn++) {
        run->turn = turn;
        for (uint32_t i = 1; i <= first->subject; i++) {
            run->call = first + i;
            make(run);
        }
    }
    run->turn = 0;
}

msn_status msn_run(const msn_network *network, uint32_t program, void *arena, const void *const *inputs, void *const *outputs)
{
    msn_running run = {network, 0, arena, inputs, outputs, 0, 0};
    msn_status status;

    if (!network || program >= network->programs_count) {
        return network ? MSN_NO_PROGRAM : MSN_NULL;
    }
    run.program = (const msn_program *)network->programs + program;
    status = check_ends(&run);
    for (uint32_t i = 0; !status && i < run.program->calls; i++) {
        const msn_call *call = (const msn_call *)network->calls + run.program->first_call + i;
        if (call->kind == MSN_CALL_REPEAT) {
            repeat(&run, call);
            i += call->subject;
        } else {
            run.call = call;
            make(&run);
        }
    }
    return status;
}

static msn_status run_kind(const msn_network *network, uint32_t kind, void *arena, const void *const *inputs, void *const *outputs)
{
    for (uint32_t i = 0; network && i < network->programs_count; i++) {
        if (((const msn_program *)network->programs)[i].kind == kind) {
            return msn_run(network, i, arena, inputs, outputs);
        }
    }
    return network ? MSN_NO_PROGRAM : MSN_NULL;
}

msn_status msn_infer(const msn_network *network, void *arena, const void *const *inputs, void *const *outputs)
{
    return run_kind(network, MSN_PROGRAM_INFER, arena, inputs, outputs);
}

msn_status msn_step(const msn_network *network, void *arena, const void *const *inputs, void *const *outputs)
{
    return run_kind(network, MSN_PROGRAM_STEP, arena, inputs, outputs);
}

msn_status msn_reset(const msn_network *network, void *arena)
{
    return run_kind(network, MSN_PROGRAM_RESET, arena, 0, 0);
}
