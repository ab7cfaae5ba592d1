/* msn_work.h: one layer with its memory, as kernels are given it. */
#ifndef MSN_WORK_H
#define MSN_WORK_H

#include <stdint.h>
#include <string.h>

#include "msn_format.h"

/* Elements of one type (MSN_TYPE_...), read or written. */
typedef struct { const uint8_t *at; uint32_t type; } msn_source;
typedef struct { uint8_t *at; uint32_t type; } msn_target;

typedef struct {
    const msn_layer *layer;
    msn_source x, w, third;
    msn_target y;
    void *scratch;
    const void *arrays[4];
    uint32_t w_elements; /* that w has */
} msn_work;

#endif
