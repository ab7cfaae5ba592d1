#define _POSIX_C_SOURCE 200809L /* clock_gettime */

#include "show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "msn_values.h"

static const char *const types[] = {"", "int8", "uint8", "int16", "uint16", "int32", "int64", "uint64", "float64"};
static const char *const kernels[] = {
    "",      "ms_linear",   "ms_linear_packed", "ms_conv2d", "ms_conv2d_packed", "ms_depthwise", "ms_im2col",     "ms_max_pool",
    "ms_sum_pool", "ms_or_pool", "ms_add",      "ms_mul",    "ms_blend",         "ms_copy",      "ms_gather",     "ms_stage",
    "ms_table", "ms_softmax", "ms_top",        "ms_take",   "ms_pack",          "ms_xnor_sums", "ms_xnor_bits",  "ms_conv_u8",
    "ms_conv_u8_sums", "ms_depthwise_u8", "ms_average_u8", "ms_add_u8", "ms_pad_u8", "ms_frame_u8",
};

static void show_face(const opened *net, const char *what, uint32_t end)
{
    const msn_face *face = face_of(net, end);

    printf("%s %s: %s [", what, text_of(net, face->name), types[face->ctype]);
    for (uint32_t i = 0; i < face->rank; i++) {
        printf("%s%" PRIu32, i ? ", " : "", face->shape[i]);
    }
    printf("] in %" PRId64 "..%" PRId64 "\n", face->low, face->high);
}

void show_information(const opened *net)
{
    const msn_header *header = net->network.header;
    const uint32_t inputs = net->program->inputs;

    printf("network %s, file format %d.%d, %" PRIu64 " bytes\n", text_of(net, header->name), header->major, header->minor, header->file_bytes);
    printf("arena %" PRIu32 " bytes, %" PRIu32 " layers in %" PRIu32 " parts, instructions %s\n", header->arena_bytes,
           net->network.layers_count, net->network.parts_count, msn_instructions(&net->network));
    for (uint32_t i = 0; i < inputs + net->program->outputs; i++) {
        show_face(net, i < inputs ? "input" : "output", i);
    }
}

void show_layers(const opened *net)
{
    const msn_part *parts = net->network.parts;
    const msn_layer *layers = net->network.layers;

    for (uint32_t p = 0; p < net->network.parts_count; p++) {
        for (uint32_t i = 0; i < parts[p].layers; i++) {
            const msn_layer *layer = &layers[parts[p].first_layer + i];
            printf("%s %" PRIu32 ": %s (%s) %s\n", text_of(net, parts[p].name), i + 1, text_of(net, layer->name),
                   text_of(net, layer->operator), kernels[layer->kernel]);
        }
    }
}

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Inputs of the integer that is nearest to zero. */
static void make_inputs(opened *net)
{
    for (uint32_t i = 0; i < net->program->inputs; i++) {
        const msn_face *face = face_of(net, i);
        const msn_target to = {net->ends[i], face->ctype};
        msn_fill(to, 0, face->low > 0 ? face->low : face->high < 0 ? face->high : 0, face->elements);
    }
}

void show_speed(opened *net, int rounds)
{
    double *times = malloc(sizeof *times * (size_t)rounds);

    if (!times) {
        fail("", "There is not enough memory for so many rounds.");
    }
    make_inputs(net);
    for (int i = 0; i < rounds; i++) {
        const double start = microseconds();
        const msn_status status =
            msn_run(&net->network, net->number, net->arena, (const void *const *)net->ends, net->ends + net->program->inputs);
        times[i] = microseconds() - start;
        if (status) {
            fail("", msn_message(status));
        }
    }
    qsort(times, (size_t)rounds, sizeof *times, ascending);
    printf("%.2f us best, %.2f us median of %d rounds, %s\n", times[0], times[rounds / 2], rounds, msn_instructions(&net->network));
    free(times);
}
