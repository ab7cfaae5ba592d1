/* What the texts of kernels/ms_*.c include where they are made for one combination of types. */
#ifndef MS_KERNELS_H
#define MS_KERNELS_H

#include "ms_layers.h"
#include "ms_shapes.h"

#endif
