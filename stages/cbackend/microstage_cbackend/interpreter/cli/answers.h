/* answers.h: inputs from files, through the network, to the terminal or to a file. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include "opened.h"

/* Infer once for each vector that the `count` files hold; print the answers or, with `output`, write them. */
void answer(opened *net, char *const *files, int count, const char *output);

#endif
