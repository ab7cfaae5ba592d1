/* real.h: real numbers to the integers of a face, and back. */
#ifndef REAL_H
#define REAL_H

#include "npy.h"
#include "opened.h"

/* The integer of element i for a real number. */
int64_t integer_of(const opened *net, const msn_face *face, uint32_t i, double real);

/* Whether the face says what its integers mean. */
int has_scale(const msn_face *face);

double real_of(const opened *net, const msn_face *face, uint32_t i, int64_t integer);

#endif
