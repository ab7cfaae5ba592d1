/* msn_layers.h: a function per kernel, of a layer that msn_open has checked. The comment at the top of kernels/ms_<name>.c says what
 * each computes; sums wrap, and what a layer reads at run time as a place is held to what is there. */
#ifndef MSN_LAYERS_H
#define MSN_LAYERS_H

#include "msn_work.h"

/* msn_dots.c */
void msn_linear(const msn_work *work);
void msn_linear_packed(const msn_work *work);
void msn_conv2d(const msn_work *work);
void msn_conv2d_packed(const msn_work *work);
void msn_depthwise(const msn_work *work);

/* msn_windows.c */
void msn_im2col(const msn_work *work);
void msn_max_pool(const msn_work *work);
void msn_sum_pool(const msn_work *work);
void msn_or_pool(const msn_work *work);

/* msn_pairs.c: ms_add, ms_mul, ms_blend */
void msn_pair(const msn_work *work);

/* msn_moves.c */
void msn_copy(const msn_work *work);
void msn_gather(const msn_work *work);
void msn_stage_alone(const msn_work *work);
void msn_table(const msn_work *work);
void msn_take(const msn_work *work);

/* msn_answers.c */
void msn_softmax(const msn_work *work);
void msn_top(const msn_work *work);

#endif
