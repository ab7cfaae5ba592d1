/* What happens between parts: states that begin, move, turn with the gain of a window, and are forgotten by half. */
#include "ms_settle.h"
#include "msn_running.h"
#include "msn_values.h"

static msn_source source(const msn_running *run, uint32_t n, uint32_t type)
{
    const msn_source found = {msn_place_of(run, n), type};
    return found;
}

static msn_target target(const msn_running *run, uint32_t n, uint32_t type)
{
    const msn_target found = {msn_place_of(run, n), type};
    return found;
}

void msn_zero(const msn_running *run)
{
    const msn_argument *a = (const msn_argument *)run->network->places + run->call->first_argument;
    memset(msn_place_of(run, 0), 0, a->bytes);
}

void msn_move(const msn_running *run)
{
    const msn_source from = source(run, 0, run->call->from_type);
    const msn_target to = target(run, 1, run->call->to_type);
    int64_t values[MSN_RUN];

    for (uint32_t i = 0; i < run->call->count; i += MSN_RUN) {
        const int32_t count = msn_run_of((int64_t)run->call->count - i);
        msn_load(values, from, i, 1, count);
        msn_store(to, i, 1, values, count);
    }
}

/* turn, turn_sum */
void msn_turn(const msn_running *run)
{
    const msn_call *call = run->call;
    const msn_source from = source(run, 0, call->from_type);
    const msn_target to = target(run, 1, call->from_type);
    const int32_t down = (int32_t)msn_value(source(run, 2, MSN_TYPE_INT8), 0) - (int32_t)msn_value(source(run, 3, MSN_TYPE_INT8), 0);

    for (uint32_t i = 0; i < call->count; i++) {
        const int64_t times = call->kind == MSN_CALL_TURN ? 1 : msn_value(source(run, 4, call->to_type), i % call->subject);
        const int64_t found = ms_rescaled(-msn_value(from, i), down, msn_wrapped_product(call->most, times));
        msn_store(to, i, 1, &found, 1);
    }
}

void msn_forget(const msn_running *run)
{
    const msn_call *call = run->call;
    const msn_source counted = source(run, 0, call->from_type), summed = source(run, 1, call->to_type);
    const int64_t fewer = call->most >> 1;

    for (uint32_t i = 0; i < call->count; i++) {
        if (msn_value(counted, i) < call->most) {
            continue;
        }
        for (uint64_t k = i; k < call->subject; k += call->count) {
            const int64_t half = (msn_value(summed, (int64_t)k) + 1) >> 1;
            msn_store(target(run, 1, call->to_type), (int64_t)k, 1, &half, 1);
        }
        msn_store(target(run, 0, call->from_type), i, 1, &fewer, 1);
    }
}
