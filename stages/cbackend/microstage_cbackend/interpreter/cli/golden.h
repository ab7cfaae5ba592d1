/* golden.h: the vectors that a network file may hold of itself. */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "opened.h"

/* Run them all; say how many integers were equal and give the exit code: 0, or 3 at the first difference. */
int test_golden(const char *name, opened *net);

#endif
