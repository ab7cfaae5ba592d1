/* ms_linear for x_t, w_t and MSN_PAIR, a name for both, with sums that wrap to 32 and to 64 bits. Included once for each pair. */
#define MSN_JOIN_(a, b) a##b
#define MSN_JOIN(a, b) MSN_JOIN_(a, b)
#define stage_t void
#define y_t int64_t

#define acc_t uint32_t
#define finish(stage, channel, sum) ((void)(stage), (int32_t)(sum))
#define ms_linear MSN_JOIN(MSN_PAIR, _32)
static void ms_linear(const x_t *x, const w_t *w, const acc_t *bias, const stage_t *stage, y_t *y, const ms_linear_shape *shape);
#include "ms_linear.c"
#undef ms_linear
#undef finish
#undef acc_t

#define acc_t uint64_t
#define finish(stage, channel, sum) ((void)(stage), (int64_t)(sum))
#define ms_linear MSN_JOIN(MSN_PAIR, _64)
static void ms_linear(const x_t *x, const w_t *w, const acc_t *bias, const stage_t *stage, y_t *y, const ms_linear_shape *shape);
#include "ms_linear.c"
#undef ms_linear
#undef finish
#undef acc_t

#undef y_t
#undef stage_t
#undef MSN_JOIN
#undef MSN_JOIN_
#undef MSN_PAIR
#undef x_t
#undef w_t
