#include "golden.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "msn_values.h"

static size_t padded(size_t bytes)
{
    return (bytes + 7) / 8 * 8;
}

/* The first integer in which two arrays of a face differ is named. */
static int differs(const opened *net, uint32_t end, const unsigned char *expected, uint32_t vector)
{
    const msn_face *face = face_of(net, end);
    const msn_source found = {net->ends[end], face->ctype}, wanted = {expected, face->ctype};

    for (uint32_t i = 0; i < face->elements; i++) {
        if (msn_value(found, i) != msn_value(wanted, i)) {
            printf("%s differs at vector %" PRIu32 ", element %" PRIu32 ": expected %" PRId64 ", found %" PRId64 ".\n",
                   text_of(net, face->name), vector, i, msn_value(wanted, i), msn_value(found, i));
            return 1;
        }
    }
    return 0;
}

/* Whether the state begins anew before a vector. */
static int resets(const opened *net, const msn_golden *golden, uint32_t vector)
{
    return net->program->kind == MSN_PROGRAM_STEP && golden->between_resets && vector % golden->between_resets == 0;
}

/* Copies a vector's inputs, runs, compares its outputs; returns how many integers were equal, -1 where one is not. */
static int64_t test_vector(opened *net, const unsigned char *at, uint32_t vector)
{
    const uint32_t inputs = net->program->inputs, all = inputs + net->program->outputs;
    int64_t equal = 0;

    for (uint32_t i = 0; i < inputs; i++) {
        memcpy(net->ends[i], at, bytes_of(face_of(net, i)));
        at += padded(bytes_of(face_of(net, i)));
    }
    const msn_status status = msn_run(&net->network, net->number, net->arena, (const void *const *)net->ends, net->ends + inputs);
    if (status) {
        puts(msn_message(status));
        return -1;
    }
    for (uint32_t i = inputs; i < all; i++) {
        if (differs(net, i, at, vector)) {
            return -1;
        }
        at += padded(bytes_of(face_of(net, i)));
        equal += face_of(net, i)->elements;
    }
    return equal;
}

int test_golden(const char *name, opened *net)
{
    const msn_golden *golden = (const msn_golden *)(const void *)net->network.golden;
    size_t vector_bytes = 0;
    int64_t equal = 0;

    if (!golden || net->network.golden_bytes < sizeof *golden || golden->program >= net->network.programs_count) {
        fail(name, "The network file holds no golden vectors.");
    }
    choose_program(name, net, golden->program);
    for (uint32_t i = 0; i < (uint32_t)net->program->inputs + net->program->outputs; i++) {
        vector_bytes += padded(bytes_of(face_of(net, i)));
    }
    if (golden->vector_bytes != vector_bytes || golden->vectors > (net->network.golden_bytes - sizeof *golden) / (vector_bytes + !vector_bytes)) {
        fail(name, msn_message(MSN_BROKEN));
    }
    for (uint32_t v = 0; v < golden->vectors; v++) {
        if (resets(net, golden, v) && msn_reset(&net->network, net->arena)) {
            fail(name, msn_message(MSN_NO_PROGRAM));
        }
        const int64_t found = test_vector(net, (const unsigned char *)(golden + 1) + v * vector_bytes, v);
        if (found < 0) {
            return 3;
        }
        equal += found;
    }
    printf("%" PRIu32 " golden vectors: %" PRId64 " integers are equal.\n", golden->vectors, equal);
    return 0;
}
