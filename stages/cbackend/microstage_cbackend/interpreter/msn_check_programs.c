/* Programs: that calls refer to what exists, and that all places lie inside their base to the last turn. */
#include "msn_check.h"
#include "msn_values.h"

/* A call of a program, in a repeat of `turns` turns. */
typedef struct {
    const msn_network *network;
    const msn_program *program;
    const msn_call *call;
    uint32_t turns;
} msn_checked_call;

/* Bytes of what a place is in: the arena, an input or an output. */
static int64_t bytes_of_base(const msn_checked_call *c, uint32_t base)
{
    if (base == 0) {
        return ((const msn_header *)c->network->header)->arena_bytes;
    }
    if (base > (uint32_t)c->program->inputs + c->program->outputs) {
        return -1;
    }
    const msn_face *face = (const msn_face *)c->network->faces + c->program->first_face + base - 1;
    return (int64_t)face->elements * msn_type_bytes(face->ctype);
}

/* Whether argument n has `count` integers of `type` at every turn, and may be written where it is. */
static int has_place(const msn_checked_call *c, uint32_t n, uint32_t type, int64_t count, int written)
{
    const uint32_t each = msn_type_bytes(type);

    if (n >= c->call->arguments || !each || type == MSN_TYPE_DOUBLE) {
        return 0;
    }
    const msn_argument *a = (const msn_argument *)c->network->places + c->call->first_argument + n;
    const int64_t end = msn_plus(a->offset, msn_plus(msn_times(c->turns - 1, a->advance), a->bytes));
    const int writable = !written || a->base == 0 || a->base > c->program->inputs;
    return writable && a->offset % each == 0 && a->advance % each == 0 && msn_times(count, each) <= a->bytes
        && end <= bytes_of_base(c, a->base);
}

static msn_status check_run(const msn_checked_call *c)
{
    const msn_part *part = (const msn_part *)c->network->parts + c->call->subject;

    if (c->call->subject >= c->network->parts_count || c->call->arguments != (uint32_t)part->inputs + part->outputs) {
        return MSN_BROKEN;
    }
    for (uint32_t i = 0; i < c->call->arguments; i++) {
        const msn_face *face = (const msn_face *)c->network->faces + part->first_face + i;
        if (!has_place(c, i, face->ctype, face->elements, i >= part->inputs)) {
            return MSN_BROKEN;
        }
    }
    return MSN_OK;
}

/* Integers of at most 32 bits, whose doubles and halves 64 bits hold. */
static int is_narrow(uint32_t type)
{
    return type >= MSN_TYPE_INT8 && type <= MSN_TYPE_INT32;
}

static msn_status check_turn(const msn_checked_call *c)
{
    const msn_call *call = c->call;
    const int sound = is_narrow(call->from_type) && has_place(c, 0, call->from_type, call->count, 0)
                   && has_place(c, 1, call->from_type, call->count, 1) && has_place(c, 2, MSN_TYPE_INT8, 1, 0)
                   && has_place(c, 3, MSN_TYPE_INT8, 1, 0) && call->most >= 0 && call->most <= UINT32_MAX;
    const int sum = call->kind == MSN_CALL_TURN || (call->subject && has_place(c, 4, call->to_type, call->subject, 0));
    return sound && sum ? MSN_OK : MSN_BROKEN;
}

static msn_status check_call(const msn_checked_call *c)
{
    const msn_call *call = c->call;

    if ((uint64_t)call->first_argument + call->arguments > c->network->places_count) {
        return MSN_BROKEN;
    }
    switch (call->kind) {
    case MSN_CALL_RUN: return check_run(c);
    case MSN_CALL_ZERO: return has_place(c, 0, MSN_TYPE_UINT8, 0, 1) ? MSN_OK : MSN_BROKEN;
    case MSN_CALL_MOVE:
        return has_place(c, 0, call->from_type, call->count, 0) && has_place(c, 1, call->to_type, call->count, 1) ? MSN_OK : MSN_BROKEN;
    case MSN_CALL_TURN:
    case MSN_CALL_TURN_SUM: return check_turn(c);
    case MSN_CALL_FORGET:
        return is_narrow(call->from_type) && is_narrow(call->to_type) && has_place(c, 0, call->from_type, call->count, 1)
                       && has_place(c, 1, call->to_type, call->subject, 1)
                   ? MSN_OK
                   : MSN_BROKEN;
    default: return MSN_UNKNOWN;
    }
}

static msn_status check_program(const msn_network *network, const msn_program *program)
{
    uint32_t inside = 0, turns = 1;

    if (program->name >= network->text_bytes || (uint64_t)program->first_call + program->calls > network->calls_count
        || (uint64_t)program->first_face + program->inputs + program->outputs > network->faces_count) {
        return MSN_BROKEN;
    }
    for (uint32_t i = 0; i < program->calls; i++) {
        const msn_call *call = (const msn_call *)network->calls + program->first_call + i;
        if (call->kind == MSN_CALL_REPEAT) {
            if (inside || !call->count || !call->subject || call->subject > program->calls - i - 1) {
                return MSN_BROKEN;
            }
            inside = call->subject;
            turns = call->count;
            continue;
        }
        const msn_checked_call c = {network, program, call, inside ? turns : 1};
        const msn_status status = check_call(&c);
        if (status) {
            return status;
        }
        inside -= inside > 0;
    }
    return MSN_OK;
}

msn_status msn_check_programs(const msn_network *network)
{
    const msn_program *programs = network->programs;
    msn_status status = MSN_OK;

    for (uint32_t i = 0; !status && i < network->programs_count; i++) {
        status = check_program(network, &programs[i]);
    }
    return status;
}
