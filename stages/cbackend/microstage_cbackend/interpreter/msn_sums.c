/* ms_linear for the pairs of types that networks have most, and a slower form for all. MSN_SMALL: that form alone. */
#include "msn_sums.h"

#include "ms_kernels.h"

#if !defined MSN_SMALL
#define x_t uint8_t
#define w_t int8_t
#define MSN_PAIR u8_i8
#include "msn_linear_of.h"
#define x_t int8_t
#define w_t int8_t
#define MSN_PAIR i8_i8
#include "msn_linear_of.h"
#define x_t int16_t
#define w_t int8_t
#define MSN_PAIR i16_i8
#include "msn_linear_of.h"
#define x_t uint16_t
#define w_t int8_t
#define MSN_PAIR u16_i8
#include "msn_linear_of.h"
#define x_t int16_t
#define w_t int16_t
#define MSN_PAIR i16_i16
#include "msn_linear_of.h"
#define x_t uint8_t
#define w_t int16_t
#define MSN_PAIR u8_i16
#include "msn_linear_of.h"
#define x_t int8_t
#define w_t int16_t
#define MSN_PAIR i8_i16
#include "msn_linear_of.h"

enum { TYPES = 8 };

#define CASE(x_number, x_type, w_number, w_type, pair)                                                              \
    case x_number * TYPES + w_number:                                                                               \
        if (accumulator == MSN_TYPE_INT32) {                                                                        \
            pair##_32((const x_type *)(const void *)x.at + x_start, (const w_type *)(const void *)w.at + w_start, 0, 0, sums, &shape); \
        } else {                                                                                                    \
            pair##_64((const x_type *)(const void *)x.at + x_start, (const w_type *)(const void *)w.at + w_start, 0, 0, sums, &shape); \
        }                                                                                                           \
        return 1;

/* Whether there is a version for these types; then the sums. */
static int sum_by_type(int64_t *sums, msn_source x, int64_t x_start, msn_source w, int64_t w_start, int32_t depth, int32_t columns,
                       uint32_t accumulator)
{
    const ms_linear_shape shape = {1, depth, columns};
    switch (x.type * TYPES + w.type) {
        CASE(MSN_TYPE_UINT8, uint8_t, MSN_TYPE_INT8, int8_t, u8_i8)
        CASE(MSN_TYPE_INT8, int8_t, MSN_TYPE_INT8, int8_t, i8_i8)
        CASE(MSN_TYPE_INT16, int16_t, MSN_TYPE_INT8, int8_t, i16_i8)
        CASE(MSN_TYPE_UINT16, uint16_t, MSN_TYPE_INT8, int8_t, u16_i8)
        CASE(MSN_TYPE_INT16, int16_t, MSN_TYPE_INT16, int16_t, i16_i16)
        CASE(MSN_TYPE_UINT8, uint8_t, MSN_TYPE_INT16, int16_t, u8_i16)
        CASE(MSN_TYPE_INT8, int8_t, MSN_TYPE_INT16, int16_t, i8_i16)
    default: return 0;
    }
}
#endif

/* Of any types, a run at a time. */
static int64_t sum_of(msn_source x, int64_t x_start, msn_source w, int64_t w_start, int32_t depth)
{
    int64_t left[MSN_RUN], right[MSN_RUN], sum = 0;

    for (int32_t d = 0; d < depth; d += MSN_RUN) {
        const int32_t count = msn_run_of(depth - d);
        msn_load(left, x, x_start + d, 1, count);
        msn_load(right, w, w_start + d, 1, count);
        for (int32_t i = 0; i < count; i++) {
            sum = msn_wrapped_sum(sum, msn_wrapped_product(left[i], right[i]));
        }
    }
    return sum;
}

void msn_sums(int64_t *sums, msn_source x, int64_t x_start, msn_source w, int64_t w_start, int32_t depth, int32_t columns,
              uint32_t accumulator)
{
#if !defined MSN_SMALL
    if (sum_by_type(sums, x, x_start, w, w_start, depth, columns, accumulator)) {
        return;
    }
#endif
    (void)accumulator;
    for (int32_t c = 0; c < columns; c++) {
        sums[c] = sum_of(x, x_start, w, w_start + (int64_t)c * depth, depth);
    }
}

void msn_add_bias(int64_t *sums, msn_source bias, int32_t first, int32_t columns)
{
    for (int32_t c = 0; bias.at && c < columns; c++) {
        sums[c] = msn_wrapped_sum(sums[c], msn_value(bias, first + c));
    }
}
