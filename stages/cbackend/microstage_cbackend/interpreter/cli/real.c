#include "real.h"

#include "msn_check.h"

/* Element i of a tensor of reals that repeats: constant `number`, absent: `otherwise`. */
static double repeated(const opened *net, uint32_t number, uint32_t inner, uint32_t i, double otherwise)
{
    const msn_tensor *t = msn_tensor_at(&net->network, number);
    return t ? ((const double *)(const void *)msn_constant_at(&net->network, t))[i / inner % t->elements] : otherwise;
}

int has_scale(const msn_face *face)
{
    return face->scale != MSN_ABSENT;
}

double real_of(const opened *net, const msn_face *face, uint32_t i, int64_t integer)
{
    const double scale = repeated(net, face->scale, face->scale_inner, i, 1);
    return scale * ((double)integer - (double)face->zero_point) + repeated(net, face->offset, face->offset_inner, i, 0);
}

static int is_odd(int64_t whole)
{
    return whole % 2 != 0;
}

/* Rounded as the face says, held to low..high; written out, so that no rounding mode has a say in it. */
static int64_t rounded(double value, uint32_t rounding, int64_t low, int64_t high)
{
    if (value <= (double)low) {
        return low;
    }
    if (value >= (double)high) {
        return high;
    }
    const int64_t whole = (int64_t)value;
    const double rest = value - (double)whole;
    switch (rounding) {
    case MSN_ROUNDING_HALF_UP: return whole + (rest >= 0.5) - (rest <= -0.5);
    case MSN_ROUNDING_HALF_DOWN: return whole + (rest > 0.5) - (rest < -0.5);
    case MSN_ROUNDING_UP: return whole + (rest > 0) - (rest < 0);
    case MSN_ROUNDING_DOWN: return whole;
    case MSN_ROUNDING_FLOOR: return whole - (rest < 0);
    case MSN_ROUNDING_CEIL: return whole + (rest > 0);
    default: return whole + (rest > 0.5 || (rest == 0.5 && is_odd(whole))) - (rest < -0.5 || (rest == -0.5 && is_odd(whole)));
    }
}

/* clip_low + step for each threshold of the element's row that the number reaches. */
static int64_t counted(const opened *net, const msn_face *face, uint32_t i, double real)
{
    const msn_tensor *t = msn_tensor_at(&net->network, face->thresholds);
    const double *all = (const double *)(const void *)msn_constant_at(&net->network, t);
    const double *row = all + (size_t)(i / face->thresholds_inner % (t->elements / face->levels)) * face->levels;
    int64_t level = face->clip_low;

    for (uint32_t k = 0; k < face->levels; k++) {
        level += real >= row[k] ? face->step : 0;
    }
    return level;
}

int64_t integer_of(const opened *net, const msn_face *face, uint32_t i, double real)
{
    const double scale = repeated(net, face->scale, face->scale_inner, i, 1);
    double value;

    if (face->rounding == MSN_ROUNDING_THRESHOLDS) {
        return counted(net, face, i, real);
    }
    if (face->flags & 1 && face->offset == MSN_ABSENT) {
        const float narrow = (float)real / (float)scale;
        value = (double)narrow;
    } else {
        value = (real - repeated(net, face->offset, face->offset_inner, i, 0)) / scale;
    }
    if (face->rounding == MSN_ROUNDING_SIGN) {
        return value >= 0 ? 1 : -1;
    }
    return rounded(value, face->rounding, face->clip_low - face->zero_point, face->clip_high - face->zero_point) + face->zero_point;
}
