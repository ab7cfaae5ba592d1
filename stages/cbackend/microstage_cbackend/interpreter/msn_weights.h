/* msn_weights.h: packed weights of a layer, in the layout that its kernel reads. */
#ifndef MSN_WEIGHTS_H
#define MSN_WEIGHTS_H

#include "msn.h"
#include "msn_kernels.h"

/* In rows, which every file has. */
const uint8_t *msn_weights_in_rows(const msn_network *network, const msn_layer *layer);

/* In the layout of the network's kernels; where the file lacks it, rows, and `kernels` becomes the table that reads these. */
const uint8_t *msn_weights(const msn_network *network, const msn_layer *layer, const msn_kernels **kernels);

#endif
