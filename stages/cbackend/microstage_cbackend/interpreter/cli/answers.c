#include "answers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msn_values.h"
#include "npy.h"
#include "real.h"

enum { SHOWN = 16 };

/* The name of the real input that a face is made of. */
static const char *source_of(const opened *net, const msn_face *face)
{
    return text_of(net, face->of ? face->of : face->name);
}

/* Which file an input is read from: one for each input or, of real numbers, one for each real input. */
static int file_of(const opened *net, uint32_t input, int files)
{
    int different = 0, own = 0;

    for (uint32_t i = 0; i < net->program->inputs; i++) {
        uint32_t first = 0;
        while (strcmp(source_of(net, face_of(net, first)), source_of(net, face_of(net, i)))) {
            first++;
        }
        own = i == input ? (first == i ? different : file_of(net, first, files)) : own;
        different += first == i;
    }
    if (files == net->program->inputs) {
        return (int)input;
    }
    if (files != different) {
        fprintf(stderr, "The network takes %d inputs, and %d files are given.\n", different, files);
        exit(2);
    }
    return own;
}

/* Vector `vector` of a file becomes the integers of an input. */
static void take(opened *net, uint32_t input, const array *a, const char *name, size_t vector)
{
    const msn_face *face = face_of(net, input);
    const msn_source from = {a->values, a->type};
    const msn_target to = {net->ends[input], face->ctype};

    if (a->is_real && !face->rounding) {
        fail(name, "holds real numbers, and the network does not know how they become its integers; give integers.");
    }
    for (uint32_t i = 0; i < face->elements; i++) {
        const size_t at = vector * face->elements + i;
        const double real = a->is_real ? real_at(a, at) : 0;
        if (real != real) {
            fail(name, "holds a NaN, which is no number.");
        }
        const int64_t integer = a->is_real ? integer_of(net, face, i, real) : msn_value(from, (int64_t)at);
        if (integer < face->low || integer > face->high) {
            fail(name, msn_message(MSN_OUT_OF_RANGE));
        }
        msn_store(to, i, 1, &integer, 1);
    }
}

static void show(const opened *net, uint32_t end)
{
    const msn_face *face = face_of(net, end);
    const msn_source from = {net->ends[end], face->ctype};

    printf("%s:", text_of(net, face->name));
    for (uint32_t i = 0; i < face->elements && i < SHOWN; i++) {
        printf(" %" PRId64, msn_value(from, i));
    }
    for (uint32_t i = 0; has_scale(face) && i < face->elements && i < SHOWN; i++) {
        printf("%s %.9g", i ? "" : "  =", real_of(net, face, i, msn_value(from, i)));
    }
    printf("%s%s%s\n", has_scale(face) ? " " : "", text_of(net, face->unit), face->elements > SHOWN ? " ..." : "");
}

/* How many vectors a file has for an input. */
static size_t vectors_in(const char *name, const array *a, const msn_face *face)
{
    if (!face->elements || !a->count || a->count % face->elements) {
        fprintf(stderr, "%s: has %lu numbers, and an input takes %" PRIu32 ".\n", name, (unsigned long)a->count, face->elements);
        exit(2);
    }
    return a->count / face->elements;
}

/* The arrays of all inputs; returns how many vectors each has. */
static size_t read_inputs(const opened *net, char *const *files, int count, array *arrays)
{
    size_t vectors = 0;
    for (uint32_t i = 0; i < net->program->inputs; i++) {
        const char *name = files[file_of(net, i, count)];
        arrays[i] = read_array(name, face_of(net, i)->ctype);
        const size_t found = vectors_in(name, &arrays[i], face_of(net, i));
        if (i && found != vectors) {
            fail(name, "holds another number of vectors than the file before it.");
        }
        vectors = found;
    }
    return vectors;
}

void answer(opened *net, char *const *files, int count, const char *output)
{
    const uint32_t inputs = net->program->inputs, all = inputs + net->program->outputs;
    array arrays[ENDS];
    const size_t vectors = read_inputs(net, files, count, arrays), bytes = bytes_of(face_of(net, inputs));
    unsigned char *kept = output ? malloc(vectors * bytes + 1) : 0;

    if (output && (!kept || net->program->outputs != 1)) {
        fail(output, "can be written of a network with one output.");
    }
    for (size_t v = 0; v < vectors; v++) {
        for (uint32_t i = 0; i < inputs; i++) {
            take(net, i, &arrays[i], files[file_of(net, i, count)], v);
        }
        const msn_status status = msn_run(&net->network, net->number, net->arena, (const void *const *)net->ends, net->ends + inputs);
        if (status) {
            fail("", msn_message(status));
        }
        for (uint32_t i = inputs; !output && i < all; i++) {
            show(net, i);
        }
        if (output) {
            memcpy(kept + v * bytes, net->ends[inputs], bytes);
        }
    }
    if (output) {
        write_array(output, kept, face_of(net, inputs)->ctype, vectors, face_of(net, inputs)->elements);
    }
    free(kept);
    for (uint32_t i = 0; i < inputs; i++) {
        free(arrays[i].given);
    }
}
