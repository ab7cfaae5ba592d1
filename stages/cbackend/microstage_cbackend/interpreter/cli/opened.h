/* opened.h: a network file in memory, its arena, and room for what a program takes and gives. */
#ifndef OPENED_H
#define OPENED_H

#include "msn.h"
#include "msn_format.h"

enum { ENDS = 64 }; /* inputs and outputs of a program */
enum { OF_FILE = 2 }; /* pieces of memory that are not those: the file, the arena */

typedef struct {
    msn_network network;
    unsigned char *file, *arena;
    size_t bytes;
    const msn_program *program; /* the one that answers */
    uint32_t number;
    void *ends[ENDS]; /* its inputs, then its outputs */
    void *given[ENDS + OF_FILE]; /* memory to give back */
    int count;
} opened;

/* Say one sentence and end with code 2. */
void fail(const char *name, const char *sentence);

/* The bytes of a file, aligned to 64; `given` is what to free. */
unsigned char *read_file(const char *name, size_t *bytes, void **given);

/* Read, check and open a network; ends with a sentence where it is not sound. */
void open_network(const char *name, opened *net);
void close_network(opened *net);

/* Take another program than the one that answers, and make room for what it takes and gives. */
void choose_program(const char *name, opened *net, uint32_t number);

const msn_face *face_of(const opened *net, uint32_t end);
const char *text_of(const opened *net, uint32_t name);
size_t bytes_of(const msn_face *face);

#endif
