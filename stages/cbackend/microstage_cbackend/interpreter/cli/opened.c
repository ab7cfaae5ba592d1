#include "opened.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "msn_values.h"

void fail(const char *name, const char *sentence)
{
    fprintf(stderr, "%s%s%s\n", name, *name ? ": " : "", sentence);
    exit(2);
}

/* Memory that begins at a multiple of 64. */
static unsigned char *room_for(size_t bytes, void **given)
{
    unsigned char *found = malloc(bytes + 64);
    if (!found) {
        fail("", "There is not enough memory.");
    }
    *given = found;
    return found + (64 - (uintptr_t)found % 64);
}

unsigned char *read_file(const char *name, size_t *bytes, void **given)
{
    FILE *file = fopen(name, "rb");
    long size = -1;
    unsigned char *data;

    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)) {
        fail(name, "cannot be read; give a file that is there.");
    }
    data = room_for((size_t)size, given);
    *bytes = fread(data, 1, (size_t)size, file);
    fclose(file);
    if (*bytes != (size_t)size) {
        fail(name, "could not be read to its end.");
    }
    return data;
}

const msn_face *face_of(const opened *net, uint32_t end)
{
    return (const msn_face *)net->network.faces + net->program->first_face + end;
}

const char *text_of(const opened *net, uint32_t name)
{
    return (const char *)net->network.text + name;
}

size_t bytes_of(const msn_face *face)
{
    return (size_t)face->elements * msn_type_bytes(face->ctype);
}

void choose_program(const char *name, opened *net, uint32_t number)
{
    net->number = number;
    net->program = (const msn_program *)net->network.programs + number;
    if ((uint32_t)net->program->inputs + net->program->outputs > ENDS) {
        fail(name, "The network has more than 64 inputs and outputs, which this program does not take.");
    }
    while (net->count > OF_FILE) {
        free(net->given[--net->count]);
    }
    for (uint32_t i = 0; i < (uint32_t)net->program->inputs + net->program->outputs; i++) {
        net->ends[i] = room_for(bytes_of(face_of(net, i)), &net->given[net->count++]);
        memset(net->ends[i], 0, bytes_of(face_of(net, i)));
    }
}

/* `infer` or, of parts that make no whole, the first. */
static uint32_t answering(const char *name, const opened *net)
{
    const msn_program *programs = net->network.programs;

    if (!net->network.programs_count) {
        fail(name, msn_message(MSN_NO_PROGRAM));
    }
    for (uint32_t i = 0; i < net->network.programs_count; i++) {
        if (programs[i].kind == MSN_PROGRAM_INFER) {
            return i;
        }
    }
    return 0;
}

void open_network(const char *name, opened *net)
{
    msn_status status;

    memset(net, 0, sizeof *net);
    net->file = read_file(name, &net->bytes, &net->given[net->count++]);
    status = msn_open(net->file, net->bytes, &net->network);
    status = status ? status : msn_check_digest(net->file, net->bytes);
    if (status) {
        fail(name, msn_message(status));
    }
    net->arena = room_for(msn_arena_bytes(&net->network), &net->given[net->count++]);
    choose_program(name, net, answering(name, net));
}

void close_network(opened *net)
{
    while (net->count) {
        free(net->given[--net->count]);
    }
}
