/* show.h: what is in a network file, and how fast it runs. */
#ifndef SHOW_H
#define SHOW_H

#include "opened.h"

void show_information(const opened *net);
void show_layers(const opened *net);

/* Microseconds of an inference, the best and the median of `rounds`. */
void show_speed(opened *net, int rounds);

#endif
