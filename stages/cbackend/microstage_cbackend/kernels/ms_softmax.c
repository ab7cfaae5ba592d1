/* ms_softmax: fractions of 2^bits of each row, as TensorFlow Lite Micro's reference kernel for int8 gives them, bit by bit.
 *
 * x    [outer][depth]   integers of x_t
 * exp  [count]          exp of the difference to the largest, times 2^31, by that difference; beyond it is 0
 * y    [outer][depth]   integers of y_t, fractions less 2^(bits - 1)
 *
 * Numbers of 0 and of 2 integer bits in int32_t (gemmlowp's fixed point): raw / 2^31, raw / 2^29. depth is at most 4095.
 */
#include "ms_kernels.h"

/* a b / 2^31, rounded half up. */
static int32_t high_product(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x 2^exponent, held to int32_t. */
static int32_t lifted(int32_t x, int exponent)
{
    const int64_t value = (int64_t)x * ((int64_t)1 << exponent);
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : (int32_t)value;
}

/* 1 / (1 + a) of a fraction 0 <= a < 1: three steps of Newton's from 48/17 - 32/17 of half the denominator. */
static int32_t one_over_one_plus(int32_t a)
{
    const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) >> 1);
    int32_t x = 1515870810 + high_product(half, -1010580540);

    for (int step = 0; step < 3; step++) {
        x += lifted(high_product(x, ((int32_t)1 << 29) - high_product(half, x)), 2);
    }
    return lifted(x, 1);
}

/* exp in 12 integer bits, summed, and how many zeros the sum begins with. */
static int32_t sum_of(const x_t *x, const w_t *exp, int32_t largest, const ms_softmax_shape *shape)
{
    int32_t sum = 0;

    for (int32_t i = 0; i < shape->depth; i++) {
        const int32_t difference = largest - x[i];
        sum += difference < shape->count ? (exp[difference] >> 12) + (exp[difference] >> 11 & 1) : 0;
    }
    return sum;
}

void ms_softmax(const x_t *x, const w_t *exp, y_t *y, const ms_softmax_shape *shape)
{
    const int32_t low = -((int32_t)1 << (shape->bits - 1));

    for (int32_t o = 0; o < shape->outer; o++) {
        int32_t largest = x[0], headroom = 0;
        for (int32_t i = 1; i < shape->depth; i++) {
            largest = x[i] > largest ? x[i] : largest;
        }
        uint32_t sum = (uint32_t)sum_of(x, exp, largest, shape);
        for (; !(sum >> 31); headroom++) {
            sum <<= 1;
        }
        const int32_t scale = one_over_one_plus((int32_t)(sum - ((uint32_t)1 << 31)));
        const int32_t exponent = 12 - headroom + 31 - shape->bits;
        for (int32_t i = 0; i < shape->depth; i++) {
            const int32_t difference = largest - x[i];
            int64_t level = 0;
            if (difference < shape->count) {
                level = high_product(scale, exp[difference]);
                level = (level + ((int64_t)1 << exponent >> 1)) >> exponent;
            }
            level += low;
            *y++ = (y_t)(level > -(int64_t)low - 1 ? -low - 1 : level);
        }
        x += shape->depth;
    }
}
