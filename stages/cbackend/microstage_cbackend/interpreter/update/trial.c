#include "trial.h"

#include <string.h>

#include "msn_values.h"

uint64_t arena[ARENA_BYTES / 8], answer[ANSWER_BYTES / 8];

static uint32_t padded_bytes(const msn_face *face)
{
    return (face->elements * msn_type_bytes(face->ctype) + 7) / 8 * 8;
}

static const msn_golden *golden_of(const msn_network *network)
{
    return (const msn_golden *)(const void *)network->golden;
}

static const msn_program *tested(const msn_network *network)
{
    return (const msn_program *)network->programs + golden_of(network)->program;
}

static const msn_face *face_of(const msn_network *network, uint32_t end)
{
    return (const msn_face *)network->faces + tested(network)->first_face + end;
}

/* What the section of golden vectors says of itself is not checked by msn_open. */
static int golden_is_sound(const msn_network *network)
{
    const msn_golden *golden = golden_of(network);
    uint64_t vector = 0, outputs = 0;

    if (!golden || network->golden_bytes < sizeof *golden || golden->program >= network->programs_count || !golden->vectors) {
        return 0;
    }
    const uint32_t ends = (uint32_t)tested(network)->inputs + tested(network)->outputs;
    for (uint32_t i = 0; i < ends; i++) {
        vector += padded_bytes(face_of(network, i));
        outputs += i < tested(network)->inputs ? 0 : padded_bytes(face_of(network, i));
    }
    return ends <= ENDS && outputs <= ANSWER_BYTES && vector == golden->vector_bytes
           && golden->vectors <= (network->golden_bytes - sizeof *golden) / vector;
}

/* Steps follow one another from a reset on. */
static int begins_anew(const msn_network *network, uint32_t vector)
{
    const uint32_t between = golden_of(network)->between_resets;
    return tested(network)->kind == MSN_PROGRAM_STEP && between && vector % between == 0;
}

uint32_t golden_count(const msn_network *network)
{
    return golden_of(network)->vectors;
}

int32_t golden_run(const msn_network *network, uint32_t vector)
{
    const uint8_t *at = (const uint8_t *)(golden_of(network) + 1) + (uint64_t)vector * golden_of(network)->vector_bytes;
    const uint32_t inputs = tested(network)->inputs, all = inputs + tested(network)->outputs;
    const void *given[ENDS];
    void *found[ENDS];
    uint8_t *room = (uint8_t *)answer;
    int32_t different = 0;

    for (uint32_t i = 0; i < inputs; at += padded_bytes(face_of(network, i++))) {
        given[i] = at;
    }
    for (uint32_t i = inputs; i < all; room += padded_bytes(face_of(network, i++))) {
        found[i - inputs] = room;
    }
    if (begins_anew(network, vector) && msn_reset(network, arena)) {
        return -1;
    }
    if (msn_run(network, golden_of(network)->program, arena, given, found)) {
        return -1;
    }
    for (uint32_t i = inputs; i < all; at += padded_bytes(face_of(network, i++))) {
        const msn_source own = {found[i - inputs], face_of(network, i)->ctype}, expected = {at, face_of(network, i)->ctype};
        for (uint32_t k = 0; k < face_of(network, i)->elements; k++) {
            different += msn_value(own, k) != msn_value(expected, k);
        }
    }
    return different;
}

const char *trial(const void *file, uint32_t bytes, msn_network *network)
{
    msn_status status = msn_check_digest(file, bytes);

    status = status ? status : msn_open(file, bytes, network);
    if (status) {
        return msn_message(status);
    }
    if (msn_arena_bytes(network) > ARENA_BYTES) {
        return "The network needs more working memory than this device has.";
    }
    if (!golden_is_sound(network)) {
        return "The file holds no golden vectors that this device can run.";
    }
    for (uint32_t vector = 0; vector < golden_count(network); vector++) {
        if (golden_run(network, vector)) {
            return "A golden vector is answered with other integers.";
        }
    }
    return 0;
}
